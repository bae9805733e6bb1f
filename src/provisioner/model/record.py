"""Record: everything that happened at a client, as one value. What `terms` measures a contract by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.model.service_event import AssetEvent, BackupStatus, Drill, Figure, Scan, TicketEvent


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a source of performance figures gave, or `reason`: why it gave none."""

    values: tuple[Figure, ...] = ()
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Record:
    """Events by kind, each in the order in which they were read; `figures` by the `source` of their objective.

    `origin` is what messages put before a place: the name of a file, or of a log. `notes` are sentences about what was
    passed over.
    """

    origin: str
    tickets: tuple[TicketEvent, ...] = ()
    assets: tuple[AssetEvent, ...] = ()
    scans: tuple[Scan, ...] = ()
    backups: tuple[BackupStatus, ...] = ()
    drills: tuple[Drill, ...] = ()
    figures: Mapping[str, Figures] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Membership:
    """Which groups each asset is in, parents included; None when nobody knows, and all are taken as in every group."""

    groups: Mapping[str, frozenset[str]] | None

    def in_any(self, asset: str, wanted: frozenset[str]) -> bool:
        """Whether the asset is in one of the groups; an asset that is in no inventory is in none."""
        return self.groups is None or bool(self.groups.get(asset, frozenset()) & wanted)
