# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Rows of the acceptance table, and how a reader turns what it sees into one.

A reader takes one check and yields rows: `compare` where equality decides, `row` where it does not, `not_applicable`
where this machine cannot have the state at all. Standard library only.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

TIMEOUT_SECONDS = 20
LONGEST_TEXT = 200


def row(name, asked, found, *, ok):
    """Given what was asked and found and whether that is as promised, return a row."""
    return {"name": name, "asked": text(asked), "found": text(found), "result": "pass" if ok else "fail"}


def compare(name, asked, found):
    """Return a row that passes only if found is exactly what was asked."""
    return row(name, asked, found, ok=asked == found)


def not_applicable(name, asked, reason):
    """Return a row for a state that this machine cannot have; the reason says why."""
    return {"name": name, "asked": text(asked), "found": reason, "result": "not_applicable"}


def text(value):
    """Return a value as the table shows it: one line, bounded."""
    line = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    line = " ".join(line.split())
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 1] + "…"


def output(*command, seconds=TIMEOUT_SECONDS):
    """Return what a program writes to its standard output, whatever its status; raise OSError if it cannot run."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            env={"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
    except subprocess.TimeoutExpired as late:
        raise OSError(f"{command[0]} gave no answer within {seconds} s") from late
    return done.stdout


def settings(path):
    """Return the `KEY=value` lines of a file as a dict, quotes taken off; {} if there is no such file."""
    if not Path(path).is_file():
        return {}
    lines = (line.strip() for line in Path(path).read_text().splitlines())
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


def in_container():
    """Whether this system is a container, as systemd sees it."""
    return output("systemd-detect-virt", "--container").strip() not in ("", "none")


def service(name, **properties):
    """Return what systemd knows of a unit: LoadState, UnitFileState, ActiveState."""
    wanted = ",".join(("LoadState", "UnitFileState", "ActiveState", *properties))
    lines = output("systemctl", "show", "--property", wanted, name).splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def table(checks, readers):
    """Given checks and readers by kind, return all rows; what cannot be read is a failed row that says why.

    The rows of a check that is `personal` are marked so: their texts name people, and are kept out of the log.
    """
    rows = []
    for check in checks:
        try:
            found = list(readers[check["kind"]](check))
        except (OSError, ValueError, KeyError) as problem:
            found = [row(check["name"], check.get("asked", ""), f"could not be read: {problem!r}", ok=False)]
        rows.extend({**each, "personal": True} if check.get("personal") else each for each in found)
    return rows
