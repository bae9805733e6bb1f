#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Say which packages of this machine are to be updated, and to which version. Nothing is changed.

Given the machine's `level` (the fact `patch_level`), `locked` and `lock`, and `pinned`, names or patterns that stay as
they are, return `chosen`, the packages to install; `carried`, those that an update may bring along; `kept`, the pending
ones that stay, each with `why`; and `later`, why nothing is done now, else empty. Without a lock every pending update
is chosen. With one, a package of the lock of which an older version is installed; a pending one that the lock lacks
stays, `why` being `not in the lock`.

`proven` is what an earlier try of the same `rollout` installed and is there now: it is pending no more, and yet belongs
to what this machine proves. patched_packages_install keeps a note of what it is given.
"""

from __future__ import annotations

import fnmatch
import json
import subprocess
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

CLEAN = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
NOTE = Path("/var/lib/provisioner/rollout.json")
FORMAT = "${Package}\t${Architecture}\t${db:Status-Status}\t${Version}\n"


def installed():
    """Return {(name, architecture): version} of what dpkg has installed wholly."""
    command = ["dpkg-query", "--show", f"--showformat={FORMAT}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=CLEAN)
    lines = (line.split("\t") for line in done.stdout.splitlines())
    return {(name, architecture): version for name, architecture, state, version in lines if state == "installed"}


def older(version, than):
    """Whether one version is older than another, by dpkg's own rule."""
    return subprocess.run(["dpkg", "--compare-versions", version, "lt", than], check=False, env=CLEAN).returncode == 0


def choose(level, lock, pinned):
    """Return (chosen, carried, kept) as the docstring of the module says; `lock` is None without one."""
    chosen, carried, kept = [], [], []
    if lock is None:
        for row in level["pending"]:
            if any(fnmatch.fnmatchcase(row["name"], pattern) for pattern in pinned):
                kept.append({**row, "why": "pinned"})
            elif row["kept"]:
                kept.append({**row, "why": row["kept"]})
            else:
                (chosen if row["before"] else carried).append(row)
        return chosen, carried, kept
    have = installed()
    held = {(row["name"], row["architecture"]) for row in level["pending"] if row["kept"] == "held"}
    for row in lock:
        key = (row["name"], row["architecture"])
        before = have.get(key)
        if before is None and not row["before"]:
            carried.append({**row, "before": ""})
        elif before is not None and older(before, row["version"]):
            if key in held or any(fnmatch.fnmatchcase(row["name"], pattern) for pattern in pinned):
                kept.append({**row, "before": before, "why": "held" if key in held else "pinned"})
            else:
                chosen.append({**row, "before": before})
    known = {(row["name"], row["architecture"]) for row in lock}
    kept += [
        {**row, "why": "not in the lock"}
        for row in level["pending"]
        if row["before"] and (row["name"], row["architecture"]) not in known
    ]
    return chosen, carried if chosen else [], kept


def noted(rollout):
    """Return what earlier tries of a rollout were given on this machine."""
    try:
        note = json.loads(NOTE.read_text())
    except (OSError, ValueError):
        return []
    return note["packages"] if rollout and note.get("rollout") == rollout else []


def proven(rollout, chosen):
    """Return the packages of earlier tries that are installed now and are not to be installed again."""
    have, again = installed(), {(row["name"], row["architecture"]) for row in chosen}
    keyed = [((row["name"], row["architecture"]), row) for row in noted(rollout)]
    return [row for key, row in keyed if key not in again and have.get(key) == row["version"]]


def main():
    """Choose, and return the choice."""
    module = AnsibleModule(
        argument_spec={
            "level": {"type": "dict", "required": True},
            "locked": {"type": "bool", "default": False},
            "lock": {"type": "list", "elements": "dict", "default": []},
            "pinned": {"type": "list", "elements": "str", "default": []},
            "rollout": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    given = module.params
    chosen, carried, kept = choose(given["level"], given["lock"] if given["locked"] else None, given["pinned"])
    fields = ("name", "architecture", "before", "version", "sha256", "security")
    before = [] if given["locked"] else proven(given["rollout"], chosen)
    slim = [[{key: row[key] for key in fields} for row in rows] for rows in (chosen, carried, before)]
    named = [{"name": row["name"], "version": row["version"], "why": row["why"]} for row in kept]
    later = "the machine runs on battery" if given["level"]["on_battery"] else ""
    module.exit_json(changed=False, chosen=slim[0], carried=slim[1], proven=slim[2], kept=named, later=later)


if __name__ == "__main__":
    main()
