"""Patch age: how old the oldest missing update of an asset was, as scans found it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.model.sentence import Sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.model.measurement import Measurement
    from provisioner.terms.objectives.known import Known
    from provisioner.terms.objectives.promise import Promise


def patch_age(promise: Promise, known: Known) -> Iterator[Measurement]:
    """Yield a measurement for each asset: the worst age that a scan of the month saw, in time of the calendar.

    The age is that since the update was known, of whatever severity; an asset that lacks none has the age 0. Without
    any scan in the month there is one measurement for the group.
    """
    scans = {
        asset: [scan for scan in known.scans.get(asset, ()) if promise.start <= scan.at < promise.end]
        for asset in known.members(promise)
    }
    if not any(scans.values()):
        said = "no scan for updates in {month}: the mission software_updates records them"
        yield promise.without(Sentence(said, month=promise.month))
        return
    for asset, found in scans.items():
        if not found:
            said = "no scan of {asset} for updates in {month}: the mission software_updates records them"
            yield promise.without(Sentence(said, asset=asset, month=promise.month), asset=asset)
            continue
        worst = max(promise.service.elapsed(min(scan.oldest.values(), default=scan.at), scan.at) for scan in found)
        yield promise.judge(
            kept=worst <= promise.limit,
            asset=asset,
            elapsed_seconds=worst,
            target_seconds=promise.limit - promise.objective.grace.seconds,
            places=tuple(scan.place for scan in found),
        )
