"""One clock of one objective, as a fold over what happens to its ticket (rules 4, 5, 7 and 9).

Every function takes a clock and returns the next one. Instants never go back. What has elapsed up to `mark` is in
`counted`; `due` and `limit` are set once elapsed has reached them, and stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from provisioner.model.measurement import SUPERSEDED, State
from provisioner.terms.clock_terms import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provisioner.model.values import Cause
    from provisioner.terms.clock_terms import ClockTerms

CONTRACT_ENDED = "contract ended"

_NOTHING: Mapping[Cause, int] = {}


class Segment(NamedTuple):
    """A stretch of a clock's life under one calendar and one hold (or none); `idle` is why none of it counted."""

    start: int
    end: int
    terms: ClockTerms
    cause: Cause | None
    idle: str = ""


class Clock(NamedTuple):
    """Where a clock stands at `mark`.

    `bound` is the instant whose terms bind it, `opened` that from which it counts, `started` the first service instant
    (None: there is none). `target` and `counted` are service seconds, `held` those under each cause. `late` is a breach
    that a priority change caused, at `limit`. `ended` and `fate` say when and why it was given up. `segments` is None
    where no trace was asked for.
    """

    terms: ClockTerms
    bound: int
    opened: int
    started: int | None
    target: int
    mark: int
    cause: Cause | None
    places: tuple[int, ...]
    segments: tuple[Segment, ...] | None
    counted: int = 0
    held: Mapping[Cause, int] = _NOTHING
    due: int | None = None
    limit: int | None = None
    stopped: int | None = None
    late: bool = False
    ended: int | None = None
    fate: str = ""

    @property
    def alive(self) -> bool:
        """Whether it runs or is held, in time or not."""
        return self.stopped is None and self.ended is None

    @property
    def paused(self) -> bool:
        """Whether its hold, if any, stops its time."""
        return self.cause is not None and self.cause in self.terms.pauses

    def breached_by(self, at: int) -> bool:
        """Whether it was breached at an instant that it is settled to: after its limit (rule 5)."""
        judged = self.stopped if self.stopped is not None else self.ended if self.ended is not None else at
        return self.late or (self.limit is not None and judged > self.limit)


class Reading(NamedTuple):
    """What a clock says at an instant; `due` is None while it is held and where it was given up."""

    clock: Clock
    state: State
    due: int | None
    breached_at: int | None


def start(terms: ClockTerms, at: int, *, place: int, cause: Cause | None, traced: bool) -> Clock:
    """Given terms and the instant of the opening, return a clock that nothing has elapsed on (rule 4).

    `cause` is that of a hold the ticket is under already.
    """
    started = terms.service.opens_at(at)
    target = terms.target(started)
    return Clock(terms, at, at, started, target, at, cause, (place,), () if traced else None)


def settle(clock: Clock, at: int) -> Clock:
    """Given a clock and a later instant, return it with everything counted up to then."""
    if at <= clock.mark or not clock.alive:
        return clock
    return _moved(clock, at, cause=clock.cause, stopped=None, places=clock.places)


def hold(clock: Clock, at: int, *, cause: Cause | None, place: int) -> Clock:
    """Given a clock, return it under a hold from an instant on; None ends the hold."""
    if not clock.alive:
        return clock
    return _moved(clock, at, cause=cause, stopped=None, places=(*clock.places, place))


def stop(clock: Clock, at: int, *, place: int) -> Clock:
    """Given a clock, return it stopped; what was stopped or given up before stays so. It is held no longer."""
    if not clock.alive:
        return clock
    return _moved(clock, at, cause=None, stopped=at, places=(*clock.places, place))


def _moved(clock: Clock, at: int, *, cause: Cause | None, stopped: int | None, places: tuple[int, ...]) -> Clock:
    """A clock that is alive, counted up to an instant, and what it is from then on."""
    terms, bound, opened, started, target, mark, before, _, segments, counted, held, due, limit, *_ = clock
    if at > mark:
        service, pauses = terms.service, terms.pauses
        seconds = service.elapsed(mark, at)
        if before is not None and seconds:
            held = {**held, before: held.get(before, 0) + seconds}
        if before is None or before not in pauses:
            total = counted + seconds
            if total >= target:
                if due is None:
                    due = service.advance(mark, target - counted)
                if limit is None and total >= target + terms.grace:
                    limit = service.advance(mark, target + terms.grace - counted)
            counted = total
        if segments is not None:
            segments = (*segments, Segment(mark, at, terms, before))
    return Clock(
        terms, bound, opened, started, target, at, cause, places, segments,
        counted, held, due, limit, stopped, clock.late, None, "",
    )  # fmt: skip


def reopen(clock: Clock, at: int, *, place: int) -> Clock:
    """Given a stopped clock, return it going on with its seconds; the time between is not counted (rule 6)."""
    if clock.stopped is None or clock.ended is not None:
        return clock
    return _idle(clock, at, "resolved")._replace(stopped=None, places=(*clock.places, place))


def give_up(clock: Clock, at: int, *, fate: str) -> Clock:
    """Given a clock, return it ended for a reason; one that had stopped or was breached keeps its result."""
    return settle(clock, at)._replace(ended=at, fate=fate) if clock.alive else clock


def _idle(clock: Clock, at: int, why: str) -> Clock:
    """A clock that did not count since its mark."""
    segments = clock.segments
    if segments is not None and at > clock.mark:
        segments = (*segments, Segment(clock.mark, at, clock.terms, None, idle=why))
    return clock._replace(mark=at, segments=segments)


def retarget(superseded: Sequence[Clock], terms: ClockTerms, at: int, *, place: int, cause: Cause | None) -> Clock:
    """Given superseded clocks of a metric, return the clock that goes on from them at an instant (rule 7).

    It takes the seconds of the one that counted most, and its start if it had started. What exceeds the new limit is
    breached at this instant, never earlier.
    """
    donor = max(superseded, key=lambda clock: clock.counted)
    begun = donor.started is not None and donor.started <= at
    started = donor.started if begun else terms.service.opens_at(at)
    target = terms.target(started)
    over = donor.counted - target
    return _idle(donor, at, SUPERSEDED)._replace(
        terms=terms,
        bound=at,
        started=started,
        target=target,
        due=at if over >= 0 else None,
        limit=at if over >= terms.grace else None,
        late=over > terms.grace,
        ended=None,
        fate="",
        cause=cause,
        places=(*donor.places, place),
    )


def read(clock: Clock, as_of: int) -> Reading:
    """Given a clock and an instant after all that happened to it, say what it comes to then (rule 5)."""
    now = settle(clock, as_of)
    if now.breached_by(as_of):
        return Reading(now, State.BREACHED, now.due, now.limit)
    if now.ended is not None and now.stopped is None:
        return Reading(now, State.NOT_APPLICABLE, None, None)
    if now.stopped is None and now.paused:
        return Reading(now, State.HELD, None, None)
    due = now.due
    if due is None and now.target < NEVER:
        due = now.terms.service.advance(now.mark, now.target - now.counted)
    return Reading(now, State.RUNNING if now.stopped is None else State.MET, due, None)
