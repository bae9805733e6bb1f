# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Canary files, computed again from their seed: their bytes are known without believing the machine or its manifest.

Their extended attribute is compared by the manifest, since a file system may have had none.

Block i of a content is SHA-256(seed NUL name NUL counter NUL i), the numbers in decimal; contents are cut to their
size (the README of the role backup_agent). The agent that writes them has a program of its own.
"""

from __future__ import annotations

import hashlib
import os
import stat

SIZES = {
    b"plain": 70_000,
    b"empty": 0,
    b"with spaces ": 33,
    "accents-é-ü-日本-🐤".encode(): 1_000,
    b"new\nline": 64,
    b"not-utf8-\xff\xfe": 65,
    b"hard-link-1": 500,
    b"extended-attribute": 10,
    b"sparse": 4_096,
}
HOLE = 1 << 20
SAME = (b"hard-link-1", b"hard-link-2")
LINK, TARGET = b"symbolic-link", b"with spaces "


def stream(seed, name, *, counter, size):
    """The first `size` bytes of a canary's content."""
    found, index = b"", 0
    while len(found) < size:
        found += hashlib.sha256(b"%s\0%s\0%d\0%d" % (seed, name, counter, index)).digest()
        index += 1
    return found[:size]


def check_canaries(place_of, seed, counter, agent_state):
    """Compare the canary files of a restored tree with what their seed gives.

    `place_of` says under which root a path was restored, `seed` is in hex, `counter` that of the run. Return how many
    are expected, missing and altered, and the names of these, percent-encoded.
    """
    found = {"expected": 0, "missing": 0, "altered": 0, "named": []}
    for name, same in _rows(bytes.fromhex(seed), counter):
        path = os.fsencode(agent_state) + b"/canary/" + name
        root = place_of(path)
        found["expected"] += 1
        if root is None or not os.path.lexists(root + path):
            found["missing"] += 1
        elif not same(root + path):
            found["altered"] += 1
        else:
            continue
        found["named"].append(name.hex())
    return found


def _rows(seed, counter):
    """Yield each canary's name, and what says of the place of it whether it is the same."""
    for name, size in SIZES.items():
        yield name, _holds(bytes(HOLE if name == b"sparse" else 0) + stream(seed, name, counter=counter, size=size))
    yield SAME[1], _is_twin(SAME[0])
    yield LINK, lambda place: os.path.islink(place) and os.readlink(place) == TARGET


def _holds(text):
    def same(place):
        if not stat.S_ISREG(os.lstat(place).st_mode):
            return False
        with open(place, "rb") as file:
            return file.read(len(text) + 1) == text

    return same


def _is_twin(first):
    def same(place):
        other = os.path.join(os.path.dirname(place), first)
        return os.path.lexists(other) and os.path.samestat(os.lstat(place), os.lstat(other))

    return same
