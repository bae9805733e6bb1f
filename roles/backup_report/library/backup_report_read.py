#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Read what this machine knows of backups, and return it as `report`. Nothing is changed, in check mode or not.

Given the id of a `client`, the report is `{v: 1, clock, booted, agent, completed, agents, unreadable}`: the machine's
own time and when it was booted; the status of the agent's last run and of its last run that completed, null where there
is none; what the store has of each agent of that client, by name; the files that are there and are no such thing. A run
that says `running` while nothing holds the agent's lock ended without a word: it is told as failed, reason `killed`.
"""

from __future__ import annotations

import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

AGENT = Path("/var/lib/provisioner/backup")
STORE = Path("/var/lib/provisioner/store")
LARGEST = 4 << 20
"""Bytes of one file. A status is of one; a store's list of snapshots is longer."""
DEAD = {"state": "failed", "reason": "killed", "text": "the run ended without a word"}


def legible(path, unreadable):
    """Return the object that a file holds, None where there is no file; what is neither is noted in `unreadable`."""
    try:
        with path.open("rb") as handle:
            text = handle.read(LARGEST + 1)
        found = json.loads(text) if len(text) <= LARGEST else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("v") != 1:
        unreadable.append(str(path))
        return None
    return found


def under_way(lock):
    """Whether a process holds the agent's lock."""
    try:
        with lock.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def last_run(folder, unreadable):
    """Return the status of the agent's last run, None where there is none.

    It is read again when it changed while the lock was looked at: a run may end in between.
    """
    said = legible(folder / "status.json", unreadable)
    while said and said.get("state") == "running":
        if under_way(folder / "work" / "lock"):
            return said
        again = legible(folder / "status.json", unreadable)
        if again == said:
            return said | DEAD
        said = again
    return said


def stamp(seconds):
    """Return seconds since 1970 as an instant."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def booted():
    """Return when the first process started, in seconds since 1970: in a container later than the kernel."""
    ticks = int(Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19])
    kernel = next(int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines() if line[:6] == "btime ")
    return kernel + ticks / os.sysconf("SC_CLK_TCK")


def report(client, *, agent=AGENT, store=STORE):
    """Return what the docstring of the module says, but the instants."""
    unreadable = []
    found = {"v": 1, "agent": last_run(agent, unreadable), "completed": legible(agent / "completed.json", unreadable)}
    stored = {path.stem: legible(path, unreadable) for path in sorted((store / client).glob("*.json"))}
    agents = {name: said for name, said in stored.items() if said}
    return {**found, "agents": agents, "unreadable": unreadable}


def main():
    """Read, return."""
    module = AnsibleModule(argument_spec={"client": {"type": "str", "required": True}}, supports_check_mode=True)
    now = datetime.now(UTC).timestamp()
    found = report(module.params["client"])
    module.exit_json(changed=False, report={**found, "clock": stamp(now), "booted": stamp(booted())})


if __name__ == "__main__":
    main()
