"""Base64 as formats for evidence want it: one text for one sequence of bytes (RFC 4648, sections 3.5 and 4)."""

from __future__ import annotations

import base64
import hashlib


def to_base64(data: bytes) -> str:
    """Return the bytes in base64, padded, on one line."""
    return base64.b64encode(data).decode()


def from_base64(text: object) -> bytes:
    """Return the bytes whose `to_base64` is exactly `text`; none at all where it is of no bytes."""
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:  # binascii.Error is one
        return b""
    return data if to_base64(data) == text else b""


def fingerprint(blob: bytes) -> str:
    """Given the bytes of a key (or of a certificate), return `SHA256:…` as `ssh-keygen -l` prints it."""
    return "SHA256:" + to_base64(hashlib.sha256(blob).digest()).rstrip("=")
