# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""The status that a store writes of each agent, and what its files tell. Standard library only."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path

VERSION = 1


def text_of(at):
    """Return an aware instant as text: UTC, whole seconds; None for None."""
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def empty():
    """Return the status of an agent of which nothing is known."""
    checked = {"at": None, "ok": None, "text": ""}
    inbox = {"snapshots": [], "checked": checked, "bytes": 0, "quota_bytes": 0, "free_bytes": 0}
    vault = {"snapshots": [], "checked": {**checked, "subset": ""}, "copied_at": None, "bytes": 0}
    return {"v": VERSION, "at": None, "inbox": inbox, "vault": vault, "problems": []}


def read(path):
    """Return the status in a file, the empty one when there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if found.get("v") == VERSION else empty()
    except (OSError, ValueError, AttributeError):
        return empty()


def write(path, value):
    """Write a file as a whole or not at all, for root only."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(value, out, indent=1, sort_keys=True)
            out.write("\n")
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def problems_since(found, known, at):
    """Given problems as (code, text) and those known before, return them with the instant since which each is there."""
    before = {each["code"]: each["since"] for each in known}
    return [{"code": code, "text": text, "since": before.get(code, text_of(at))} for code, text in found]


def row(snapshot, **more):
    """Return a snapshot as the status shows it."""
    told = {"id": snapshot.id, "time": text_of(snapshot.time), "arrived": text_of(snapshot.arrived)}
    return {**told, "tags": list(snapshot.tags), **more}


def files(folder, *, without=()):
    """Yield (path below the folder, stat) of all files below it, links not followed, but those of some subfolders."""
    for inside, folders, names in os.walk(folder):
        if Path(inside) == Path(folder):
            folders[:] = [name for name in folders if name not in without]
        for name in names:
            path = Path(inside, name)
            with suppress(FileNotFoundError):
                yield str(path.relative_to(folder)), path.lstat()


def size(folder):
    """Return the bytes of all files below a folder."""
    return sum(stat.st_size for _, stat in files(folder))


def fingerprint(folder):
    """Return a digest that changes when a file of a repository is added, removed or written; its locks do not count."""
    told = sorted(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}\n"
                  for name, stat in files(folder, without=("locks",)))  # fmt: skip
    return hashlib.sha256("".join(told).encode(errors="surrogateescape")).hexdigest()
