# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Readers for backup_store and backup_offsite: what sshd, the kernel and systemd say. Standard library only."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import stat
from pathlib import Path

from ansible.module_utils.acceptance_rows import compare, not_applicable, output, row, service

DOOR = {
    "allowagentforwarding": "no",
    "allowstreamlocalforwarding": "no",
    "allowtcpforwarding": "no",
    "authenticationmethods": "publickey",
    "kbdinteractiveauthentication": "no",
    "passwordauthentication": "no",
    "permittty": "no",
    "permituserrc": "no",
    "x11forwarding": "no",
}
SLACK = 10
"""A file system shows a little less than its size: at most one part in so many."""


def store_program(check):
    """A program is there, in a version that is known to work."""
    found = re.search(r"v?(\d+)\.(\d+)[.\d]*", output(check["program"], "version"))
    least = tuple(map(int, check["asked"].split()[0].split(".")))
    ok = found is not None and (int(found[1]), int(found[2])) >= least
    yield row(check["name"], check["asked"], found[0] if found else "absent", ok=ok)


def store_account(check):
    """Nobody comes in as the account by a password."""
    entry = output("getent", "shadow", check["user"]).split(":")
    closed = len(entry) > 1 and entry[1][:1] in ("*", "!")
    yield row(check["name"], check["asked"], "no password" if closed else "absent, or it has one", ok=closed)


def store_door(check):
    """sshd, asked about this very account, lets keys of the one file in, and nothing else through."""
    said = output("sshd", "-T", "-C", f"user={check['user']},host=localhost,addr=127.0.0.1").splitlines()
    found = dict(line.split(" ", 1) for line in said if " " in line)
    wanted = {**DOOR, "authorizedkeysfile": "/etc/ssh/backup_keys/%u"}
    if not found:
        wanted = {"authorizedkeysfile": "known"}
    other = sorted(f"{key} {found.get(key, 'absent')}" for key, value in wanted.items() if found.get(key) != value)
    yield row(check["name"], check["asked"], other or check["asked"], ok=not other)


def store_keys(check):
    """Each agent's key is let in to its own folder, and no other line is there."""
    path = Path("/etc/ssh/backup_keys", check["user"])
    mode = path.stat()
    lines = {line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")}
    for agent in check["agents"]:
        key = check["asked"].get(agent)
        if key is None:
            yield not_applicable(f"{check['name']} {agent}", "its own folder", "it has handed over no key yet")
            continue
        serve = f"/usr/bin/rclone --config '' serve restic --stdio --append-only {check['home']}/inbox/{agent}"
        line = f'restrict,command="{serve}" {key} {agent}'
        found = "its own folder" if line in lines else "absent"
        yield compare(f"{check['name']} {agent}", "its own folder", found)
        lines.discard(line)
    closed = mode.st_uid == 0 and not mode.st_mode & 0o022
    found = [line.split()[-1] for line in sorted(lines)] or "none"
    yield row("other keys", "none", found if closed else "anybody may write the file", ok=not lines and closed)


def store_quota(check):
    """The inbox is a file system of its own, of the size that was asked for, and runs no programs."""
    path, asked = Path(check["path"]), int(check["bytes"])
    if not path.is_mount():
        yield row(check["name"], check["asked"], "not mounted: nothing limits it", ok=False)
        return
    room = os.statvfs(path)
    size = room.f_blocks * room.f_frsize
    tight = all(room.f_flag & flag for flag in (os.ST_NOSUID, os.ST_NOEXEC, os.ST_NODEV))
    near = asked - asked / SLACK - (32 << 20) <= size <= asked
    yield row(check["name"], check["asked"], f"{size} bytes{'' if tight else ', programs run'}", ok=near and tight)


def store_private(check):
    """Nobody but root, or the group that may read, gets into a folder."""
    path = Path(check["path"])
    seen = path.stat()
    owner, group = pwd.getpwuid(seen.st_uid).pw_name, grp.getgrgid(seen.st_gid).gr_name
    readers = group.startswith("offsite-") and "may read" in check["asked"]
    closed = owner == "root" and not seen.st_mode & (0o027 if readers else 0o077)
    yield row(check["name"], check["asked"], f"{stat.filemode(seen.st_mode)} {owner} {group}", ok=closed)


def store_timer(check):
    """A timer is enabled and waiting."""
    found = service(check["unit"])
    now = " ".join(found.get(key, "absent") for key in ("UnitFileState", "ActiveState"))
    yield compare(check["name"], check["asked"], "waiting" if now == "enabled active" else now)


def store_round(check):
    """The last round for each agent copied all, and the vault checks: as its status says."""
    for agent in check["agents"]:
        told = json.loads(Path("/var/lib/provisioner/store", check["client"], f"{agent}.json").read_text())
        wrong = [f"{each['code']}: {each['text']}" for each in told["problems"]]
        ok = not wrong and told["vault"]["checked"]["ok"] is True
        yield row(f"{check['name']} {agent}", check["asked"], wrong or (check["asked"] if ok else "not checked"), ok=ok)


READERS = {
    "store_account": store_account,
    "store_door": store_door,
    "store_keys": store_keys,
    "store_private": store_private,
    "store_program": store_program,
    "store_quota": store_quota,
    "store_round": store_round,
    "store_timer": store_timer,
}
