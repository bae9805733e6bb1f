# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Damage a full copy of a repository in one way at a time: a drill of the copy must fail, else it proves nothing.

The copy is first drilled as it is: it must pass. The repository itself is read and never written; its digest before
and after says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta

from ansible.module_utils.backup_drilling import drill, empty_place, stamp
from ansible.module_utils.backup_restic import Red, Repository, alone, choose, refuse_small


def sabotage(order, kinds):
    """Given an order of a drill and the kinds of damage, return what is to be told; `passed` when each was noticed."""
    found = {"at": stamp(), "passed": False, "full": False, "reasons": [], "text": "", "sabotage": []}
    began = time.monotonic()
    try:
        with alone(order["lock"], began + order["seconds"]), empty_place(order["folder"]) as folder:
            os.chmod(folder, 0o711)  # the user of a PostgreSQL server that is made below must get through
            before = digest(order["repository"])
            refuse_small(folder, before["bytes"] * 2)
            control = _try(order, folder, "none", lambda *_: {})
            found["sabotage"].append(control | {"noticed": not control["passed"]})
            for kind in kinds if control["passed"] else ():
                tried = _try(order, folder, kind, DAMAGES[kind])
                found["sabotage"].append(tried | {"noticed": not tried["passed"]})
            found["untouched"] = digest(order["repository"]) == before
        _judge(found, control, kinds)
    except Red as red:
        found["reasons"], found["text"] = [red.code], red.text
    except OSError as error:
        found["reasons"], found["text"] = ["unreadable"], str(error)[:300]
    found["ended"] = stamp()
    found["passed"] = not found["reasons"]
    found["whole_ms"] = int((time.monotonic() - began) * 1000)
    return found


def _judge(found, control, kinds):
    unseen = [one["kind"] for one in found["sabotage"][1:] if not one["noticed"]]
    reasons = []
    if not control["passed"]:
        reasons.append(("control_failed", f"the copy fails before it was damaged: {control['text']}"))
    elif len(found["sabotage"]) != len(kinds) + 1 or unseen:
        reasons.append(("unnoticed", f"not noticed: {', '.join(unseen) or 'nothing was tried'}"))
    if not found["untouched"]:
        reasons.append(("touched", "the repository itself changed meanwhile: a job ran, or the sabotage reached it"))
    found["reasons"], found["text"] = [code for code, _ in reasons], "; ".join(text for _, text in reasons)


def _try(order, folder, kind, damage):
    """Drill a copy that was damaged in one way; return the kind, whether it passed, and why it did not."""
    copy, scratch = os.path.join(folder, "copy"), os.path.join(folder, "scratch")
    shutil.copytree(order["repository"], copy, symlinks=True)
    os.mkdir(scratch, 0o700)
    deadline = time.monotonic() + order["seconds"]
    try:
        repository = Repository(copy, order["password_file"], scratch=scratch, deadline=deadline)
        changed = damage(repository, order) or {}
        mine = {**order, "repository": copy, "folder": os.path.join(folder, "drill"), "share": 1, "lock": "", **changed}
        told = drill(mine)
    finally:
        shutil.rmtree(copy)
        shutil.rmtree(scratch)
    return {"kind": kind, "passed": told["passed"], "reasons": told["reasons"], "text": told["text"][:200]}


def digest(folder):
    """SHA-256 over every file of a folder but its locks, with its path, in order; and the bytes of them all."""
    total, size = hashlib.sha256(), 0
    for place, folders, files in os.walk(folder):
        folders.sort()
        if os.path.relpath(place, folder) == "locks":
            continue
        for name in sorted(files):
            path = os.path.join(place, name)
            one = hashlib.sha256()
            with open(path, "rb") as file:
                for block in iter(lambda: file.read(1 << 20), b""):
                    one.update(block)
                    size += len(block)
            total.update(f"{one.hexdigest()}  {os.path.relpath(path, folder)}\n".encode())
    return {"sha256": total.hexdigest(), "bytes": size}


def _needed(repository, order):
    """A pack that the snapshot needs, and where in it a blob of the snapshot lies: its place, offset and length."""
    saved, _ = choose(repository.snapshots(), order["snapshot"])
    blobs = _packed(repository)
    pending = [json.loads(repository.run("cat", "snapshot", saved["id"]))["tree"]]
    while pending:
        for node in json.loads(repository.run("cat", "blob", pending.pop())).get("nodes") or ():
            if node.get("content"):
                pack, offset, length = blobs[node["content"][0]]
                return os.path.join(repository.place, "data", pack[:2], pack), offset, length
            pending += [node["subtree"]] if node.get("subtree") else []
    raise Red("nothing_saved", "the snapshot has no file with content")


def _packed(repository):
    found = {}
    for name in repository.run("list", "index").split():
        for pack in json.loads(repository.run("cat", "index", name))["packs"]:
            found |= {blob["id"]: (pack["id"], blob["offset"], blob["length"]) for blob in pack["blobs"]}
    return found


def _pack_deleted(repository, order):
    os.unlink(_needed(repository, order)[0])


def _pack_truncated(repository, order):
    pack, offset, length = _needed(repository, order)
    os.chmod(pack, 0o600)
    os.truncate(pack, offset + length // 2)


def _bit_flipped(repository, order):
    pack, offset, length = _needed(repository, order)
    os.chmod(pack, 0o600)
    with open(pack, "r+b") as file:
        file.seek(offset + length // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 0b00010000]))


def _index_lost(repository, _order):
    folder = os.path.join(repository.place, "index")
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))


def _wrong_password(repository, _order):
    other = os.path.join(os.path.dirname(repository.place), "wrong_password")
    with open(other, "w", encoding="utf-8") as file:
        file.write("not the password\n")
    return {"password_file": other}


def _stale_lock(repository, _order):
    """Leave the lock of a restic that was killed while it had the repository for itself."""
    command = ["restic", "--no-cache", "-r", repository.place, "-p", repository.password_file, "check", "--read-data"]
    folder = os.path.join(repository.place, "locks")
    for _ in range(20):
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, env={"PATH": "/usr/bin:/bin", "TMPDIR": repository.scratch},
        ) as process:  # fmt: skip
            while process.poll() is None and not _locks(folder):
                time.sleep(0.002)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        if _locks(folder):
            return
    raise Red("no_lock", "no lock could be left behind")


def _locks(folder):
    """The locks that are written to the end: restic gives them their name then."""
    return [name for name in os.listdir(folder) if len(name) == 64]


def _forged_time(repository, order):
    """Add a snapshot from the day after tomorrow: the newest, if one believes it."""
    saved, described = choose(repository.snapshots(), order["snapshot"])
    later = datetime.now(UTC) + timedelta(days=2)
    for one in (described, saved):
        tags = [word for tag in one.get("tags") or ("forged",) for word in ("--tag", tag)]
        words = ["--time", f"{later.astimezone():%Y-%m-%d %H:%M:%S}", *tags, repository.password_file]
        repository.run("backup", *words)


DAMAGES = {
    "pack_deleted": _pack_deleted,
    "pack_truncated": _pack_truncated,
    "bit_flipped": _bit_flipped,
    "index_lost": _index_lost,
    "wrong_password": _wrong_password,
    "stale_lock": _stale_lock,
    "forged_time": _forged_time,
}
