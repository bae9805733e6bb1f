"""Patch level: what updates a machine waits for, and whether work on its packages can begin, as one scan read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class PendingUpdate(NamedTuple):
    """One update that is offered. `source` and the two source versions are those of Debian's source package.

    `kept` says why it would not be taken (`held`, `phased`, `removal`, `dependencies`), else empty; `undo` whether the
    installed version can be had again. `before` is what is installed, `version` what is offered.
    """

    name: str
    architecture: str
    before: str
    version: str
    sha256: str
    origin: str
    security: bool
    kept: str
    source: str
    source_before: str
    source_version: str
    undo: bool


@dataclass(frozen=True, kw_only=True)
class PatchLevel:
    """One reading of one machine. `release` is the codename of its distribution, such as bookworm.

    `restart` has the reasons for which a restart is due, `boot` the identity of the boot, `stale_services` those that
    still run on files from before an update, `free_mib` the free space by mount point, `session` who is at the machine
    now (empty: nobody), as a kind and never a name. `left_out` counts updates that it told of and that are not in
    `pending`: not of Debian's form, or beyond what is read.
    """

    release: str
    boot: str
    pending: tuple[PendingUpdate, ...] = ()
    restart: tuple[str, ...] = ()
    failed_units: tuple[str, ...] = ()
    stale_services: tuple[str, ...] = ()
    free_mib: Mapping[str, int] = field(default_factory=dict)
    interrupted: bool = False
    on_battery: bool = False
    session: str = ""
    left_out: int = 0
