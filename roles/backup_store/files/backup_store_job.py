# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""What a store does each hour for one agent, and the status it leaves. Standard library only.

Each step adds what is wrong to `problems`, and goes on only as far as what was seen so far is sound: from an inbox in
doubt nothing is copied, and while anything is in doubt nothing is forgotten. Nothing is ever removed from an inbox.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import backup_store_status as status
from backup_store_restic import Repository
from backup_store_rules import doubt, instant, retained, to_copy, to_forget

WARNINGS = {"inbox_full"}
"""What is told, and is no reason to copy or forget nothing."""

FREE_PART = 20
"""An inbox is called full when less than one part in so many is free."""

DAILY = timedelta(hours=24)
PARTS = 7
"""In so many checks of a vault all its data is read."""

TRIES = 3
"""So often an inbox is checked that is being written to meanwhile: half a file is no damage."""


@dataclass(frozen=True)
class Place:
    """Where the backups of one agent lie on this store. `keep` is the number of snapshots by span."""

    root: Path
    client: str
    agent: str
    keep: dict[str, int]
    reader: str = ""

    @property
    def secrets(self):
        """The folder of passwords, for root only."""
        return Path("/etc/provisioner/store", self.client)

    @property
    def state(self):
        """The folder of the status files of this client."""
        return Path("/var/lib/provisioner/store", self.client)

    @property
    def status(self):
        """The file of the status."""
        return self.state / f"{self.agent}.json"

    @property
    def inbox(self):
        """The repository that the agent writes to."""
        return Repository(str(self.root / self.client / "inbox" / self.agent), self.secrets / "inbox" / self.agent)

    @property
    def vault(self):
        """The repository that only the store opens."""
        return Repository(str(self.root / self.client / "vault" / self.agent), self.secrets / "vault_password")


