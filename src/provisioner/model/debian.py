"""What Debian writes: the forms of names and versions, and the order of versions (Debian Policy 5.6.1 and 5.6.12)."""

from __future__ import annotations

import re
from functools import lru_cache

PACKAGE = re.compile("[a-z0-9][a-z0-9+.-]{1,127}")
"""The name of a package, binary or source, or of an architecture."""

VERSION = re.compile("[A-Za-z0-9.+:~-]{1,128}")
RELEASE = re.compile("[a-z][a-z0-9-]{0,31}")
"""The codename of a release, such as bookworm."""

_PARTS = re.compile("([^0-9]*)([0-9]*)")
_END = 0
"""Where a part has no further character: a tilde sorts before it, anything else after it."""

VersionKey = tuple[int, tuple[object, ...], tuple[object, ...]]


@lru_cache(maxsize=65_536)
def version_key(version: str) -> VersionKey:
    """Given a version of Debian's form, return what sorts as dpkg sorts it; an epoch that is no number counts as none.

    Digits compare as numbers; other characters by letters before the rest, a tilde before even the end of a part.
    """
    epoch, colon, rest = version.partition(":")
    upstream, _, revision = (rest if colon else version).rpartition("-")
    if not upstream:
        upstream, revision = revision, ""
    return int(epoch) if colon and epoch.isdecimal() else 0, _key(upstream), _key(revision)


def _key(part: str) -> tuple[object, ...]:
    found = _PARTS.findall(part or "0")[:-1]  # the last match is the empty one at the end
    return (*(((*map(_order, text), _END), int(digits or "0")) for text, digits in found), ((_END,), 0))


def _order(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
