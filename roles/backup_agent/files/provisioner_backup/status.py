# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""How a run went: status.json for the controller, metrics for node_exporter, the lock that says whether it lasts."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from contextlib import contextmanager, suppress
from datetime import datetime

RESERVE = 64 << 10
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
STATES = ("completed", "incomplete", "failed")


class Busy(Exception):
    """Another run is under way."""


@contextmanager
def lock(places):
    """Hold the lock of the agent; raise Busy where another process does. It ends with the process."""
    places.work.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (places.work / "lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy from None
        yield


def last(places):
    """Return what status.json says, None where there is none or nothing legible.

    To be called under the lock: a run that still says `running` has ended without a word, so it is told as killed.
    """
    try:
        said = json.loads(places.status.read_bytes())
        if said["state"] == "running":
            said |= {"state": "failed", "reason": "killed", "text": "the run ended without a word"}
        return said if isinstance(said["counter"], int) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(places, said):
    """Write status.json, whole or not at all, and completed.json beside it where the run did.

    On a full file system the space that was kept for this is given back first.
    """
    text = json.dumps(said, indent=1, sort_keys=True, ensure_ascii=True) + "\n"
    targets = [places.completed, places.status] if said["state"] == "completed" else [places.status]
    for target in targets:
        try:
            put(target, text, places.work / "status.new")
        except OSError as problem:
            if problem.errno not in FULL:
                raise
            (places.work / "reserve").unlink(missing_ok=True)
            put(target, text, places.work / "status.new")


def put(target, text, fresh):
    """Write a text to `fresh` and put it in the place of `target`, durably."""
    with fresh.open("w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    fresh.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def reserve(places):
    """Keep some space, so that a run that fills the file system can still say so."""
    path = places.work / "reserve"
    if not path.exists():
        with path.open("wb") as handle:
            os.posix_fallocate(handle.fileno(), 0, RESERVE)


def seconds(text):
    """Given an instant as status.json writes it, or None, return it in seconds since 1970; 0 for None."""
    return int(datetime.fromisoformat(text).timestamp()) if text else 0


def metrics(said, completed):
    """Return what node_exporter shows of a run, and of the last one that completed (None where there is none)."""
    values = [
        ("last_run_timestamp_seconds", "When the last run ended.", seconds(said["ended"])),
        ("last_completed_timestamp_seconds", "When the last run ended that completed.",
         seconds(completed["ended"]) if completed else 0),
        ("duration_seconds", "How long the last run took.", said["seconds"]),
        ("files", "Files of the last run.", said["files"]),
        ("bytes", "Bytes of the last run.", said["bytes"]),
        ("added_bytes", "Bytes that the last run added to the store.", said["added"]),
        ("unreadable", "Objects that the last run could not read.", said["unreadable"]),
        ("missing_paths", "Configured paths that the last run could not back up.", len(said["missing"])),
    ]  # fmt: skip
    lines = []
    for name, words, value in values:
        full = f"provisioner_backup_{name}"
        lines += [f"# HELP {full} {words}", f"# TYPE {full} gauge", f"{full} {value}"]
    full = "provisioner_backup_state"
    lines += [f"# HELP {full} How the last run went.", f"# TYPE {full} gauge"]
    lines += [f'{full}{{state="{one}"}} {int(said["state"] == one)}' for one in STATES]
    return "\n".join(lines) + "\n"


def publish(places, said):
    """Write the metrics where node_exporter looks for them, if it is there at all."""
    if not places.metrics.is_dir():
        return
    completed = None
    with suppress(OSError, ValueError):
        completed = json.loads(places.completed.read_bytes())
    fresh = places.metrics / "provisioner_backup.prom.new"
    fresh.write_text(metrics(said, completed))
    fresh.chmod(0o644)
    fresh.replace(places.metrics / "provisioner_backup.prom")