class Job:
    """One round for one agent; `told` is the status as it grows. A subclass says where snapshots come from."""

    def __init__(self, place, clock=lambda: datetime.now(UTC)):
        self.place, self.clock, self.now = place, clock, clock()
        self.memory_file = place.state / "job" / f"{place.agent}.json"
        self.memory = {"aside": {}, "looked": "", "subset": 0, "made": False}
        with suppress(OSError, ValueError):
            self.memory |= json.loads(self.memory_file.read_text(encoding="utf-8"))
        self.known = status.read(place.status)
        self.told = {**status.empty(), "inbox": self.known["inbox"], "vault": self.known["vault"]}
        self.problems: dict[str, str] = {}
        self.inbox, self.vault = [], []
        self.checked_now, self.checked_ids = False, {each["id"] for each in self.known["vault"]["snapshots"]}

    @property
    def sound(self):
        """Whether nothing is in doubt so far."""
        return not set(self.problems) - WARNINGS

    def run(self):
        """Do what is safe, and write what was done and seen, whatever happens."""
        try:
            self.look_at_source()
            self.look_at_vault()
            if self.sound:
                self.copy()
            if self.sound or set(self.problems) - WARNINGS == {"vault_full"}:
                self.forget()
            self.check_vault()
        except Exception as problem:  # told in the status: a job that ends without a word would look well
            self.problems["job_failed"] = f"the job ended with {problem!r}"
        self.tell()

    def look_at_source(self):
        """Fill `inbox` with what may be copied."""
        raise NotImplementedError

    def look_at_vault(self):
        """Read the vault; one that was damaged at the last check is checked again before anything is done to it."""
        vault = self.place.vault
        if not vault.exists:
            if self.memory["made"]:
                self.problems["vault_gone"] = f"{vault.place} held a vault and holds none: none is made in its place"
            return
        vault.unlock()
        self.list_vault()
        if self.known["vault"]["checked"]["ok"] is False:
            self.check_vault()

    def list_vault(self):
        """Read the snapshots of the vault, each with the instant at which it first came in."""
        found, done = self.place.vault.snapshots()
        if not done.ok:
            self.problems["vault_damaged"] = f"the vault cannot be read: {done.text}"
            return
        before = {each["id"]: instant(each["arrived"]) for each in self.known["vault"]["snapshots"]}
        sources = {each.id: each.arrived for each in self.inbox}
        self.vault = [
            replace(each, arrived=before.get(each.id) or sources.get(each.source) or each.arrived) for each in found
        ]

    def copy(self):
        """Copy what the vault lacks, making the vault at first."""
        vault, source = self.place.vault, self.source
        done = vault.begin(source) if self.inbox and not vault.exists else None
        if done and not done.ok:
            self.problems["vault_full" if done.full else "copy_failed"] = f"the vault was not made: {done.text}"
            return
        wanted = self.wanted()
        if not wanted:
            return
        self.memory["made"] = True
        done, before = vault.copy_from(source, [each.id for each in wanted]), len(self.vault)
        self.list_vault()
        if len(self.vault) > before:
            self.told["vault"] = {**self.told["vault"], "copied_at": status.text_of(self.clock())}
        there = {each.source for each in self.vault}
        left = [each for each in wanted if each.source not in there]
        if left or not done.ok:
            code = "vault_full" if done.full else "vault_locked" if done.locked else "copy_failed"
            self.problems[code] = f"{len(left)} of {len(wanted)} snapshots were not copied: {done.text}"

    def wanted(self):
        """Return the snapshots to copy."""
        return to_copy(self.inbox, self.vault, self.place.keep, self.now)

    def unwanted(self):
        """Return the ids to forget."""
        return to_forget(self.vault, self.place.keep, self.now)

    def forget(self):
        """Forget in the vault what need not be kept."""
        ids = self.unwanted()
        if not ids:
            return
        done = self.place.vault.forget(ids)
        if not done.ok:
            code = "vault_locked" if done.locked else "vault_full" if done.full else "forget_failed"
            self.problems.setdefault(code, f"{len(ids)} snapshots were not forgotten: {done.text}")
        self.list_vault()

    def check_vault(self):
        """Check the vault when it changed, and once a day: its structure, and each time another part of its data."""
        vault, checked = self.place.vault, self.told["vault"]["checked"]
        ids = {each.id for each in self.vault}
        due = ids != self.checked_ids or (not self.checked_now and (not checked["ok"] or self.older(checked["at"])))
        if not vault.exists or not due:
            return
        words, subset = self.part()
        done = vault.check(*words)
        if done.locked:
            self.problems["vault_locked"] = f"the vault was not checked: {done.text}"
            return
        self.memory["subset"] += 1
        self.checked_now, self.checked_ids = True, ids
        found = {"at": status.text_of(self.clock()), "ok": done.ok, "text": done.text, "subset": subset}
        self.told["vault"] = {**self.told["vault"], "checked": found}
        if not done.ok:
            self.problems["vault_damaged"] = f"the vault does not check: {done.text}"

    def part(self):
        """Return the words for the next check, and what they make it read."""
        subset = f"{self.memory['subset'] % PARTS + 1}/{PARTS}"
        return ("--read-data-subset", subset), subset

    def older(self, at):
        """Whether an instant of a status is none, or more than a day ago."""
        return at is None or self.now - instant(at) >= DAILY

    def tell(self):
        """Write the status, and let those read the vault who may."""
        vault = self.place.vault
        rows = [status.row(each, original=each.source) for each in self.vault]
        if vault.exists and not rows:
            rows = self.known["vault"]["snapshots"]  # what cannot be listed is not gone
        told = {**self.told, "at": status.text_of(self.clock())}
        told["vault"] = {**told["vault"], "snapshots": rows, "bytes": status.size(vault.place)}
        told["problems"] = status.problems_since(self.problems.items(), self.known["problems"], self.now)
        status.write(self.memory_file, self.memory)
        status.write(self.place.status, told)
        if self.place.reader:
            let_read(Path(vault.place), self.place.reader)


