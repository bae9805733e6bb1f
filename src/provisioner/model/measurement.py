"""Measurements, credits and the statement that holds them: what was promised, what it came to, what is owed.

Instants are whole POSIX seconds, lengths whole seconds. Months are `2026-10`, in the contract's time zone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date
    from decimal import Decimal

    from provisioner.model.objective import Metric
    from provisioner.model.values import Cause, Money


class State(StrEnum):
    """Where a measurement stands at an instant (rule 5)."""

    RUNNING = "running"
    HELD = "held"
    MET = "met"
    BREACHED = "breached"
    NOT_APPLICABLE = "not_applicable"
    NOT_EVALUABLE = "not_evaluable"


class Stretch(NamedTuple):
    """A stretch of time from `start` to `end` (exclusive): whether a clock counted it, and why (not).

    `why` is `service`, `closed`, `closed day`, `holiday`, `hold`, `resolved`, `superseded`, `maintenance`, `down`,
    `up`, `unknown`; `detail` the name of the holiday, or the cause of the hold.
    """

    start: int
    end: int
    counted: bool
    why: str
    detail: str = ""


class Holiday(NamedTuple):
    """A public holiday that took service time from a clock: the day, its name in the contract's language."""

    day: date
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A result that is a share or a figure: the value, and where knowledge is missing the lowest and highest it can be.

    Shares are in percent, figures in the unit of the target; both as exact as Decimal holds them, never rounded here.
    `seconds` are what an availability consists of: `service`, `maintenance`, `excluded`, `down`, `unknown`.
    """

    value: Decimal
    lower: Decimal
    upper: Decimal
    seconds: Mapping[str, int] = field(default_factory=dict)


_NO_HOLDS: Mapping[Cause, int] = {}


class Measurement(NamedTuple):
    """What one objective came to, for one ticket, one asset, or one group and month.

    `objective` and `metric` are None, and `clause` is `objectives`, where there was none to measure. `due` is None
    while a pausing cause holds the clock; `places` are those of the events it rests on. `reason` says why it is
    not_applicable or not_evaluable. `month` is that of a result by month. `trace` and `holidays` are filled on demand.
    `bound` is the instant whose terms bind it (rule 8): the opening, the re-targeting, the first instant measured.
    """

    contract: str
    objective: str | None
    metric: Metric | None
    clause: str
    state: State
    reason: str = ""
    ticket: str | None = None
    group: str | None = None
    asset: str | None = None
    month: str | None = None
    bound: int | None = None
    started: int | None = None
    due: int | None = None
    stopped: int | None = None
    breached_at: int | None = None
    elapsed_seconds: int = 0
    target_seconds: int | None = None
    held_seconds: Mapping[Cause, int] = _NO_HOLDS
    bounds: Bounds | None = None
    holidays: tuple[Holiday, ...] = ()
    trace: tuple[Stretch, ...] = ()
    places: tuple[int, ...] = ()


SUPERSEDED = "superseded"
"""The reason of a clock that a change of priority replaced (rule 7)."""


def holding(measurements: Iterable[Measurement]) -> list[Measurement]:
    """Given measurements, return those whose holds are their own, in order.

    A clock that took over from superseded ones of its ticket and metric has their seconds. Where none did, the
    superseded one that was held longest has those of the others.
    """
    every = list(measurements)
    replaced = {(one.ticket, one.metric) for one in every if one.reason == SUPERSEDED}
    own: dict[tuple[str | None, Metric | None], Measurement] = {}
    for one in every:
        key = one.ticket, one.metric
        if key in replaced and (key not in own or _holds(one) > _holds(own[key])):
            own[key] = one
    return [one for one in every if one.reason != SUPERSEDED or own[one.ticket, one.metric] is one]


def _holds(measurement: Measurement) -> tuple[bool, int]:
    return measurement.reason != SUPERSEDED, sum(measurement.held_seconds.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """What a breach gives back (rule 10): `month` is that of the breach, `reason` one sentence with the arithmetic.

    `measurement` is what it rests on, events included.
    """

    contract: str
    objective: str
    clause: str
    month: str
    amount: Money
    reason: str
    measurement: Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthTotal:
    """The credits of a month, before and after the cap; `cap` says in a sentence what it was, empty for none."""

    before_cap: Money
    after_cap: Money
    cap: str = ""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """Promised, measured and owed at an instant. `coverage` is `hosts`, or `assumed` where no hosts.yml said.

    `totals` are by month. `held_seconds` adds up, by cause, what holds took from the clocks: the client's beside ours.
    `notes` are sentences: why this contract was chosen, what was recorded late.
    """

    as_of: int
    contracts: tuple[str, ...]
    coverage: str
    measurements: tuple[Measurement, ...]
    credits: tuple[Credit, ...]
    totals: Mapping[str, MonthTotal]
    held_seconds: Mapping[Cause, int]
    notes: tuple[str, ...] = ()
