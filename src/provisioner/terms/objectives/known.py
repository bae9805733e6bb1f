"""Known: a record as far as an instant lets us know it, by asset; what the results by month read."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from provisioner.model.sentence import Sentence
from provisioner.model.service_event import AssetEventKind
from provisioner.terms.ticket_state import Contradiction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from provisioner.model.record import Figures, Membership, Record
    from provisioner.model.service_event import AssetEvent, BackupStatus, Drill, Scan
    from provisioner.terms.objectives.promise import Promise


class _OfAsset(Protocol):
    @property
    def asset(self) -> str: ...


_T = TypeVar("_T", bound=_OfAsset)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What happened up to an instant: by asset, each in order of time. `named` says when an asset was first heard of.

    `maintenance` is what was agreed, that is recorded before it began (rule 11); `late` is the rest.
    """

    membership: Membership
    named: Mapping[str, int]
    statuses: Mapping[str, Sequence[AssetEvent]]
    maintenance: Mapping[str, Sequence[AssetEvent]]
    late: Sequence[AssetEvent]
    scans: Mapping[str, Sequence[Scan]]
    backups: Mapping[str, Sequence[BackupStatus]]
    drills: Mapping[str, Sequence[Drill]]
    figures: Mapping[str, Figures]

    def members(self, promise: Promise) -> tuple[str, ...]:
        """Return the assets that a promise is about: covered, and in its group; every one named where nobody knows."""
        groups = self.membership.groups
        there = groups if groups is not None else [asset for asset, at in self.named.items() if at < promise.end]
        wanted = promise.objective.group
        return tuple(
            sorted(
                asset
                for asset in there
                if self.membership.in_any(asset, frozenset(promise.terms.assets))
                and (wanted is None or self.membership.in_any(asset, frozenset({wanted})))
            )
        )


def known(record: Record, *, membership: Membership, as_of: int) -> Known:
    """Given a record, return what is known of it at an instant; later events are passed over unchecked.

    Raises Contradiction where the states of an asset are not in order of time (rule 6).
    """
    assets = [event for event in record.assets if event.at <= as_of]
    planned = [event for event in assets if event.kind is AssetEventKind.MAINTENANCE]
    scans = [scan for scan in record.scans if scan.at <= as_of]
    backups = [backup for backup in record.backups if backup.at <= as_of]
    drills = [drill for drill in record.drills if drill.ended <= as_of]
    named: dict[str, int] = {}
    for asset, at in _mentions(record):
        if at <= as_of:
            named[asset] = min(at, named.get(asset, at))
    return Known(
        membership=membership,
        named=named,
        statuses=_in_order([event for event in assets if event.kind is not AssetEventKind.MAINTENANCE]),
        maintenance=_by_asset(sorted((one for one in planned if one.recorded <= one.at), key=lambda one: one.at)),
        late=tuple(event for event in planned if event.recorded > event.at),
        scans=_by_asset(sorted(scans, key=lambda scan: scan.at)),
        backups=_by_asset(sorted(backups, key=lambda backup: backup.at)),
        drills=_by_asset(sorted(drills, key=lambda drill: drill.ended)),
        figures=record.figures,
    )


def _mentions(record: Record) -> Iterator[tuple[str, int]]:
    yield from ((event.asset, event.at) for event in record.tickets if event.asset is not None)
    yield from ((event.asset, event.at) for event in record.assets)
    yield from ((scan.asset, scan.at) for scan in record.scans)
    yield from ((backup.asset, backup.at) for backup in record.backups)
    yield from ((drill.asset, drill.ended) for drill in record.drills)


def _in_order(statuses: Iterable[AssetEvent]) -> Mapping[str, Sequence[AssetEvent]]:
    found = _by_asset(statuses)
    for asset, events in found.items():
        last = events[0]
        for event in events:
            if event.at < last.at:
                said = Sentence(
                    "{asset}: {kind} is before the event of the asset above it", asset=asset, kind=event.kind
                )
                raise Contradiction(event.place, said)
            last = event
    return found


def _by_asset(events: Iterable[_T]) -> Mapping[str, Sequence[_T]]:
    found: defaultdict[str, list[_T]] = defaultdict(list)
    for event in events:
        found[event.asset].append(event)
    return dict(found)