class Site(Job):
    """A round of a site store: from the agent's inbox into its vault."""

    @property
    def source(self):
        """The repository that is copied from."""
        return self.place.inbox

    def look_at_source(self):
        """Read the inbox and judge it: its limit, its snapshots, all its data."""
        inbox, folder = self.place.inbox, Path(self.place.inbox.place)
        if not folder.parent.is_mount():
            self.problems["no_quota"] = f"{folder.parent} is no file system of its own: nothing limits it"
            return
        room = os.statvfs(folder.parent)
        quota, free = room.f_blocks * room.f_frsize, room.f_bavail * room.f_frsize
        if free * FREE_PART < quota:
            self.problems["inbox_full"] = f"{free} of {quota} bytes are free: the next backup may not fit"
        sizes = {"bytes": status.size(folder), "quota_bytes": quota, "free_bytes": free}
        self.told["inbox"] = {**self.known["inbox"], **sizes}
        if not inbox.exists:
            self.problems["inbox_empty"] = "the inbox holds no repository: the agent has not begun"
            return
        self.inbox = self.judge(inbox, folder)
        self.check_inbox(inbox, folder)

    def judge(self, inbox, folder):
        """Return the snapshots of the inbox that are what they say; a doubt that nobody has looked at is a problem."""
        found, done = inbox.snapshots()
        if not done.ok:
            self.problems["inbox_damaged"] = f"the inbox cannot be read: {done.text}"
        doubts = {each.id: doubt(each) for each in found}
        new = [
            (each.id[:8], *doubts[each.id]) for each in found if doubts[each.id] and each.id not in self.memory["aside"]
        ]
        for name, code, text in reversed(new):
            more = sum(code == other for _, other, _ in new) - 1
            words = f"{text}{f', and {more} more are like it' if more else ''}"
            self.problems[code] = f"snapshot {name}: {words}; nothing is copied until somebody has looked"
        rows = [status.row(each, verdict="forged" if doubts[each.id] else "ok") for each in found]
        self.told["inbox"] = {**self.told["inbox"], "snapshots": rows}
        return [each for each in found if not doubts[each.id]]

    def check_inbox(self, inbox, folder):
        """Read all data of the inbox, unless nothing changed since that was done today."""
        checked, marks = self.known["inbox"]["checked"], status.fingerprint(folder)
        if marks != self.memory["looked"] or self.older(checked["at"]):
            for _ in range(TRIES):
                done = inbox.check("--read-data", "--no-lock")
                marks, before = status.fingerprint(folder), marks
                if done.ok or marks == before:
                    break
            self.memory["looked"] = before
            checked = {"at": status.text_of(self.clock()), "ok": done.ok, "text": done.text}
        self.told["inbox"] = {**self.told["inbox"], "checked": checked}
        if not checked["ok"]:
            self.problems["inbox_damaged"] = f"the inbox does not check: {checked['text']}"


class OffSite(Job):
    """A round of an off-site store: from the vault of the site into one of its own, under another password.

    It holds what the site holds. What the site no longer has is forgotten only where the retention, by the instants at
    which this store saw the snapshots, agrees: a site in other hands makes it forget nothing that is to be kept.
    """

    def __init__(self, place, site):
        super().__init__(place)
        self.source = site
        self.told["inbox"] = None

    def look_at_source(self):
        """Read what the site holds."""
        found, done = self.source.snapshots()
        self.inbox = [replace(each, id=each.id, arrived=self.now) for each in found]
        if not done.ok:
            self.problems["source_unreachable"] = f"the vault of the site cannot be read: {done.text}"

    def list_vault(self):
        """Read the vault; the instants are those of this store alone."""
        offered, self.inbox = self.inbox, []
        super().list_vault()
        self.inbox = offered

    def wanted(self):
        """Return what the site has and this store lacks."""
        there = {each.source for each in self.vault}
        return [each for each in self.inbox if each.source not in there]

    def unwanted(self):
        """Return the ids of what neither the site nor the retention here wants."""
        offered = {each.source for each in self.inbox}
        stay = retained(self.vault, self.place.keep, self.now)
        return [each.id for each in self.vault if each.source not in offered and each.id not in stay]

    def part(self):
        """All data is read each time."""
        return ("--read-data",), "all"


def let_read(vault, reader):
    """Let a group read a vault, and not write to it."""
    import grp

    group = grp.getgrnam(reader).gr_gid
    for folder, _, names in os.walk(vault):
        os.chown(folder, 0, group)
        Path(folder).chmod(0o2750)
        for name in names:
            os.chown(Path(folder, name), 0, group)
            Path(folder, name).chmod(0o440)
