# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Readers for backup_agent: what restic, systemd, OpenSSH and the last run itself say. Standard library only."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

from ansible.module_utils.acceptance_rows import compare, output, row, service

STATUS = Path("/var/lib/provisioner/backup/status.json")
KEYS = ("agent", "client", "store", "paths", "exclude", "databases")


def backup_program(check):
    """The version of restic, by its own word; 0.14 is the first whose options we use."""
    found = re.search(r"restic (\d+)\.(\d+)", output("restic", "version"))
    version = tuple(map(int, found.groups())) if found else ()
    yield row(check["name"], check["asked"], found[0] if found else "absent", ok=version >= (0, 14))


def guarded(path):
    """Return `root only` for a file that nobody else can read or replace, else who can."""
    for each in (Path(path), Path(path).parent):
        state = each.lstat()
        if state.st_uid or state.st_gid or state.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            return f"{each}: {state.st_uid}:{state.st_gid} {stat.S_IMODE(state.st_mode):04o}"
    return "root only"


def backup_secret(check):
    """A secret's file, which is there, holds something, and is root's alone. What it holds is not looked at."""
    path = Path(check["path"])
    found = guarded(path) if path.is_file() and path.stat().st_size else "absent or empty"
    yield compare(check["name"], check["asked"], found)


def backup_key(check):
    """The private key is root's alone, and belongs to the public one."""
    yield compare(check["name"], check["asked"], guarded(check["path"]))
    derived = output("ssh-keygen", "-y", "-P", "", "-f", check["path"]).split()[:2]
    public = Path(f"{check['path']}.pub").read_text().split()[:2]
    yield compare(f"{check['name']} pair", "one pair", "one pair" if derived and derived == public else "no pair")


def backup_store_key(check):
    """The one host key that ssh will accept from the store, as OpenSSH itself finds it."""
    lines = output("ssh-keygen", "-F", check["place"], "-f", check["path"]).splitlines()
    found = [" ".join(line.split()[1:3]) for line in lines if line and not line.startswith("#")]
    yield compare(check["name"], check["asked"], ", ".join(found) or "none")


def backup_settings(check):
    """Each thing that the agent's program is asked to do; the seed of its canary files is not shown."""
    found = json.loads(Path(check["path"]).read_text())
    for key in KEYS:
        yield compare(f"{check['name']} {key}", check["asked"][key], found.get(key))


def backup_timer(check):
    """The timer waits, comes back after a restart, and has the instants and the delay that were asked for."""
    name, unit = check["name"], "provisioner-backup.timer"
    found = service(unit, TimersCalendar=True, RandomizedDelayUSec=True, Persistent=True)
    yield compare(f"{name} state", "enabled, active", f"{found.get('UnitFileState')}, {found.get('ActiveState')}")
    written = re.search(r"OnCalendar=(.*?) ;", found.get("TimersCalendar", ""))
    yield compare(f"{name} instants", check["asked"], written[1] if written else "none")
    asked = int(check["delay"]) * 60
    yield compare(f"{name} delay", f"{asked} s", f"{seconds(found.get('RandomizedDelayUSec', ''))} s")
    yield compare(f"{name} catches up", "yes", found.get("Persistent", "unknown"))


def seconds(text):
    """Return what systemd shows as a time span, such as `1h 30min`, in seconds."""
    units = {"h": 3600, "min": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)(h|min|s)\b", text))


def backup_run(check):
    """The run that was started has completed, by its own status; that of an earlier run says nothing about it."""
    said = json.loads(STATUS.read_text()) if STATUS.is_file() else {}
    if not said or said["run"] == check["before"]:
        found = "no run since"
    else:
        words = (said["state"], said["reason"], said["text"])
        found = " ".join(str(word) for word in words if word)
    yield row(check["name"], check["asked"], found, ok=found == check["asked"])


READERS = {
    "backup_key": backup_key,
    "backup_program": backup_program,
    "backup_run": backup_run,
    "backup_secret": backup_secret,
    "backup_settings": backup_settings,
    "backup_store_key": backup_store_key,
    "backup_timer": backup_timer,
}
