"""Backups: the longest gap between snapshots, the longest restore drill, the longest time between drills."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from provisioner.model.sentence import Sentence
from provisioner.model.values import Duration
from provisioner.terms.days import midnight, step
from provisioner.terms.objectives.promise import day_in
from provisioner.terms.term import ONE_DAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.model.measurement import Measurement
    from provisioner.terms.objectives.known import Known
    from provisioner.terms.objectives.promise import Promise


def backup_rpo(promise: Promise, known: Known) -> Iterator[Measurement]:
    """Yield a measurement for each asset: the longest gap between its snapshots, in whatever store they are.

    The gaps are those that end in the month, wherever they begin, and the one that is open at its end or at `as_of`.
    Before the first snapshot nothing is known. Without any snapshot there is one measurement for the group. A store of
    the contract is none of them: what it holds is not saved elsewhere by this mission.
    """
    backup = promise.terms.missions.backup
    stores = backup.every_store if backup else ()
    members = tuple(asset for asset in known.members(promise) if asset not in stores)
    if not any(backup.at < promise.end for asset in members for backup in known.backups.get(asset, ())[:1]):
        said = "no snapshot in {month} or before: the mission backup records them"
        yield promise.without(Sentence(said, month=promise.month))
        return
    for asset in members:
        found = [backup for backup in known.backups.get(asset, ()) if backup.at < promise.end]
        if not found:
            said = "no snapshot of {asset} in {month} or before: the mission backup records them"
            yield promise.without(Sentence(said, asset=asset, month=promise.month), asset=asset)
            continue
        first = max((i for i, backup in enumerate(found) if backup.at < promise.start), default=0)
        found = found[first:]
        ends = pairwise([*(backup.at for backup in found), promise.until])
        worst = max(promise.service.elapsed(before, after) for before, after in ends)
        yield promise.judge(
            kept=worst <= promise.limit,
            asset=asset,
            elapsed_seconds=worst,
            target_seconds=promise.limit - promise.objective.grace.seconds,
            places=tuple(sorted(backup.place for backup in found)),
        )


def restore_rto(promise: Promise, known: Known) -> Iterator[Measurement]:
    """Yield the one measurement of the group: the longest full drill that ended in the month.

    A drill that did not pass restored nothing, however soon it ended: the promise is not kept. A sample says how fast
    bytes come back, and nothing of how long the whole takes: with samples alone the promise is not evaluable.
    """
    drills = [
        drill
        for asset in known.members(promise)
        for drill in known.drills.get(asset, ())
        if promise.start <= drill.ended < promise.end
    ]
    if not drills:
        said = "no restore drill in {month}: the mission backup records them"
        yield promise.without(Sentence(said, month=promise.month))
        return
    full = [drill for drill in drills if drill.full]
    if not full:
        yield promise.without(Sentence("sampled: no full restore drill in {month}", month=promise.month))
        return
    worst = max(promise.service.elapsed(drill.at, drill.ended) for drill in full)
    yield promise.judge(
        kept=worst <= promise.limit and all(drill.passed for drill in full),
        elapsed_seconds=worst,
        target_seconds=promise.limit - promise.objective.grace.seconds,
        places=tuple(sorted(drill.place for drill in full)),
    )


def drill_cadence(promise: Promise, known: Known) -> Iterator[Measurement]:
    """Yield the one measurement of the group: the longest time between drills that passed, the open one included.

    A target in months is counted from the day of a drill (rule 1); a drill on the last day is in time.
    """
    drills = sorted(
        (drill.ended, drill.place)
        for asset in known.members(promise)
        for drill in known.drills.get(asset, ())
        if drill.passed and drill.ended < promise.end
    )
    if not drills:
        said = "no restore drill passed in {month} or before: the mission backup records them"
        yield promise.without(Sentence(said, month=promise.month))
        return
    first = max((i for i, (ended, _) in enumerate(drills) if ended < promise.start), default=0)
    drills = drills[first:]
    gaps = list(pairwise([*(ended for ended, _ in drills), promise.until]))
    target = promise.objective.target
    assert isinstance(target, Duration)
    yield promise.judge(
        kept=not any(_too_long(promise, before, after) for before, after in gaps),
        elapsed_seconds=max(promise.service.elapsed(before, after) for before, after in gaps),
        target_seconds=target.seconds if target.unit != "mo" else None,
        places=tuple(sorted(place for _, place in drills)),
    )


def _too_long(promise: Promise, before: int, after: int) -> bool:
    target, grace = promise.objective.target, promise.objective.grace.seconds
    assert isinstance(target, Duration)
    if target.unit != "mo":
        return promise.service.elapsed(before, after) > promise.limit
    zone = ZoneInfo(promise.terms.timezone or "UTC")
    last = step(day_in(before, zone), target, 1)
    return promise.service.elapsed(midnight(last + ONE_DAY, zone), after) > grace
