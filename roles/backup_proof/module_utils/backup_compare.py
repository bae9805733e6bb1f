# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Compare a restored tree with the manifest that was written when it was saved.

Every entry of the manifest ends in exactly one of four: `equal`, `different`, `moving` (it changed while it was read:
it and its kind must be there, what is in it may differ) or `unfaithful` (what restic does not restore as it was, which
is counted by kind under `not_kept`). What is there and in no entry is a difference of the kind `extra`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections import Counter

from ansible.module_utils.backup_manifest import decoded, encoded, entries

NAMED = 20
"""How many of a kind are named; all are counted."""

TYPES = {
    stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "char", stat.S_IFBLK: "block",
}  # fmt: skip


class Comparison:
    """What was found so far; `result()` is the table."""

    def __init__(self):
        self.counts = Counter(equal=0, different=0, moving=0, unfaithful=0)
        self.differences, self.kept = Counter(), Counter()
        self.named, self.kept_named, self.moving_named = [], [], []
        self.bytes = 0

    def differs(self, path, kind, asked, found):
        """Count a difference, and name it while there are few."""
        self.differences[kind] += 1
        if len(self.named) < NAMED:
            self.named.append({"path": encoded(path), "kind": kind, "asked": str(asked)[:200], "found": str(found)[:200]})

    def not_kept(self, path, kind):
        """Count what restic did not restore as it was."""
        self.kept[kind] += 1
        if len(self.kept_named) < NAMED:
            self.kept_named.append({"path": encoded(path), "kind": kind})

    def result(self):
        """The table: numbers, and the first names of each sort, percent-encoded."""
        return {
            "compared": sum(self.counts.values()),
            **self.counts,
            "bytes": self.bytes,
            "differences": dict(sorted(self.differences.items())),
            "named": self.named,
            "not_kept": dict(sorted(self.kept.items())),
            "not_kept_named": self.kept_named,
            "moving_named": self.moving_named,
        }


def compare(root, manifest, wanted=None):
    """Given the bytes of a restored tree's root and a manifest's file, return the table of the comparison.

    `wanted` says for an entry whether it was restored at all (default: every one). Raises ManifestError for a file that
    is no manifest, OSError where the tree cannot be read.
    """
    found, links, known = Comparison(), _Links(), set()
    real = _Real(root)
    for entry in entries(manifest):
        if wanted is None or wanted(entry):
            known.add(entry["path"])
            _one(root, entry, real, (found, links))
    links.judge(found)
    _extra(root, known, found)
    return found.result()


class _Real:
    """Whether the folders above a path are folders: nothing is followed out of the restored tree."""

    def __init__(self, root):
        self.root, self.seen = root, {b"": True}

    def __call__(self, folder):
        if folder not in self.seen:
            try:
                here = stat.S_ISDIR(os.lstat(self.root + folder).st_mode)
            except OSError:
                here = False
            self.seen[folder] = here and self(folder.rpartition(b"/")[0])
        return self.seen[folder]


def _one(root, entry, real, books):
    found, links = books
    path = entry["path"]
    place = root + path
    there = os.lstat(place) if real(path.rpartition(b"/")[0]) and os.path.lexists(place) else None
    if there is None and entry["t"] == "socket":
        found.not_kept(path, "socket")
        found.counts["unfaithful"] += 1
        return
    if there is None:
        found.differs(path, "missing", entry["t"], "nothing")
        found.counts["different"] += 1
        return
    kind = TYPES.get(stat.S_IFMT(there.st_mode), "unknown")
    if kind != entry["t"]:
        found.differs(path, "type", entry["t"], kind)
        found.counts["different"] += 1
        return
    if entry.get("w"):
        if len(found.moving_named) < NAMED:
            found.moving_named.append(encoded(path))
        found.counts["moving"] += 1
        return
    links.saw(entry, there)
    rows = [row for row in _rows(place, entry, there) if row[1] != row[2]]
    kept = dict(_unfaithful(entry, there, rows))
    rows = [row for row in rows if row[0] not in kept.values()]
    for name, asked, seen in rows:
        found.differs(path, name, asked, seen)
    for name in kept:
        found.not_kept(path, name)
    links.ended(path, "different" if rows else "unfaithful" if kept else "equal")
    found.bytes += entry["s"] if kind == "file" else 0


