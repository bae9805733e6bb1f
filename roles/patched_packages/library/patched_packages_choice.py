#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Say which packages of this machine are to be updated, and to which version. Nothing is changed.

Given the machine's `level` (the fact `patch_level`), `locked` and `lock`, `pinned` and `excepted` (what stays as it is,
see patched_packages_choosing), return `chosen`, the packages to install; `carried`, those that an update may bring
along; `kept`, the pending ones that stay, each with `why`; `owners`, who answers for those that the contract holds;
`staying`, the versions that must not change; and `later`, why nothing is done now, else empty: `sessions` and `free`
say what puts a machine off that has something to do. Without a lock every pending update is chosen. With one, a package
of the lock of which an older version is installed; a pending one that the lock lacks stays, `why` being `not in the
lock`.

`proven` is what an earlier try of the same `rollout` installed and is there now: it is pending no more, and yet belongs
to what this machine proves. patched_packages_install keeps a note of what it is given.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.patched_packages_choosing import choose, put_off, staying

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


def reasons(level, chosen, given):
    """Return why a machine with something to do is put off, else empty."""
    busy = chosen or level["interrupted"] or level["restart"]
    return put_off(level, sessions=given["sessions"], free=given["free"]) if busy else ""


def main():
    """Choose, and return the choice."""
    rows = {"type": "list", "elements": "dict", "default": []}
    module = AnsibleModule(
        argument_spec={
            "level": {"type": "dict", "required": True},
            "locked": {"type": "bool", "default": False},
            "lock": rows,
            "pinned": rows,
            "excepted": rows,
            "sessions": {"type": "str", "choices": ["defer", "ignore"], "default": "defer"},
            "free": {"type": "dict", "default": {}},
            "rollout": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    given = module.params
    lock = given["lock"] if given["locked"] else None
    chosen, carried, kept = choose(given["level"], lock, installed(), terms=given, older=older)
    fields = ("name", "architecture", "before", "version", "sha256", "security")
    before = [] if given["locked"] else proven(given["rollout"], chosen)
    slim = [[{key: row[key] for key in fields} for row in rows] for rows in (chosen, carried, before)]
    module.exit_json(
        changed=False, chosen=slim[0], carried=slim[1], proven=slim[2],
        kept=[{"name": row["name"], "version": row["version"], "why": row["why"]} for row in kept],
        owners=[{"name": row["name"], "version": row["version"], "why": row["owner"]} for row in kept if row["owner"]],
        staying=staying(chosen, kept),
        later=reasons(given["level"], chosen, given),
    )  # fmt: skip


if __name__ == "__main__":
    main()
