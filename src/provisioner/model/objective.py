"""Objectives: what is promised in numbers, how it is measured, what a breach costs and who hears of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from provisioner.model.values import (
    NO_TIME,
    Amount,
    Cause,
    Duration,
    Elapsed,
    GroupName,
    Identifier,
    Percentage,
    Period,
    Priority,
    Share,
    SomeShare,
    Text,
    Words,
    shown,
)


class Metric(StrEnum):
    """What can be measured."""

    RESPONSE_TIME = "response_time"
    UPDATE_TIME = "update_time"
    RESOLUTION_TIME = "resolution_time"
    SETUP_LEAD_TIME = "setup_lead_time"
    AVAILABILITY = "availability"
    PERFORMANCE = "performance"
    PATCH_AGE = "patch_age"
    BACKUP_RPO = "backup_rpo"
    RESTORE_RTO = "restore_rto"
    DRILL_CADENCE = "drill_cadence"


class Measurer(StrEnum):
    """Who measures an objective."""

    CLIENT = "client"
    PROVIDER = "provider"
    THIRD_PARTY = "third_party"


class Unknown(StrEnum):
    """What unknown time counts as."""

    DOWN = "down"
    UP = "up"


@dataclass(frozen=True)
class PerformanceTarget:
    """A bound on a statistic: `<= 2s`. Units: ms, s, %, /s."""

    comparison: str
    bound: Decimal
    unit: str

    @classmethod
    def parse(cls, text: str) -> PerformanceTarget:
        """Given `<= 2s`, return it; raise ValueError otherwise."""
        match = re.fullmatch(_PERFORMANCE_PATTERN, text)
        if match is None:
            raise ValueError(f"expected a performance target such as <= 2s or >= 150/s, found {shown(text)}")
        return cls(match["comparison"], Decimal(match["bound"]), match["unit"])

    def __str__(self) -> str:
        return f"{self.comparison} {self.bound:f}{self.unit}"


_PERFORMANCE_PATTERN = r"(?P<comparison><=|>=) ?(?P<bound>[0-9]{1,9}(\.[0-9]{1,6})?)(?P<unit>ms|s|%|/s)"

Target = Duration | Percentage | PerformanceTarget


def parse_target(text: str) -> Target:
    """Given `1h`, `99.5%` or `<= 2s`, return the duration, percentage or performance target it is."""
    if text.startswith(("<", ">")):
        return PerformanceTarget.parse(text)
    if text.endswith("%"):
        return Percentage.parse(text)
    duration = Duration.parse(text)
    if duration.amount <= 0:
        raise ValueError(f"expected a target longer than zero, found {shown(text)}")
    return duration


@dataclass(frozen=True)
class Threshold:
    """When to escalate: at a share of the target, or that long before (negative) or after the due instant."""

    at: Percentage | Duration

    @classmethod
    def parse(cls, text: str) -> Threshold:
        """Given `50%`, `-10m` or `30m`, return it; raise ValueError otherwise."""
        return cls(Percentage.parse(text) if text.endswith("%") else Duration.parse(text))

    def __str__(self) -> str:
        return str(self.at)


@dataclass(frozen=True, kw_only=True)
class Tier:
    """One step of a penalty: what a result below this share costs."""

    below: Share
    """The result is lower than this."""
    percent_of_fee: SomeShare
    """Share of the monthly fee."""


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """What a breach costs: exactly one of the three."""

    per_breach: Amount | None = None
    """A fixed amount."""
    percent_of_fee: SomeShare | None = None
    """Share of the monthly fee in force at the breach."""
    tiers: tuple[Tier, ...] = ()
    """Steps; the worst one reached counts."""


@dataclass(frozen=True, kw_only=True)
class PenaltyCap:
    """The most that the penalties of a period can come to."""

    percent_of_fee: SomeShare
    """Share of the monthly fee on the last day of the month of the breach."""
    per: Period = Period.MONTH
    """The period whose credits are summed."""


TargetText = Annotated[
    Target,
    Text(
        parse_target,
        r"[0-9]{1,5}(m|h|d|mo|bd)|[0-9]{1,3}(\.[0-9]{1,3})?%|[<>].*",
        "a target such as 4h, 2bd, 99.5% or <= 2s",
    ),
]
ThresholdText = Annotated[
    Threshold, Text(Threshold.parse, r"-?[0-9]{1,5}(m|h|d)|[0-9]{1,3}(\.[0-9]{1,3})?%", "a point such as 50% or -10m")
]


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One promise with a number."""

    id: Identifier
    """What measurements, penalties and escalation refer to."""
    metric: Metric
    """What is measured."""
    target: TargetText
    """A duration, a percentage or a performance bound, as the metric asks."""
    priority: Priority | None = None
    """Tickets of this priority only."""
    group: GroupName | None = None
    """Assets of this group only; all covered ones when absent."""
    calendar: Identifier | None = None
    """The calendar whose time counts; every hour of every day when absent."""
    grace: Elapsed = NO_TIME
    """Service time after the due instant before it is a breach."""
    excludes: tuple[Cause, ...] = ()
    """Causes that pause this objective whatever `holds` says."""
    measured_by: Measurer = Measurer.PROVIDER
    """Who measures."""
    unknown_counts: Unknown = Unknown.DOWN
    """What time without knowledge counts as (availability)."""
    source: Words | None = None
    """Where the values come from (performance): a folder of monthly files, or `prometheus:` and a query."""
    statistic: Annotated[str, Text(str, "mean|max|min|p[0-9]{1,2}", "a statistic such as p95 or mean")] | None = None
    """What is made of the values (performance)."""
    per: Period = Period.MONTH
    """The period a result is for."""
    penalty: Penalty | None = None
    """What a breach costs; nothing when absent."""


@dataclass(frozen=True, kw_only=True)
class Escalation:
    """Who is told when a clock comes this far."""

    objective: Identifier
    """Id of the objective."""
    at: ThresholdText
    """A share of its target, or a time before (negative) or after it is due."""
    to: Identifier
    """A contact of the provider or of the client."""
