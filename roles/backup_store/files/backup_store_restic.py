# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""restic, as a store uses it: versions 0.14 and 0.18. Standard library only.

An inbox is read without a lock: its agent may leave locks, or remove ours, and nothing of an inbox is ever removed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from backup_store_rules import Snapshot, instant

LONGEST_SECONDS = 6 * 3600
LONGEST_TEXT = 300
TELLING = re.compile(r"Fatal|error|not match|damage|no space|locked|password|missing|invalid|not found", re.IGNORECASE)
LOCKED = re.compile(r"already locked", re.IGNORECASE)
FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)


@dataclass(frozen=True)
class Outcome:
    """How a program ended, and what it said on both streams."""

    code: int
    output: str
    errors: str

    @property
    def ok(self):
        """Whether it ended well."""
        return self.code == 0

    @property
    def locked(self):
        """Whether another program has the repository locked: nothing is said about the repository."""
        return not self.ok and (self.code == 11 or bool(LOCKED.search(self.errors)))

    @property
    def full(self):
        """Whether it failed for want of room."""
        return not self.ok and bool(FULL.search(self.errors + self.output))

    @property
    def text(self):
        """Return what it complained of, on one line; nothing when all was well."""
        if self.ok:
            return ""
        lines = [line.strip() for line in (self.errors + "\n" + self.output).splitlines() if line.strip()]
        telling = [line for line in lines if TELLING.search(line)] or lines or [f"it said nothing ({self.code})"]
        return "".join(letter if letter.isprintable() else "?" for letter in "; ".join(telling[:3]))[:LONGEST_TEXT]


def run(*command):
    """Run a program and return how it ended; one that lasts too long is stopped, which is a failure of its own."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TMPDIR": os.environ.get("TMPDIR", "/tmp")}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        try:
            said = process.communicate(timeout=LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            said = (b"", b"error: it did not end within %d s" % LONGEST_SECONDS)
        return Outcome(process.wait(), *(stream.decode(errors="replace") for stream in said))


@dataclass(frozen=True)
class Repository:
    """A restic repository: `place` is a folder, or what restic takes with `options`: ("-o", "rclone.program=…")."""

    place: str
    password: Path
    options: tuple[str, ...] = ()

    @property
    def exists(self):
        """Whether a folder holds a repository."""
        return Path(self.place, "config").is_file()

    def call(self, *words):
        """Run restic on it, without a cache: a cache would outlive what it was made of."""
        with_password = ("-r", self.place, "--password-file", str(self.password))
        return run("restic", *self.options, *with_password, "--no-cache", *words)

    def snapshots(self):
        """Return (snapshots, outcome); `arrived` is when the snapshot's file was written here, in whole seconds."""
        done = self.call("snapshots", "--json", "--no-lock")
        try:
            listed = json.loads(done.output) or [] if done.ok else []
            return [self._snapshot(each) for each in listed], done
        except (ValueError, KeyError, TypeError, OSError) as problem:
            return [], Outcome(1, "", f"error: its snapshots cannot be read: {problem!r}")

    def _snapshot(self, told):
        file = Path(self.place, "snapshots", told["id"])
        written = int(file.stat().st_mtime) if file.is_file() else 0
        arrived = datetime.fromtimestamp(written, UTC)
        tags = tuple(map(str, told.get("tags") or ()))
        return Snapshot(told["id"], instant(told["time"]), arrived, tags, told.get("original") or "")

    def copy_from(self, source, ids):
        """Copy snapshots of another repository. Every piece is decrypted, its digest compared, and encrypted anew."""
        return self.call(*source.options, *self._from(source), "--no-lock", "copy", *ids)

    def begin(self, source):
        """Make the repository, cutting files as the source does: what is the same in both is stored once."""
        Path(self.place).mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.call(*source.options, *self._from(source), "init", "--copy-chunker-params")

    def _from(self, source):
        return ("--from-repo", source.place, "--from-password-file", str(source.password))

    def check(self, *words):
        """Check its structure, and with `words` its data."""
        return self.call("check", *words)

    def forget(self, ids):
        """Forget snapshots by id, and what nothing else holds."""
        return self.call("forget", "--prune", *ids)

    def unlock(self):
        """Remove locks of programs of this machine that are dead, and locks that are older than 30 minutes."""
        return self.call("unlock")
