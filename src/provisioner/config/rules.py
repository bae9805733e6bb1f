"""Cross-field rules of a contract: what no single field can say. Each rule yields a path and a sentence."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from dateutil.relativedelta import relativedelta

from provisioner.config.document import Loc, did_you_mean
from provisioner.config.figures import source_problem
from provisioner.config.recurrence import recurrence_problem, recurrence_warning
from provisioner.model.contract import Contract, RenewalKind
from provisioner.model.objective import Metric, Objective, PerformanceTarget
from provisioner.model.values import Duration, Percentage
from provisioner.model.window import WEEKDAYS, Calendar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from provisioner.model.mission_terms import SoftwareUpdates
    from provisioner.model.window import Hours, Window

Finding = tuple[Loc, str]

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
_NO_ZONES = {"Factory", "localtime", "posixrules"}
_TICKET_METRICS = (Metric.RESPONSE_TIME, Metric.UPDATE_TIME, Metric.RESOLUTION_TIME)


def problems(contract: Contract) -> Iterator[Finding]:
    """Given a contract whose fields are each valid, yield what does not fit together."""
    yield from _term(contract)
    yield from _zones(contract)
    yield from _calendars(contract)
    yield from _objectives(contract)
    yield from _escalation(contract)
    yield from _names(contract)
    updates = contract.missions.software_updates
    if updates is not None:
        yield from _updates(updates, contract=contract)


def amendment_problems(signed: Contract, amended: Contract) -> Iterator[Finding]:
    """Given a contract as signed and as amended, each valid by itself, yield what no amendment may change.

    Its days are counted in one zone: with another one a day could be of both terms, or of neither.
    """
    if signed.timezone and amended.timezone and amended.timezone != signed.timezone:
        change = f"an amendment cannot change the time zone from {signed.timezone} to {amended.timezone}"
        yield ("timezone",), f"{change}; where its calendars changed, write timezone: {signed.timezone}"


def warnings(contract: Contract) -> Iterator[Finding]:
    """Given a contract that holds together, yield what is valid and probably not meant."""
    if not contract.assets:
        yield ("assets",), "no group is covered"
    if not any(vars(contract.missions).values()):
        yield ("missions",), "no mission is promised"
    updates = contract.missions.software_updates
    if updates is None:
        return
    for index, window in enumerate(updates.windows):
        if warning := recurrence_warning(window.rrule):
            yield ("missions", "software_updates", "windows", index, "rrule"), warning
    if updates.waves and (updates.waves[-1].count or updates.waves[-1].percent):
        last = ("missions", "software_updates", "waves", len(updates.waves) - 1)
        yield last, "the last wave takes only some machines; leave count and percent away to take all that are left"


def later(day: date, duration: Duration) -> date:
    """Given a day and a duration in days or months, return the day that much later (months clamped, rule 1)."""
    step = relativedelta(months=duration.amount) if duration.unit == "mo" else relativedelta(days=duration.amount)
    return day + step


def _term(contract: Contract) -> Iterator[Finding]:
    starts, ends, renewal = contract.starts, contract.ends, contract.renewal
    if ends < starts:
        yield ("ends",), f"{ends} is before the first day in force, {starts}"
        return
    if contract.review_every and later(starts, contract.review_every) > ends:
        yield ("review_every",), f"the first review, {later(starts, contract.review_every)}, is after the term"
    if renewal.kind is RenewalKind.TACIT:
        for key in ("term", "notice"):
            if getattr(renewal, key) is None:
                yield ("renewal",), f"a tacit renewal needs {key}, such as {key}: {'12mo' if key == 'term' else '90d'}"
    if renewal.notice:
        last = later(ends, Duration(-renewal.notice.amount, renewal.notice.unit))
        if last < starts:
            yield ("renewal", "notice"), f"the last day for notice, {last}, is before the term"
    if renewal.notice_given and renewal.notice_given.on < starts:
        yield ("renewal", "notice_given", "on"), f"notice on {renewal.notice_given.on} is before the term"


def _zones(contract: Contract) -> Iterator[Finding]:
    if not contract.timezone:
        why = "its calendars are in different zones" if contract.calendars else "no calendar names one"
        yield ("timezone",), f"this key is required, because {why}"
    windows = contract.missions.software_updates.windows if contract.missions.software_updates else ()
    named: list[tuple[Loc, str | None]] = [(("timezone",), contract.timezone)]
    named += [(("calendars", name, "timezone"), calendar.timezone) for name, calendar in contract.calendars.items()]
    path = ("missions", "software_updates", "windows")
    named += [((*path, index, "timezone"), window.timezone) for index, window in enumerate(windows)]
    for loc, zone in named:
        if zone and not _zone_exists(zone):
            yield loc, f"unknown time zone {zone!a}{did_you_mean(zone, available_timezones() - _NO_ZONES)}"


def _zone_exists(name: str) -> bool:
    if name in _NO_ZONES:
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _calendars(contract: Contract) -> Iterator[Finding]:
    for name, calendar in contract.calendars.items():
        loc: Loc = ("calendars", name, "hours")
        if not any(calendar.weekly(day) for day in range(7)) and not any(calendar.open.values()):
            yield loc, "this calendar never has service time"
        yield from _overlaps(calendar, loc=loc)
        for day, spans in calendar.open.items():
            if any(first.closes > second.opens for first, second in _pairs(sorted(spans))):
                yield ("calendars", name, "open", str(day)), f"hours of {day} overlap"


def _overlaps(calendar: Calendar, *, loc: Loc) -> Iterator[Finding]:
    for weekday, name in enumerate(WEEKDAYS):
        for first, second in _pairs(calendar.weekly(weekday)):
            if first.closes > second.opens:
                yield loc, f"hours on {name} overlap: {first} and {second}"


def _pairs(items: Iterable[Hours]) -> list[tuple[Hours, Hours]]:
    return list(pairwise(items))


def _objectives(contract: Contract) -> Iterator[Finding]:
    for index, objective in enumerate(contract.objectives):
        loc: Loc = ("objectives", index)
        yield from ((loc + tail, message) for tail, message in _objective(objective))
        if objective.calendar is not None and objective.calendar not in contract.calendars:
            hint = did_you_mean(objective.calendar, contract.calendars)
            yield (*loc, "calendar"), f"no calendar is called {objective.calendar!a}{hint}"


def _objective(objective: Objective) -> Iterator[Finding]:
    kind = _target_kind(objective)
    expected = _TARGETS[objective.metric]
    if kind not in expected:
        yield ("target",), f"{objective.metric} needs a target in {', '.join(expected)}, found {objective.target}"
    if objective.priority and objective.metric not in _TICKET_METRICS:
        yield ("priority",), f"{objective.metric} has no priority; only {', '.join(_TICKET_METRICS)} have"
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


def _tiers(objective: Objective) -> Iterator[Finding]:
    for index, tier in enumerate(objective.penalty.tiers if objective.penalty else ()):
        loc = ("penalty", "tiers", index, "below")
        if not isinstance(objective.target, Percentage):
            yield loc, "tiers are for targets in %"
        elif tier.below > objective.target:
            yield loc, f"{tier.below} is above the target {objective.target}, which would not be a breach"


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
        if step.objective not in ids:
            hint = did_you_mean(step.objective, ids)
            yield (*loc, "objective"), f"no objective is called {step.objective!a}{hint}"
        elif not isinstance(ids[step.objective].target, Duration):
            yield (*loc, "objective"), "only an objective with a duration as its target has a due instant"
        if step.to not in contacts:
            hint = did_you_mean(step.to, contacts)
            yield (*loc, "to"), f"neither party has a contact called {step.to!a}{hint}"


def _names(contract: Contract) -> Iterator[Finding]:
    yield from _repeated(("assets",), contract.assets)
    yield from _repeated(("objectives",), (objective.id for objective in contract.objectives), key="id")
    yield from _repeated(("approvals", "keys"), (key.name for key in contract.approvals.keys), key="name")
    if contract.prepaid and not contract.prepaid.hours:
        yield ("prepaid", "hours"), "expected more than no hours"


def _repeated(loc: Loc, names: Iterable[str], *, key: str = "") -> Iterator[Finding]:
    seen: Counter[str] = Counter()
    for index, name in enumerate(names):
        seen[name] += 1
        if seen[name] == 2:
            yield (*loc, index, key) if key else (*loc, index), f"{name!a} is here twice"


def _updates(updates: SoftwareUpdates, *, contract: Contract) -> Iterator[Finding]:
    path: Loc = ("missions", "software_updates")
    yield from _repeated((*path, "windows"), (window.name for window in updates.windows), key="name")
    yield from _repeated((*path, "waves"), (wave.name for wave in updates.waves), key="name")
    for index, window in enumerate(updates.windows):
        yield from (((*path, "windows", index, *loc), text) for loc, text in _window(window, contract=contract))
    for index, freeze in enumerate(updates.freezes):
        if freeze.to < freeze.from_:
            yield (*path, "freezes", index, "to"), f"{freeze.to} is before its first day, {freeze.from_}"
    for index, wave in enumerate(updates.waves):
        if wave.count and wave.percent:
            yield (*path, "waves", index), "expected count or percent, not both"
        if not wave.count and not wave.percent and index < len(updates.waves) - 1:
            yield (*path, "waves", index), "only the last wave can take all that are left; give count or percent"
    for index, hosts in enumerate(updates.apart):
        if len(hosts) < 2:
            yield (*path, "apart", index), "expected at least two machines to keep apart"
        yield from _repeated((*path, "apart", index), hosts)


def _window(window: Window, *, contract: Contract) -> Iterator[Finding]:
    if (window.duration is None) == (window.end is None):
        yield (), "expected exactly one of duration and end"
    if window.end == window.start:
        yield ("end",), "a window that ends at the time it starts; write duration: 24h for a whole day"
    if problem := recurrence_problem(window.rrule, starts=contract.starts):
        yield ("rrule",), problem
