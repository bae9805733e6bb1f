"""The pool of a client: files of packages on the controller, each named by the SHA-256 of its content."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FILE = re.compile(r"[0-9a-f]{64}\.deb")


def keep_only(pool: Path, digests: frozenset[str]) -> None:
    """Remove the files of packages but these digests; what is no file of a pool stays, and a pool that is not there."""
    for path in sorted(pool.glob("*.deb")):
        if _FILE.fullmatch(path.name) and path.stem not in digests:
            path.unlink(missing_ok=True)
