"""Rules of objectives, of what their breaches cost, and of who hears of them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from provisioner.config.document import Loc, did_you_mean
from provisioner.config.figures import source_problem
from provisioner.config.findings import Finding, repeated
from provisioner.model.objective import Metric, Objective, PerformanceTarget, Target
from provisioner.model.values import Duration, Percentage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.model.contract import Contract

_CLOCKS = ("m", "h", "d", "bd")
_TARGETS: dict[Metric, tuple[str, ...]] = {
    Metric.RESPONSE_TIME: _CLOCKS,
    Metric.UPDATE_TIME: _CLOCKS,
    Metric.RESOLUTION_TIME: _CLOCKS,
    Metric.SETUP_LEAD_TIME: _CLOCKS,
    Metric.AVAILABILITY: ("%",),
    Metric.PERFORMANCE: ("<= or >=",),
    Metric.PATCH_AGE: ("h", "d"),
    Metric.BACKUP_RPO: ("m", "h", "d"),
    Metric.RESTORE_RTO: ("m", "h", "d"),
    Metric.DRILL_CADENCE: ("d", "mo"),
}
_TICKET_METRICS = (Metric.RESPONSE_TIME, Metric.UPDATE_TIME, Metric.RESOLUTION_TIME)


def objective_problems(contract: Contract) -> Iterator[Finding]:
    """Given a contract whose fields are each valid, yield what is wrong with its objectives and its escalation."""
    yield from repeated(("objectives",), (objective.id for objective in contract.objectives), key="id")
    for index, objective in enumerate(contract.objectives):
        loc: Loc = ("objectives", index)
        yield from ((loc + tail, message) for tail, message in _objective(objective))
        if objective.calendar is not None and objective.calendar not in contract.calendars:
            hint = did_you_mean(objective.calendar, contract.calendars)
            yield (*loc, "calendar"), f"no calendar is called {objective.calendar!a}{hint}"
    yield from _escalation(contract)


def _objective(objective: Objective) -> Iterator[Finding]:
    kind = _target_kind(objective)
    expected = _TARGETS[objective.metric]
    if kind not in expected:
        yield ("target",), f"{objective.metric} needs a target in {', '.join(expected)}, found {objective.target}"
    if kind == "bd" and objective.calendar is None:
        yield ("target",), f"{objective.target} counts business days, and no calendar says which: add calendar"
    yield from _foreign_keys(objective)
    if objective.metric is Metric.PERFORMANCE:
        for key in ("source", "statistic"):
            if getattr(objective, key) is None:
                yield (), f"performance needs {key}"
        if objective.source is not None and (problem := source_problem(objective.source)):
            yield ("source",), problem
    if objective.penalty is not None:
        penalty = objective.penalty
        if sum(map(bool, (penalty.per_breach, penalty.percent_of_fee, penalty.tiers))) != 1:
            yield ("penalty",), "expected exactly one of per_breach, percent_of_fee and tiers"
        yield from _tiers(objective)


def _foreign_keys(objective: Objective) -> Iterator[Finding]:
    """Keys that mean nothing for the metric, and so were meant for another one."""
    if objective.priority and objective.metric not in _TICKET_METRICS:
        yield ("priority",), f"{objective.metric} has no priority; only {', '.join(_TICKET_METRICS)} have"
    if objective.grace.amount and objective.metric not in (*_TICKET_METRICS, Metric.SETUP_LEAD_TIME):
        yield ("grace",), f"{objective.metric} has no clock that a grace could follow"
    for key in ("source", "statistic"):
        if getattr(objective, key) is not None and objective.metric is not Metric.PERFORMANCE:
            yield (key,), f"only performance has a {key}, and this is {objective.metric}"


def _tiers(objective: Objective) -> Iterator[Finding]:
    tiers = objective.penalty.tiers if objective.penalty else ()
    for index, tier in enumerate(tiers):
        loc: Loc = ("penalty", "tiers", index, "below")
        if not isinstance(objective.target, Percentage):
            yield loc, "tiers are for targets in %"
        elif tier.below > objective.target:
            yield loc, f"{tier.below} is above the target {objective.target}, which would not be a breach"
    for index, (better, worse) in enumerate(pairwise(tiers), 1):
        loc = ("penalty", "tiers", index)
        if worse.below >= better.below:
            yield (*loc, "below"), f"{worse.below} after {better.below}: expected falling order, the worst tier last"
        elif worse.percent_of_fee <= better.percent_of_fee:
            said = f"{worse.percent_of_fee} after {better.percent_of_fee}: a worse result costs more"
            yield (*loc, "percent_of_fee"), said


def _target_kind(objective: Objective) -> str:
    target = objective.target
    if isinstance(target, PerformanceTarget):
        return "<= or >="
    return "%" if isinstance(target, Percentage) else target.unit


def _escalation(contract: Contract) -> Iterator[Finding]:
    ids = {objective.id: objective for objective in contract.objectives}
    contacts = {*contract.provider.contacts, *contract.client.contacts}
    for index, step in enumerate(contract.escalation):
        loc: Loc = ("escalation", index)
        target = ids[step.objective].target if step.objective in ids else None
        if target is None:
            hint = did_you_mean(step.objective, ids)
            yield (*loc, "objective"), f"no objective is called {step.objective!a}{hint}"
        elif ids[step.objective].metric not in (*_TICKET_METRICS, Metric.SETUP_LEAD_TIME):
            yield (*loc, "objective"), f"only {', '.join(_TICKET_METRICS)} and setup_lead_time have a due instant"
        elif _too_early(step.at.at, target):
            yield (*loc, "at"), f"{step.at} is before the clock of {step.objective} starts: its target is {target}"
        if step.to not in contacts:
            hint = did_you_mean(step.to, contacts)
            yield (*loc, "to"), f"neither party has a contact called {step.to!a}{hint}"
        if step in contract.escalation[:index]:
            yield loc, "this step is here twice"


def _too_early(at: Percentage | Duration, target: Target) -> bool:
    if not isinstance(at, Duration) or not isinstance(target, Duration) or target.unit in ("mo", "bd"):
        return False
    return -at.seconds > target.seconds
