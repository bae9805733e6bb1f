"""Availability of a group in a month, over the seconds of its assets (rule 11)."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from provisioner.model.measurement import Bounds, Stretch
from provisioner.model.objective import Unknown
from provisioner.model.sentence import Sentence
from provisioner.model.service_event import AssetEventKind
from provisioner.model.values import Percentage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from provisioner.model.measurement import Measurement
    from provisioner.model.service_event import AssetEvent
    from provisioner.terms.objectives.known import Known
    from provisioner.terms.objectives.promise import Promise


class _Piece(NamedTuple):
    """A stretch of an asset's time in one state: `up`, `down`, `unknown`, `excluded` or `maintenance`."""

    asset: str
    start: int
    end: int
    state: str
    cause: str


def availability(promise: Promise, known: Known) -> Iterator[Measurement]:
    """Yield the one measurement of the group: (S - M - down - unknown) / (S - M) in percent, with both bounds.

    Its seconds are `service` (of all assets together), what is taken out of it (`maintenance`, `excluded`), and of the
    rest `down` and `unknown`. Down time within maintenance is maintenance. Not evaluable when no asset is in the group,
    none was heard of yet, or nothing is left of the service time.
    """
    assets = known.members(promise)
    if not assets:
        yield promise.without(Sentence("no asset to measure in {month}", month=promise.month))
        return
    if not any(event.at < promise.until for asset in assets for event in known.statuses.get(asset, ())[:1]):
        yield promise.without(
            Sentence("nothing says whether an asset was up in {month} or before", month=promise.month)
        )
        return
    pieces = [piece for asset in assets for piece in _pieces(promise, known, asset)]
    service = promise.service
    seconds = Counter({"service": service.elapsed(promise.start, promise.until) * len(assets)})
    for piece in pieces:
        seconds[piece.state] += service.elapsed(piece.start, piece.end)
    found = {
        "holidays": service.holidays_between(promise.start, promise.until),
        "trace": tuple(_trace(promise, pieces)) if promise.traced else (),
        "places": _places(promise, known, assets),
    }
    if seconds["service"] == seconds["maintenance"] + seconds["excluded"]:
        yield promise.without(Sentence("no service time to measure in {month}", month=promise.month), **found)
        return
    bounds = _bounds(promise, seconds)
    target = promise.objective.target
    assert isinstance(target, Percentage)
    if promise.objective.unknown_counts is Unknown.UP and not seconds["up"] and not seconds["down"]:
        yield promise.without(Sentence("the whole of {month} is unknown", month=promise.month), bounds=bounds, **found)
        return
    yield promise.judge(kept=bounds.value >= target.value, bounds=bounds, **found)


def _bounds(promise: Promise, seconds: Mapping[str, int]) -> Bounds:
    whole = seconds["service"] - seconds["maintenance"] - seconds["excluded"]
    certain = whole - seconds["down"] - seconds["unknown"]
    lower, upper = (Decimal(100 * up) / Decimal(whole) for up in (certain, certain + seconds["unknown"]))
    return Bounds(
        value=upper if promise.objective.unknown_counts is Unknown.UP else lower,
        lower=lower,
        upper=upper,
        seconds={name: seconds[name] for name in ("service", "maintenance", "excluded", "down", "unknown")},
    )


def _pieces(promise: Promise, known: Known, asset: str) -> Iterator[_Piece]:
    """The asset's time from the start to as far as it is known, without gap."""
    start, until = promise.start, promise.until
    statuses = known.statuses.get(asset, ())
    instants = [event.at for event in statuses]
    agreed = _merged(known.maintenance.get(asset, ()))
    cuts = {at for at in instants if start < at < until}
    cuts |= {at for span in agreed for at in span if start < at < until}
    for first, last in pairwise([start, *sorted(cuts), until]):
        index = bisect_right(instants, first) - 1
        event = statuses[index] if index >= 0 else None
        before = bisect_right(agreed, first, key=lambda span: span[0]) - 1
        if before >= 0 and agreed[before][0] <= first < agreed[before][1]:
            yield _Piece(asset, first, last, "maintenance", "")
        elif event is None:
            yield _Piece(asset, first, last, "unknown", "")
        else:
            excluded = event.kind is AssetEventKind.DOWN and event.cause in promise.objective.excludes
            yield _Piece(asset, first, last, "excluded" if excluded else str(event.kind), str(event.cause or ""))


def _merged(agreed: Iterable[AssetEvent]) -> list[tuple[int, int]]:
    """Given maintenance in order of its beginning, return what it covers, overlaps counted once."""
    found: list[tuple[int, int]] = []
    for event in agreed:
        until = event.until or event.at
        if found and event.at <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((event.at, until))
    return found


def _trace(promise: Promise, pieces: Iterable[_Piece]) -> Iterator[Stretch]:
    for piece in pieces:
        detail = f"{piece.asset}: {piece.cause}" if piece.cause else piece.asset
        for stretch in promise.service.stretches(piece.start, piece.end):
            if stretch.counted:
                counted = piece.state not in ("maintenance", "excluded")
                why = "down" if piece.state == "excluded" else piece.state
                yield Stretch(stretch.start, stretch.end, counted=counted, why=why, detail=detail)
            else:
                yield stretch


def _places(promise: Promise, known: Known, assets: Sequence[str]) -> tuple[int, ...]:
    """The events it rests on: for each asset the state it began the month in, its changes, the maintenance agreed."""
    found: set[int] = set()
    for asset in assets:
        statuses = known.statuses.get(asset, ())
        first = max(bisect_right(statuses, promise.start, key=lambda event: event.at) - 1, 0)
        found.update(event.place for event in statuses[first:] if event.at < promise.end)
        agreed = known.maintenance.get(asset, ())
        overlapping = (one for one in agreed if one.at < promise.until and (one.until or one.at) > promise.start)
        found.update(event.place for event in overlapping)
    return tuple(sorted(found))
