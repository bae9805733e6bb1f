"""The trace of a clock: for each stretch of time whether it counted, and why (not); the public holidays it used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.model.measurement import Holiday, Stretch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.terms.clock import Clock, Segment


def trace(clock: Clock) -> tuple[Stretch, ...]:
    """Given a clock that was traced and is settled, return its stretches, earliest first, without gap.

    Those that counted add up to what elapsed. A hold under a cause that does not pause counted, and is named all the
    same; the time between a resolution and the reopening is `resolved`, that between two priorities with a promise is
    `superseded`.
    """
    found: list[Stretch] = []
    for segment in clock.segments or ():
        for stretch in _stretches(segment):
            last = found[-1] if found else None
            if last is not None and last[1:] == (stretch.start, *stretch[2:]):
                found[-1] = last._replace(end=stretch.end)
            else:
                found.append(stretch)
    return tuple(found)


def holidays_used(clock: Clock, until: int) -> tuple[Holiday, ...]:
    """Given a clock that was traced, return the holidays that took service time from it up to an instant (rule 14).

    Time after the last segment is that of its calendar: what a due instant ahead rests on.
    """
    days: dict[Holiday, None] = {}
    segments = clock.segments or ()
    for segment in segments:
        if segment.idle:
            continue
        days.update(dict.fromkeys(segment.terms.service.holidays_between(segment.start, segment.end)))
    if clock.mark < until:
        days.update(dict.fromkeys(clock.terms.service.holidays_between(clock.mark, until)))
    return tuple(sorted(days))


def _stretches(segment: Segment) -> Iterator[Stretch]:
    cause = segment.cause
    if segment.idle:
        yield Stretch(segment.start, segment.end, counted=False, why=segment.idle)
        return
    for stretch in segment.terms.service.stretches(segment.start, segment.end):
        if cause is None or not stretch.counted:
            yield stretch
        else:
            counted = cause not in segment.terms.pauses
            yield stretch._replace(counted=counted, why="hold", detail=str(cause))
