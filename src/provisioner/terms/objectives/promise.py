"""Promise: one objective for one period, as the terms of its first instant bind it; results by month begin here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from provisioner.model.measurement import Measurement, State
from provisioner.model.objective import Metric
from provisioner.model.values import Duration, Period
from provisioner.terms.clock_terms import ON_TICKETS, agreement
from provisioner.terms.days import midnight
from provisioner.terms.grants import periods
from provisioner.terms.service_time import service_time
from provisioner.terms.term import ONE_DAY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.objective import Objective
    from provisioner.model.sentence import Sentence
    from provisioner.terms.service_time import ServiceTime

_ON_CLOCKS = ON_TICKETS | {Metric.SETUP_LEAD_TIME}


@dataclass(frozen=True, kw_only=True)
class Promise:
    """An objective from `start` to `end` (exclusive), of which what is known at `as_of` counts. `month` is its month.

    The `terms` are those of `start`: what an amendment changes in a month binds from the next one on (rule 8).
    """

    terms: Contract
    objective: Objective
    month: str
    start: int
    end: int
    as_of: int
    traced: bool = False

    @property
    def until(self) -> int:
        """The end of what can be known of it: its own, or the instant asked for."""
        return min(self.end, self.as_of)

    @property
    def service(self) -> ServiceTime:
        """The time that counts: that of the objective's calendar, or every second."""
        name = self.objective.calendar
        return service_time(self.terms.calendars[name] if name else None, language=self.terms.language)

    @property
    def limit(self) -> int:
        """Target and grace in seconds; ValueError for months, which need a day to count from."""
        assert isinstance(self.objective.target, Duration)
        return self.objective.target.seconds + self.objective.grace.seconds

    def covers(self, at: int) -> bool:
        """Whether something at this instant counts: in the period, not after `as_of` and in service time."""
        return self.start <= at < self.end and at <= self.as_of and self.service.elapsed(at, at + 1) == 1

    def judge(self, *, kept: bool, **found: Any) -> Measurement:
        """Return the measurement: running until the period has ended, then met or breached at that instant."""
        if self.as_of < self.end:
            return self._measurement(State.RUNNING, **found)
        if kept:
            return self._measurement(State.MET, **found)
        return self._measurement(State.BREACHED, breached_at=self.end, **found)

    def without(self, reason: Sentence, **found: Any) -> Measurement:
        """Return the measurement of what cannot be measured, and why."""
        return self._measurement(State.NOT_EVALUABLE, reason=reason, **found)

    def _measurement(self, state: State, **found: Any) -> Measurement:
        objective = self.objective
        return Measurement(
            contract=self.terms.id,
            objective=objective.id,
            metric=objective.metric,
            clause=f"objectives.{objective.id}",
            state=state,
            group=objective.group,
            month=self.month,
            bound=self.start,
            started=self.start,
            **found,
        )


def promises(loaded: LoadedContract, *, as_of: int, traced: bool = False) -> Iterator[Promise]:
    """Yield the objectives of a contract that are measured by period, for each period of the term begun before `as_of`.

    Periods are calendar months of the contract's zone; for performance those of `per`, whose month is their last one.
    An objective that an amendment adds is measured from that day on.
    """
    for per in Period:
        for first, last in _periods(loaded, per, as_of=as_of):
            known: set[str] = set()
            for start, terms in _terms(loaded, first, last):
                for objective in terms.objectives:
                    if _per(objective) is per and objective.id not in known and start < as_of:
                        known.add(objective.id)
                        yield Promise(
                            terms=terms,
                            objective=objective,
                            month=month_of(last - 1, loaded),
                            start=start,
                            end=last,
                            as_of=as_of,
                            traced=traced,
                        )


def month_of(at: int, loaded: LoadedContract) -> str:
    """Given an instant, return its month in the contract's zone, such as `2026-10`."""
    return f"{day_at(at, loaded):%Y-%m}"


def day_at(at: int, loaded: LoadedContract) -> date:
    """Given an instant, return its day in the contract's zone."""
    return day_in(at, ZoneInfo(loaded.timezone or "UTC"))


def day_in(at: int, zone: ZoneInfo) -> date:
    """Given an instant, return its day in a zone."""
    return datetime.fromtimestamp(at, zone).date()


def _per(objective: Objective) -> Period | None:
    if objective.metric is Metric.PERFORMANCE:
        return objective.per
    return None if objective.metric in _ON_CLOCKS else Period.MONTH


def _periods(loaded: LoadedContract, per: Period, *, as_of: int) -> Iterator[tuple[int, int]]:
    """The first instant of each period and the one after it, as far as the term goes (rule 9)."""
    zone, bound = ZoneInfo(loaded.timezone or "UTC"), agreement(loaded)
    for first, last in periods(loaded.versions[0].contract, per):
        start, end = max(midnight(first, zone), bound.since[0]), midnight(last + ONE_DAY, zone)
        if start >= as_of or (bound.end is not None and start >= bound.end):
            return
        yield start, end if bound.end is None else min(end, bound.end)


def _terms(loaded: LoadedContract, first: int, last: int) -> Iterator[tuple[int, Contract]]:
    """The terms that bind in a period, each from an instant in it on."""
    bound = agreement(loaded)
    yield first, bound.terms_at(first)
    yield from ((at, bound.terms_at(at)) for at in bound.since if first < at < last)
