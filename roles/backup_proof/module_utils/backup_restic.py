# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Read a restic repository and restore from it: restic 0.14 (Debian 12) to 0.18 (Debian 13).

Nothing is read from a cache: what is proven is what the repository holds. A restore goes into an empty place and is
verified, since restic can lose hard links in one that is not empty and say nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from ansible.module_utils.backup_manifest import digest, entries, header

EARLY, LATE = timedelta(seconds=120), timedelta(hours=24)
"""How far the time of a snapshot may be after its arrival, and before it."""

SPARE = 64 << 20
"""Bytes that stay free on the file system of a restore."""

MOST = 256 << 20
"""Bytes of restic's answer that are kept: a list of snapshots, an index."""

AT_ONCE = 500
"""How many paths one call of restic is given."""


class Red(Exception):
    """Why a backup is not proven: a code, and a sentence."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code, self.text = code, text


KNOWN = (
    (r"wrong password|no key found", "wrong_password"),
    (r"already locked|unable to create lock", "locked"),
    (r"no space left on device|disk quota exceeded", "disk_full"),
    (r"unable to open config file|Is there a repository|repository does not exist", "no_repository"),
)


class Repository:
    """A repository, the file of its password, a folder for restic's own files, and when to give up (monotonic).

    `options` are restic's, each `NAME=VALUE`: how it is reached where it is no folder of this machine.
    """

    def __init__(self, place, password_file, *, scratch, deadline, options=()):
        self.place, self.password_file = place, password_file
        self.options = [word for option in options for word in ("-o", option)]
        self.scratch, self.deadline = scratch, deadline
        self.version = tuple(int(part) for part in re.findall("[0-9]+", self.run("version"))[:2])

    @property
    def sparse(self):
        """Whether this restic can make holes again (0.15)."""
        return self.version >= (0, 15)

    def run(self, *words, into=None):
        """Run restic and return what it said; `into` is a file for its output. Raise Red when it fails or is late."""
        command = ["restic", "--no-cache", "-r", self.place, "-p", self.password_file, *self.options, *words]
        if time.monotonic() >= self.deadline:
            raise Red("overrun", f"the time limit was over before restic {words[0]}")
        code, late = 0, False
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "TMPDIR": self.scratch, "LC_ALL": "C.UTF-8"}
        with open(into or os.devnull, "wb") as file:
            try:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=file if into else subprocess.PIPE,
                    stderr=subprocess.PIPE, env=environment, start_new_session=True, cwd="/",
                )  # fmt: skip
            except FileNotFoundError:
                raise Red("no_restic", "restic is not installed here") from None
            said, complaints = _Heard(process.stdout, MOST), _Heard(process.stderr, 1 << 16)
            try:
                code = process.wait(max(self.deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                late = True
            finally:
                _end(process)
        if late:
            # What is ended while it takes its lock leaves it: restic removes locks of dead processes of this machine.
            unlock = [*command[: -len(words)], "unlock"]
            subprocess.run(unlock, capture_output=True, timeout=120, check=False, env=environment)
            raise Red("overrun", f"the time limit was over; restic {words[0]} was ended")
        if code:
            raise _red(words[0], code, complaints.text())
        return said.text()

    def snapshots(self):
        """Every snapshot, oldest first, each with its instant under `at`."""
        found = json.loads(self.run("snapshots", "--json") or "null") or []
        return sorted(({**one, "at": instant(one["time"])} for one in found), key=lambda one: one["at"])

    def restore(self, snapshot, target, paths=None):
        """Restore a snapshot, or some paths of it, into a place that is empty or not there, and verify it.

        Return the folder under which each of the paths is, by its bytes: restic is not given all of many at once.
        """
        if os.path.lexists(target) and os.listdir(target):
            raise Red("not_empty", f"{target} is not empty")
        os.makedirs(target, mode=0o700, exist_ok=True)
        holes = ["--sparse"] if self.sparse else []
        if paths is None:
            self.run("restore", snapshot, "--target", target, "--verify", *holes)
            return {}
        roots = {}
        for number, first in enumerate(range(0, len(paths), AT_ONCE)):
            part, place = paths[first : first + AT_ONCE], os.path.join(target, f"part-{number}")
            words = [word for path in part for word in ("--include", os.fsdecode(literal(path)))]
            self.run("restore", snapshot, "--target", place, "--verify", *holes, *words)
            os.makedirs(place, mode=0o700, exist_ok=True)  # restic makes none where it found nothing to restore
            roots |= dict.fromkeys(part, os.fsencode(place))
        return roots


@contextmanager
def alone(lock, deadline):
    """Hold a file's lock (empty: none) while the block lasts: a store's own jobs hold it while they work on a vault."""
    if not lock:
        yield
        return
    with open(lock, "a", encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Red("locked", f"another job had {lock} until the time limit was over") from None
                time.sleep(0.2)
        yield


class _Heard:
    """What a program says, kept in memory up to a limit: a disk that is full loses no complaint."""

    def __init__(self, stream, most):
        self.stream, self.most, self.kept = stream, most, bytearray()
        self.thread = threading.Thread(target=self._hear, daemon=True)
        self.thread.start()

    def _hear(self):
        if self.stream:
            with self.stream:
                for block in iter(lambda: self.stream.read1(1 << 16), b""):
                    self.kept += block[: self.most - len(self.kept)]

    def text(self):
        """All of it, once the program has ended."""
        self.thread.join()
        return self.kept.decode("utf-8", "replace")


def _end(process):
    """Let restic remove its lock: SIGINT first, then an end of it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _red(word, code, complaint):
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    for pattern, reason in KNOWN:
        for line in lines:
            if re.search(pattern, line, re.IGNORECASE):
                return Red(reason, f"restic {word} ended with {code}: {line[:300]}")
    last = next((line for line in reversed(lines) if "There were" not in line), "no reason given")
    return Red("damaged" if word in ("restore", "dump") else "restic", f"restic {word} ended with {code}: {last[:300]}")


