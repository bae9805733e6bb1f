"""The patch level of one machine: what is installed, what waits, and whether it is fit to be changed. Evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Update:
    """One pending update: versions as dpkg writes them, the origin of the candidate (`Debian-Security:12/...`).

    `sha256` is the digest, hex, of the candidate's file as the repository's index names it, empty where it names none.
    """

    package: str
    architecture: str
    installed: str
    candidate: str
    origin: str
    security: bool
    phased: bool = False
    held: bool = False
    sha256: str = ""
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class PatchLevel:
    """What role `patch_level` read on one machine at `at` (POSIX seconds, the machine's own word for its lists' age).

    `boot` is the boot identity: boot id, a space, the start time of PID 1 in clock ticks. `broken` are packages that
    dpkg left half done. `reboot` names why a restart is needed, empty when it is not. `free` is free bytes by mount
    point. `deferred` names what speaks against work now: `battery`, `user_session`. `lists_age` is the age of the
    package lists in seconds, None where there are none.
    """

    at: int
    family: str
    release: str
    boot: str
    updates: tuple[Update, ...] = ()
    broken: tuple[str, ...] = ()
    reboot: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    failed_services: tuple[str, ...] = ()
    free: Mapping[str, int] = field(default_factory=dict)
    deferred: tuple[str, ...] = ()
    lists_age: int | None = None
    installed: Mapping[str, str] = field(default_factory=dict)
