# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""What is left out: the same patterns for restic, which saves, and for the manifest, which says what is saved.

`*` and `?` stand for characters within a name. A pattern that begins with `/` is a path from the root, in which one
`**` may stand for any number of folders; any other holds below every path that is backed up, at any depth. What matches
is left out with everything in it. Two `**` are refused: restic then matches less than they say.
"""

from __future__ import annotations

import os
import re

FORM = re.compile(r"(?!!)/?(?!\.\.?(/|\Z))[^/\[\]\\\x00-\x1f]+(/(?!\.\.?(/|\Z))[^/\[\]\\\x00-\x1f]+)*/?")


def literal(path):
    """Given a path as text, return the pattern that means it and nothing else."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", path)


def expression(pattern, *, below=""):
    """Given a pattern from the root, and the path that stands literally before it, return what matches such paths."""
    found = re.escape(below)
    for part in pattern.strip("/").split("/"):
        if part == "**":
            found += "(?:/[^/]+)*"
        else:
            found += "/" + re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return f"{found}(?=/|\\Z)"


class Exclusions:
    """The patterns of a run: `covers` says whether a path is left out, `patterns` is what restic is given.

    `roots` are the paths that are backed up, `apart` paths that are left out as they are.
    """

    def __init__(self, patterns, *, roots=(), apart=()):
        """Raise ValueError for a pattern that means something else to restic."""
        patterns = [re.sub(r"\A(\*\*/)+", "", pattern) for pattern in patterns]
        bad = [one for one in patterns if not FORM.fullmatch(one) or one.split("/").count("**") > one.startswith("/")]
        if bad:
            raise ValueError(f"no pattern of ours: {', '.join(map(repr, bad))}")
        self.patterns = [literal(path) for path in apart]
        expressions = [f"{re.escape(path)}(?=/|\\Z)" for path in apart]
        for pattern in (one.rstrip("/") for one in patterns):
            if pattern.startswith("/"):
                self.patterns.append(pattern)
                expressions.append(expression(pattern))
                continue
            for root in (one.rstrip("/") for one in roots):
                self.patterns.append(f"{literal(root)}/**/{pattern}")
                expressions.append(expression(f"**/{pattern}", below=root))
        self._expression = re.compile("|".join(expressions) or r"(?!)", re.DOTALL)

    def covers(self, path):
        """Given the bytes of a path, return whether it is left out."""
        return self._expression.match(os.fsdecode(path)) is not None


PSEUDO = frozenset(
    [
        "autofs",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "devtmpfs",
        "efivarfs",
        "fusectl",
        "hugetlbfs",
        "mqueue",
        "nsfs",
        "proc",
        "pstore",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "sysfs",
        "tracefs",
    ]
)


def pseudo_mounts(mountinfo):
    """Given the text of /proc/self/mountinfo, return where file systems are mounted that hold no files of anybody."""
    found = []
    for each in mountinfo.splitlines():
        left, _, right = each.partition(" - ")
        if right.split(" ")[0] in PSEUDO:
            where = left.split(" ")[4]
            found.append(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), where))
    return sorted(set(found))