def literal(path):
    """Given the bytes of a path, return the pattern of restic that matches it alone (Go's filepath.Match)."""
    return re.sub(rb"([\\*?\[\]])", rb"\\\1", path)


def instant(text):
    """Given an instant of RFC 3339 with up to nanoseconds, return it in UTC."""
    cut = re.sub(r"(\.\d{1,6})\d*", r"\1", text).replace("Z", "+00:00")
    found = datetime.fromisoformat(cut)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def choose(snapshots, wanted=""):
    """Given the snapshots and the beginning of an id (default: the newest), return the one and that of its manifest."""
    saved = [one for one in snapshots if "manifest" not in (one.get("tags") or ())]
    if wanted:
        named = [one for one in saved if one["id"].startswith(wanted) or (one.get("original") or "").startswith(wanted)]
    else:
        named = saved[-1:]
    if len(named) != 1:
        raise Red("no_snapshot", f"{len(named)} snapshots are called {wanted}" if wanted else "there is no snapshot")
    run = {tag for tag in named[0].get("tags") or () if tag.startswith("run:")}
    manifests = [one for one in snapshots if "manifest" in (one.get("tags") or ()) and run & set(one["tags"])]
    if not manifests:
        raise Red("no_manifest", f"snapshot {named[0]['id'][:8]} has no manifest: it cannot be compared")
    return named[0], manifests[-1]


def refuse_forged(snapshots, *, now, arrivals, folder=""):
    """Raise Red where the time of a snapshot cannot be true.

    `arrivals` are the instants at which the store saw snapshots, by their id here or before they were copied;
    `folder` is that of the repository where it is one of this machine.
    """
    for one in snapshots:
        arrived = arrivals.get(one["id"]) or arrivals.get(one.get("original") or "")
        latest = arrived or _written(folder, one["id"]) or now
        if one["at"] - latest > EARLY or (arrived and arrived - one["at"] > LATE):
            says, was = f"{one['at']:%Y-%m-%dT%H:%M:%SZ}", f"{latest:%Y-%m-%dT%H:%M:%SZ}"
            raise Red("forged_time", f"snapshot {one['id'][:8]} says {says}, and was here at {was}")


def _written(folder, name):
    try:
        return datetime.fromtimestamp(os.stat(os.path.join(folder, "snapshots", name)).st_mtime, UTC)
    except OSError:
        return None


def fetch_manifest(repository, chosen, file, *, known=""):
    """Write the manifest of a snapshot into `file` and return its digest; raise Red when it is not the `known` one."""
    paths = chosen.get("paths") or [""]
    repository.run("dump", chosen["id"], paths[0], into=file)
    found = digest(file)
    if known and found != known:
        raise Red("manifest_changed", f"the manifest in the repository is {found}, and the log has {known}")
    header(file)
    return found


def sampled(share, seed):
    """Given a share in 0..1 and a text, return what says of an entry whether it is in the sample: files only."""
    limit = int(share * 2**64)

    def wanted(entry):
        drawn = hashlib.sha256(f"{seed}\n{entry['p']}".encode()).digest()[:8]
        return entry["t"] == "file" and int.from_bytes(drawn, "big") < limit

    return wanted


def need(manifest, *, sparse, wanted=None):
    """Bytes that a restore takes: an object of several names once, in whole blocks; holes too, if not sparse."""
    total, seen = 0, set()
    for entry in entries(manifest):
        group = entry.get("k")
        if (wanted is None or wanted(entry)) and group not in seen:
            size = entry["s"] if entry["t"] == "file" and not (sparse and entry.get("z")) else 0
            total += -(-size // 4096) * 4096 + 512
            seen |= {group} if group is not None else set()
    return total


def refuse_small(folder, bytes_needed):
    """Raise Red when a file system has no room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if free < bytes_needed + SPARE:
        raise Red("disk_full", f"{folder} has {free} bytes free, {bytes_needed + SPARE} are needed")
