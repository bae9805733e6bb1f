"""One clock, walked minute by minute from the words of rules 1, 4, 5 and 7; the term of a contract, day by day.

Time is walked in cells: minutes of UTC, cut where an event falls. A clock sees every cell and counts it or does not.
There is no arithmetic on spans and no other shortcut.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tests.unit.terms._brute_force import DAY, MINUTE, Minutes

from provisioner.model.contract import RenewalKind
from provisioner.model.values import Duration

if TYPE_CHECKING:
    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.objective import Objective
    from provisioner.model.values import Cause

FAR = 45
"""How many days ahead a due instant is looked for."""


@dataclass
class Clock:
    """One clock of one objective, bound to the terms of an instant."""

    objective: Objective
    minutes: Minutes
    pausing: frozenset[Cause]
    opened: int
    started: int | None = None
    elapsed: int = 0
    held: Counter[Cause] = field(default_factory=Counter)
    target: int | None = None
    due: int | None = None
    limit: int | None = None
    stopped: int | None = None
    breached_at: int | None = None
    fate: str = ""
    hold: Cause | None = None

    @property
    def live(self) -> bool:
        """Whether it runs or is held."""
        return self.stopped is None and not self.fate

    @property
    def paused(self) -> bool:
        return self.hold in self.pausing

    def begin(self, at: int | None) -> None:
        """It is started at this instant, whatever happens to it; business days become seconds (rules 1 and 4)."""
        target = self.objective.target
        assert isinstance(target, Duration)
        self.started = at
        if at is None:
            return
        if target.unit == "bd":
            self.target = self.minutes.business_days(at, target.amount)
        else:
            self.target = target.seconds

    def see(self, start: int, end: int) -> None:
        """Live through the cell from `start` to `end`."""
        if not self.live or not self.minutes.service(start):
            return
        if self.hold is not None:
            self.held[self.hold] += end - start
        if not self.paused:
            before, self.elapsed = self.elapsed, self.elapsed + end - start
            self.reach(start - before)

    def reach(self, base: int) -> None:
        """Note when elapsed reached the target and the limit: `base` and the seconds needed."""
        if self.target is None:
            return
        limit = self.target + self.objective.grace.seconds
        if self.due is None and self.elapsed >= self.target:
            self.due = base + self.target
        if self.limit is None and self.elapsed >= limit:
            self.limit = base + limit

    def look(self, at: int) -> None:
        """A live clock is breached once an instant is after its limit; it never turns back."""
        if self.live and self.breached_at is None and self.limit is not None and at > self.limit:
            self.breached_at = self.limit

    def stop(self, at: int) -> None:
        if self.live:
            self.look(at)
            self.stopped, self.hold = at, None

    def carry(self, old: Clock, at: int) -> None:
        """Take over from a superseded clock (rule 7): seconds, start; perhaps a breach at this instant."""
        self.elapsed, self.held = old.elapsed, Counter(old.held)
        if old.started is not None and old.started <= at:
            self.begin(old.started)
            assert self.target is not None
            limit = self.target + self.objective.grace.seconds
            if self.elapsed >= self.target:
                self.due = at
            if self.elapsed >= limit:
                self.limit = at
            if self.elapsed > limit:
                self.breached_at = at

    def project(self, at: int) -> int | None:
        """The instant at which elapsed reaches the target if nothing happens from `at` on."""
        ahead = Clock(self.objective, self.minutes, frozenset(), self.opened, self.started, self.elapsed)
        ahead.target, ahead.due = self.target, self.due
        while ahead.due is None and at < self.opened + FAR * DAY:
            following = at + MINUTE - at % MINUTE
            ahead.see(at, following)
            at = following
        return ahead.due


class Calendars:
    """The minutes of every calendar that was asked for: walked once, however many tickets there are."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, Minutes]] = {}

    def of(self, terms: Contract, name: str | None) -> Minutes:
        calendar = terms.calendars[name] if name is not None else None
        if id(calendar) not in self._known:
            self._known[id(calendar)] = (calendar, Minutes(calendar, terms.language.value))
        return self._known[id(calendar)][1]


def day_of(at: int, loaded: LoadedContract) -> date:
    return datetime.fromtimestamp(at, ZoneInfo(loaded.versions[0].contract.timezone)).date()


def last_day(contract: Contract) -> date | None:
    """Rule 9, for terms of days: the end, or the first renewed end that a notice is in time for."""
    renewal, end = contract.renewal, contract.ends
    if renewal.kind is not RenewalKind.TACIT or renewal.term is None:
        return end
    if renewal.notice_given is None:
        return None
    assert renewal.notice is not None
    assert (renewal.term.unit, renewal.notice.unit) == ("d", "d")
    while renewal.notice_given.on > end - timedelta(days=renewal.notice.amount):
        end += timedelta(days=renewal.term.amount)
    return end


def end_of(loaded: LoadedContract) -> int | None:
    """The instant at which the contract has ended: midnight on the wall after its last day."""
    end = last_day(loaded.versions[0].contract)
    if end is None:
        return None
    zone = ZoneInfo(loaded.versions[0].contract.timezone)
    midnight = datetime(end.year, end.month, end.day) + timedelta(days=1)  # noqa: DTZ001
    at = int((midnight - datetime(1970, 1, 1)).total_seconds()) - DAY  # noqa: DTZ001
    while datetime.fromtimestamp(at, zone).replace(tzinfo=None) < midnight:
        at += MINUTE
    return at