def _rows(place, entry, there):
    """Yield what is compared of an object that is there: name, asked, found."""
    kind = entry["t"]
    if kind != "symlink":
        yield "mode", entry["m"], f"{stat.S_IMODE(there.st_mode):04o}"
    yield "owner", f"{entry['u']}:{entry['g']}", f"{there.st_uid}:{there.st_gid}"
    yield "mtime", entry["n"], there.st_mtime_ns
    yield "xattr", dict(entry.get("x", {})), attributes(place)
    if kind == "file":
        yield "size", entry["s"], there.st_size
        yield "content", entry["h"], content(place)
    elif kind == "symlink":
        yield "link", entry["l"], encoded(os.readlink(place))
    elif kind in ("char", "block"):
        yield "device", entry.get("r"), f"{os.major(there.st_rdev)}:{os.minor(there.st_rdev)}"


def attributes(place):
    """Given the bytes of a path, return `{name: SHA-256 of the value}` of its extended attributes, ACLs included."""
    try:
        names = os.listxattr(place, follow_symlinks=False)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        return {}
    return {
        encoded(os.fsencode(name)): hashlib.sha256(os.getxattr(place, name, follow_symlinks=False)).hexdigest()
        for name in names
    }


def content(place):
    """SHA-256 of a regular file, hex; nothing is followed and nothing is waited for."""
    found = hashlib.sha256()
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb", buffering=0) as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            found.update(block)
    return found.hexdigest()


def _unfaithful(entry, there, rows):
    """Yield what restic is known not to restore: its name, and the row that it explains ("" for none)."""
    names = {row[0] for row in rows}
    if entry["t"] == "symlink" and "link" in names:
        target = decoded(entry["l"])
        written = replaced(target)
        if written != target and any(row[0] == "link" and row[2] == encoded(written) for row in rows):
            yield "link_target", "link"
    if entry.get("z") and not {"size", "content"} & names and there.st_blocks * 512 >= there.st_size:
        yield "sparse", ""


def replaced(target):
    """The bytes that restic 0.14 writes for the target of a link: U+FFFD for every byte that is no UTF-8.

    Go's encoding of JSON takes one byte at a time (utf8.DecodeRune), where Python replaces what belongs together.
    """
    out, rest = [], target
    while rest:
        try:
            out.append(rest.decode("utf-8"))
            break
        except UnicodeDecodeError as error:
            out.append(rest[: error.start].decode("utf-8") + "\ufffd")
            rest = rest[error.start + 1 :]
    return "".join(out).encode("utf-8")


class _Links:
    """Hard links: which objects were one when they were saved, and which are one now."""

    def __init__(self):
        self.groups, self.inodes, self.fates = {}, {}, {}

    def saw(self, entry, there):
        """Note an object that is there; folders have no hard links."""
        self.fates[entry["path"]] = "equal"
        if entry["t"] == "dir":
            return
        inode = (there.st_dev, there.st_ino)
        if entry.get("k") is not None:
            self.groups.setdefault(entry["k"], []).append((entry["path"], entry["t"], inode))
        if entry.get("k") is not None or there.st_nlink > 1:
            self.inodes.setdefault(inode, []).append((entry["path"], entry.get("k"), entry["t"]))

    def ended(self, path, fate):
        """Note what was found of an object, its links apart."""
        self.fates[path] = fate

    def judge(self, found):
        """Compare the groups, then count what every object ended as."""
        for members in self.groups.values():
            if len({inode for _, _, inode in members}) > 1:
                self._apart(members, found)
        for members in self.inodes.values():
            if len({group for _, group, _ in members}) > 1 or (len(members) > 1 and members[0][1] is None):
                for path, _, _ in members:
                    found.differs(path, "hard_link", "apart", "one object")
                    self.fates[path] = "different"
        found.counts.update(self.fates.values())

    def _apart(self, members, found):
        """restic makes one object again of regular files only."""
        for path, kind, _ in members:
            if kind == "file":
                found.differs(path, "hard_link", "one object", "apart")
                self.fates[path] = "different"
            else:
                found.not_kept(path, f"hard_link_of_{kind}")
                if self.fates[path] == "equal":
                    self.fates[path] = "unfaithful"


def _extra(root, known, found):
    """Count what is in the tree and in no entry; the folders that only lead to entries are none."""
    leading = {path[:end] for path in known for end in _ends(path)}
    pending = [b""]
    while pending:
        folder = pending.pop()
        with os.scandir(root + folder or b"/") as inside:
            for item in sorted(inside, key=lambda item: item.name):
                path = folder + b"/" + item.name
                if path not in known and path not in leading:
                    found.differs(path, "extra", "nothing", "something")
                if item.is_dir(follow_symlinks=False):
                    pending.append(path)


def _ends(path):
    """Where the parents of a path end."""
    end = path.rfind(b"/")
    while end > 0:
        yield end
        end = path.rfind(b"/", 0, end)
