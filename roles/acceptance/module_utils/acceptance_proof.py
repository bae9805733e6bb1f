# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Readers for backup_proof, backup_drill, backup_probe and backup_restore. Standard library only."""

from __future__ import annotations

import os
import re

from ansible.module_utils.acceptance_rows import compare, output, row


def proof_program(check):
    """A program is at least of a version, by its own word."""
    word = "version" if check["program"] == "restic" else "--version"
    said = re.search(r"(\d+)\.(\d+)", output(check["program"], word))
    version = [int(part) for part in said.groups()] if said else []
    found = ".".join(map(str, version)) or "absent"
    yield row(check["name"], check["asked"], found, ok=version >= list(check["least"]))


def proof_told(check):
    """What a proof came to, by its own word: it has no state that could be read again."""
    yield compare(check["name"], check["asked"], check["said"] or "nothing")


def nothing_left(check):
    """Nothing of a drill is left where it restored."""
    yield compare(check["name"], "nothing left", "something left" if os.path.lexists(check["path"]) else "nothing left")


def paths_there(check):
    """Each path that was restored is where it belongs."""
    for path in check["asked"]:
        place = check["below"].rstrip("/") + path
        yield compare(f"{check['name']}: {place}", "there", "there" if os.path.lexists(place) else "absent")


READERS = {
    "nothing_left": nothing_left,
    "paths_there": paths_there,
    "proof_program": proof_program,
    "proof_told": proof_told,
}
