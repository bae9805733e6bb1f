# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""An immutability probe: with the agent's own key, try to remove and to overwrite what its store holds.

Each of these must be refused with 403 or 405, and the object be as it was. Locks must come and go, or restic cannot
work. It begins with an index, which can be made anew, stops at the first change that goes through, and puts the object
back from the copy that it had read before.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from datetime import UTC, datetime

from ansible.module_utils.backup_http2 import NoAnswer, ask

KINDS = ("index", "snapshots", "keys", "data", "config")
REFUSED = ("403", "405")
GARBAGE = b"not what was here before"


class Door:
    """The store's door: a command that speaks to it, and a time until which answers are waited for."""

    def __init__(self, command, deadline):
        self.command, self.deadline = command, deadline

    def __call__(self, method, path, body=b""):
        """Send one request and return its Answer; raise NoAnswer."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise NoAnswer("the time limit was over")
        return ask(self.command, method, path, body=body, seconds=min(left, 60))


def probe(command, seconds):
    """Given the command that speaks to the store, return what is to be told: `passed`, `reasons`, `text`, `tries`."""
    found = {"at": _stamp(), "passed": False, "full": True, "reasons": [], "text": "", "tries": []}
    door = Door(command, time.monotonic() + seconds)
    try:
        _locks(door, found)
        for kind in KINDS:
            if not found["reasons"]:
                _object(door, kind, found)
    except NoAnswer as error:
        found["reasons"], found["text"] = ["no_answer"], f"the store's door: {error}"
    found["ended"] = _stamp()
    found["passed"] = not found["reasons"]
    return found


def _stamp():
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _locks(door, found):
    path = f"/locks/{secrets.token_hex(32)}"
    made = door("POST", path, GARBAGE)
    there = door("GET", path)
    _note(found, "create_lock", True, made, there.status == 200 and there.body == GARBAGE)
    removed = door("DELETE", path)
    _note(found, "delete_lock", True, removed, door("GET", path).status == 404)
    if not all(one["changed"] for one in found["tries"]):
        found["reasons"], found["text"] = ["locks_refused"], "a lock cannot be made and removed: restic cannot work"


def _object(door, kind, found):
    path = _smallest(door, kind)
    before = door("GET", path)
    if before.status != 200 or not before.body:
        raise NoAnswer(f"{kind} cannot be read: {before.status}")
    for name, method, body in (("delete", "DELETE", b""), ("overwrite", "POST", GARBAGE), ("put", "PUT", GARBAGE)):
        answer = door(method, path, body)
        after = door("GET", path)
        changed = after.status != 200 or after.digest != before.digest
        _note(found, f"{name}_{kind}", False, answer, changed)
        if changed or str(answer.status) not in REFUSED:
            back = _put_back(door, path, before) if changed else "it is as it was"
            found["reasons"] = ["writable"]
            found["text"] = f"the store let the agent {name} one of {kind}, with {answer.status}; {back}"
            return


def _smallest(door, kind):
    """The path of the smallest object of a kind."""
    if kind == "config":
        return "/config"
    listed = door("GET", f"/{kind}/")
    rows = json.loads(listed.body) if listed.status == 200 else []
    rows = [row for row in rows or () if re.fullmatch("[0-9a-f]{64}", str(row.get("name"))) and row.get("size")]
    if not rows:
        raise NoAnswer(f"there is nothing in {kind} that could be tried: no backup was made yet")
    return f"/{kind}/{min(rows, key=lambda row: row['size'])['name']}"


def _put_back(door, path, before):
    """Put an object back as it was; say whether that went through."""
    for method, body in (("POST", before.body), ("DELETE", b""), ("POST", before.body)):
        if door("GET", path).digest == before.digest:
            break
        door(method, path, body)
    whole = door("GET", path).digest == before.digest
    return "it was put back" if whole else "IT COULD NOT BE PUT BACK: check the repository"


def _note(found, name, allowed, answer, changed):
    found["tries"].append({"name": name, "allowed": allowed, "answer": str(answer.status), "changed": changed})
