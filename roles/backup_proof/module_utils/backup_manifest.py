# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""The manifest of a backup: what every object was when it was saved, one JSON object a line.

The first line is the header, `{"v": 1, "run", "counter", "begun", "paths"}`. Each other line is an entry, its path in
percent-encoded bytes under `p`; the README of the role backup_agent says what the other keys are. A manifest was
written by a machine that may not be honest: nothing in it names a place outside the restored tree.
"""

from __future__ import annotations

import hashlib
import json
from urllib.parse import quote_from_bytes, unquote_to_bytes

KINDS = ("file", "dir", "symlink", "fifo", "socket", "char", "block")
NUMBERS = ("u", "g", "n")


class ManifestError(Exception):
    """What is wrong with a manifest, in one sentence with the line."""


def encoded(path):
    """Given the bytes of a path, return the text that a manifest has for it."""
    return quote_from_bytes(path, safe="/")


def decoded(text):
    """Given the text of a path, return its bytes; the inverse of `encoded`."""
    return unquote_to_bytes(text)


def digest(path):
    """SHA-256 of a manifest's file, hex: what the agent reported as `manifest`."""
    found = hashlib.sha256()
    with open(path, "rb") as lines:
        for block in iter(lambda: lines.read(1 << 20), b""):
            found.update(block)
    return found.hexdigest()


def header(path):
    """Given a manifest's file, return its header; raise ManifestError when there is none of version 1."""
    with open(path, "rb") as lines:
        first = _object(lines.readline(), 1)
    if first.get("v") != 1 or not isinstance(first.get("paths"), list):
        raise ManifestError("line 1: no header of a manifest of version 1")
    return first


def entries(path):
    """Given a manifest's file, yield its entries, each with the bytes of its path under `path`.

    Raises ManifestError for a line that is no entry, or whose path is not after that of the line before.
    """
    before = b""
    with open(path, "rb") as lines:
        lines.readline()
        for number, line in enumerate(lines, 2):
            entry = _entry(line, number)
            if entry["path"] <= before:
                raise ManifestError(f"line {number}: {entry['p']} is not in the order of bytes")
            before = entry["path"]
            yield entry


def _entry(line, number):
    entry = _object(line, number)
    kind, text = entry.get("t"), entry.get("p")
    if kind not in KINDS or not isinstance(text, str):
        raise ManifestError(f"line {number}: no path or no kind of object")
    path = decoded(text)
    if encoded(path) != text or not _plain(path):
        raise ManifestError(f"line {number}: {text[:200]} is no plain absolute path")
    numbers = NUMBERS + (("s",) if kind == "file" else ())
    if any(type(entry.get(key)) is not int for key in numbers) or not _octal(entry.get("m")):
        raise ManifestError(f"line {number}: {text[:200]}: mode, owner, size or time is missing")
    read = not entry.get("e") and not entry.get("w")
    if not isinstance(entry.get({"file": "h", "symlink": "l"}.get(kind, "p")), str) and read:
        raise ManifestError(f"line {number}: {text[:200]}: a {kind} without its digest or target")
    if not isinstance(entry.get("x", {}), dict):
        raise ManifestError(f"line {number}: {text[:200]}: attributes that are no object")
    entry["path"] = path
    return entry


def _object(line, number):
    try:
        found = json.loads(line.decode("utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict) or not line.endswith(b"\n"):
        raise ManifestError(f"line {number}: expected one JSON object and a line end")
    return found


def _plain(path):
    """Whether a path names one place below a root, whatever that root is."""
    return path.startswith(b"/") and b"\0" not in path and not {b"", b".", b".."} & set(path[1:].split(b"/"))


def _octal(text):
    return isinstance(text, str) and len(text) == 4 and set(text) <= set("01234567")
