# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Canary files: whoever knows the seed knows every byte of them, without having seen this machine.

Block i of a content is SHA-256(seed NUL name NUL counter NUL i), the numbers in decimal; contents are cut to their
size. A new counter each run makes them differ, so an old snapshot cannot pass for a new one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from contextlib import suppress

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
HARD_LINK, LINKS_TO = b"hard-link-2", b"hard-link-1"
SYMLINK, POINTS_TO = b"symbolic-link", b"with spaces "
HOLE = 1 << 20
"""Bytes of nothing before the content of `sparse`."""
ATTRIBUTE = b"user.provisioner"
"""The extended attribute of `extended-attribute`; its value is the content of that name, 32 bytes of it."""


def stream(seed, name, *, counter, size):
    """Given a seed and a name as bytes, return `size` bytes."""
    start = b"\0".join((seed, name, b"%d" % counter, b""))
    blocks = (hashlib.sha256(start + b"%d" % index).digest() for index in range(-(-size // 32)))
    return b"".join(blocks)[:size]


def expected(seed, counter):
    """Return {name: content} of every canary that is a file of its own or the second name of one."""
    found = {name: stream(seed, name, counter=counter, size=size) for name, size in SIZES.items()}
    found[b"sparse"] = bytes(HOLE) + found[b"sparse"]
    return {**found, HARD_LINK: found[LINKS_TO]}


def write(folder, seed, *, counter):
    """Make the folder anew with all canaries of a run in it."""
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    base = os.fsencode(folder)
    for name, text in expected(seed, counter).items():
        where = base + b"/" + name
        if name == HARD_LINK:
            os.link(base + b"/" + LINKS_TO, where)
            continue
        with open(where, "xb") as handle:
            if name == b"sparse":
                handle.seek(HOLE)
                text = text[HOLE:]
            handle.write(text)
    os.symlink(POINTS_TO, base + b"/" + SYMLINK)
    value = stream(seed, b"extended-attribute", counter=counter, size=32)
    try:
        os.setxattr(base + b"/extended-attribute", ATTRIBUTE, value)
    except OSError as problem:
        # A file system without extended attributes has none, and the manifest says so.
        if problem.errno != errno.ENOTSUP:
            raise
