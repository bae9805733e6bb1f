"""Patch age: how old the oldest missing update of an asset was, as scans found it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.model.advisory import Unaged
from provisioner.model.sentence import Sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.model.measurement import Measurement
    from provisioner.model.service_event import Scan
    from provisioner.terms.objectives.known import Known
    from provisioner.terms.objectives.promise import Promise


def patch_age(promise: Promise, known: Known) -> Iterator[Measurement]:
    """Yield a measurement for each asset: the worst age that a scan of the month saw, in time of the calendar.

    The age is that since the update was known, of whatever severity; an asset that lacks none has the age 0. Without
    any scan in the month there is one measurement for the group. Where the last scan of the month cannot say an age
    there is none, unless an earlier one has seen the promise broken: who stops looking does not keep it.
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
        aged = {scan.place: _age(scan, promise) for scan in found if scan.oldest is not None}
        worst = max(aged.values(), default=0)
        if found[-1].oldest is None and worst <= promise.limit:
            yield promise.without(_why(found[-1], promise.month), asset=asset, places=(found[-1].place,))
            continue
        yield promise.judge(
            kept=worst <= promise.limit,
            asset=asset,
            elapsed_seconds=worst,
            target_seconds=promise.limit - promise.objective.grace.seconds,
            places=tuple(aged),
        )


def _age(scan: Scan, promise: Promise) -> int:
    """The service seconds since the oldest missing update was known."""
    return promise.service.elapsed(min((scan.oldest or {}).values(), default=scan.at), scan.at)


def _why(scan: Scan, month: str) -> Sentence:
    """Why a scan cannot say an age."""
    named: dict[str, object] = {"asset": scan.asset, "month": month}
    if scan.reason is Unaged.STALE_ADVISORIES and scan.dated is not None:
        said = "the last scan of {asset} in {month} had advisories of {day}, which were stale"
        return Sentence(said, **named, day=scan.dated)
    if scan.reason is Unaged.OTHER_RELEASE:
        unknown = "the last scan of {asset} in {month} had advisories that say nothing of its release"
        return Sentence(unknown, **named)
    if scan.reason is Unaged.INCOMPLETE:
        short = "the last scan of {asset} in {month} could not read every update that the machine told of"
        return Sentence(short, **named)
    without = "the last scan of {asset} in {month} had no advisories: nobody knows since when updates were known"
    return Sentence(without, **named)
