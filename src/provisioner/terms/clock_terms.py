"""What binds a clock: its objective by the terms of a day, the service time it counts, the causes that pause it."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from provisioner.model.contract import Effect
from provisioner.model.mission import MissionKind
from provisioner.model.objective import Metric
from provisioner.model.values import Cause, Duration
from provisioner.terms.days import midnight
from provisioner.terms.service_time import service_time
from provisioner.terms.term import ONE_DAY, last_day

if TYPE_CHECKING:
    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.objective import Objective
    from provisioner.model.record import Membership
    from provisioner.terms.service_time import ServiceTime

ON_TICKETS = frozenset({Metric.RESPONSE_TIME, Metric.UPDATE_TIME, Metric.RESOLUTION_TIME})
NEVER = 1 << 60
"""Seconds of a target that is never reached: business days of a calendar that ends before."""


class ClockTerms(NamedTuple):
    """An objective as a clock sees it; `pauses` are the causes that stop its time, `grace` is in seconds (rule 5).

    The target is `seconds`, or so many `business_days`; the other is 0.
    """

    contract: str
    objective: Objective
    metric: Metric
    clause: str
    service: ServiceTime
    pauses: frozenset[Cause]
    grace: int
    seconds: int
    business_days: int

    def target(self, started: int | None) -> int:
        """Given the start of a clock, return its target in service seconds: business days are turned once (rule 1)."""
        if self.seconds:
            return self.seconds
        closing = self.service.closing_of_nth_day(started, self.business_days) if started is not None else None
        return self.service.elapsed(started, closing) if started is not None and closing is not None else NEVER


class Subject(NamedTuple):
    """What objectives are chosen for: a ticket's priority and asset, and whether it orders a workstation."""

    priority: str | None
    asset: str | None
    orders: bool


class Agreement(NamedTuple):
    """A contract on the axis of time: the first instant of each version, and the end of the last day (None: open)."""

    loaded: LoadedContract
    since: tuple[int, ...]
    end: int | None

    def terms_at(self, at: int) -> Contract:
        """Given an instant, return the terms of its day (rule 8); before the first day, those of the first version."""
        return self.loaded.versions[max(bisect_right(self.since, at) - 1, 0)].contract


def agreement(loaded: LoadedContract) -> Agreement:
    """Given a contract, return when each of its versions begins to bind, and when the last day ends (rule 9)."""
    zone = ZoneInfo(loaded.timezone or "UTC")
    last = last_day(loaded.versions[-1].contract)
    since = tuple(midnight(version.effective, zone) for version in loaded.versions)
    return Agreement(loaded, since, None if last is None else midnight(last + ONE_DAY, zone))


def applying(contract: Contract, subject: Subject, membership: Membership) -> tuple[ClockTerms, ...]:
    """Given the terms of a day, return those of the objectives that apply to a ticket, in the order of the contract."""
    return tuple(_clock_terms(contract, one) for one in contract.objectives if _applies(one, subject, membership))


def _applies(objective: Objective, subject: Subject, membership: Membership) -> bool:
    if objective.metric not in ON_TICKETS and not (objective.metric is Metric.SETUP_LEAD_TIME and subject.orders):
        return False
    if objective.priority is not None and objective.priority != subject.priority:
        return False
    if objective.group is None:
        return True
    return subject.asset is not None and membership.in_any(subject.asset, frozenset({objective.group}))


def _clock_terms(contract: Contract, objective: Objective) -> ClockTerms:
    calendar = contract.calendars[objective.calendar] if objective.calendar is not None else None
    pausing = {cause for cause in Cause if getattr(contract.holds, cause.value) is Effect.PAUSES}
    service = service_time(calendar, language=contract.language)
    target = objective.target
    assert isinstance(target, Duration)
    return ClockTerms(
        contract=contract.id,
        objective=objective,
        metric=objective.metric,
        clause=f"objectives.{objective.id}",
        service=service,
        pauses=frozenset(pausing.union(objective.excludes)),
        grace=objective.grace.seconds,
        seconds=0 if target.unit == "bd" else target.seconds,
        business_days=target.amount if target.unit == "bd" else 0,
    )


def is_order(mission: MissionKind | None) -> bool:
    """Whether a ticket that was opened for this mission has a setup clock."""
    return mission is MissionKind.WORKSTATION_SETUP
