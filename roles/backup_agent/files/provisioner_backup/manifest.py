# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""The form of manifest.jsonl: a first line about the run, then one object a line, in byte order of the paths.

A path, a link's target and the name of an extended attribute are bytes, percent-encoded as urllib.parse.quote does with
`/` left alone: any name a file system takes has a line, and the line has that name and no other.
"""

from __future__ import annotations

import json
import stat
from urllib.parse import quote, unquote_to_bytes

KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
}


def quoted(raw):
    """Given bytes, return them as text."""
    return quote(raw, safe="/")


def unquoted(text):
    """Given the text of quoted, return the bytes."""
    return unquote_to_bytes(text)


def line(row):
    """Given an object of JSON, return its line."""
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def header(run, *, counter, begun, paths):
    """Return the first line of a manifest."""
    return line({"v": 1, "run": run, "counter": counter, "begun": begun, "paths": list(paths)})


def read(handle):
    """Given a manifest that is open to read bytes, return its header and an iterator over its rows.

    Raises ValueError where a line is none.
    """
    head = json.loads(handle.readline())
    if head.get("v") != 1:
        raise ValueError(f"a manifest of form {head.get('v')!r}; this program knows form 1")
    return head, map(json.loads, handle)
