"""Package: one piece of software of a machine, and the version that an update gives it."""

from __future__ import annotations

from typing import NamedTuple


class PackageChange(NamedTuple):
    """One package and the version it gets. `before` is what it had, empty where it is new.

    `architecture` is that of the package, `all` included; `sha256` the digest of its file, hex.
    """

    name: str
    architecture: str
    before: str
    version: str
    sha256: str
    security: bool
