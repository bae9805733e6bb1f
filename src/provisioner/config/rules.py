"""Cross-field rules of a contract: what no single field can say. Each rule yields a path and a sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from dateutil.relativedelta import relativedelta

from provisioner.config.calendar_rules import calendar_problems
from provisioner.config.document import Loc, did_you_mean
from provisioner.config.findings import Finding, not_rising, repeated
from provisioner.config.objective_rules import objective_problems
from provisioner.config.recurrence import recurrence_problem, recurrence_warning
from provisioner.model.contract import Contract, RenewalKind
from provisioner.model.values import Duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from provisioner.model.mission_terms import BackupTerms, Pin, SoftwareUpdates, Wave
    from provisioner.model.window import Window

_SAVED = re.compile(r"/|(/(?!\.{1,2}(/|\Z))[^/\x00-\x1f]+)+")
_LEFT_OUT = re.compile(r"(?!!)/?((?!\.{1,2}/)[^/\[\]\\\x00-\x1f]+/)*(?!\.{1,2}/?\Z)[^/\[\]\\\x00-\x1f]+/?")
"""The same as in vars/main.yml of the role backup_agent, which refuses the rest."""

_NO_ZONES = {"Factory", "localtime", "posixrules"}


def problems(contract: Contract) -> Iterator[Finding]:
    """Given a contract whose fields are each valid, yield what does not fit together."""
    yield from _term(contract)
    yield from _zones(contract)
    yield from calendar_problems(contract)
    yield from objective_problems(contract)
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
    last = updates.waves[-1] if updates.waves else None
    if last is not None and (last.count or last.percent or last.group):
        where = ("missions", "software_updates", "waves", len(updates.waves) - 1)
        yield where, "the last wave takes only some machines; leave count, percent and group away to take all the rest"


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


def _names(contract: Contract) -> Iterator[Finding]:
    yield from repeated(("assets",), contract.assets)
    yield from repeated(("approvals", "keys"), (key.name for key in contract.approvals.keys), key="name")
    yield from repeated(("approvals", "second_person"), contract.approvals.second_person)
    keys = (" ".join(key.ssh.split()[:2]) for key in contract.approvals.keys)
    for loc, _ in repeated(("approvals", "keys"), keys, key="ssh"):
        yield loc, "this key is here already under another name"
    if contract.prepaid is not None:
        if not contract.prepaid.hours:
            yield ("prepaid", "hours"), "expected more than no hours"
        yield from not_rising(("prepaid", "warn_at"), contract.prepaid.warn_at)
    backup = contract.missions.backup
    if backup is not None:
        yield from _saved(("missions", "backup"), backup)
        for name, terms in backup.groups.items():
            yield from _saved(("missions", "backup", "groups", name), terms)


def _saved(path: Loc, terms: BackupTerms) -> Iterator[Finding]:
    """What agents can do nothing with: they know absolute paths, and patterns with `*` and `?`."""
    for key in ("stores", "paths", "exclude"):
        yield from repeated((*path, key), getattr(terms, key) or ())
    for index, name in enumerate(terms.paths or ()):
        if not _SAVED.fullmatch(name):
            yield (*path, "paths", index), "expected an absolute path such as /srv, without .. or a slash at its end"
    for index, pattern in enumerate(terms.exclude or ()):
        if not _LEFT_OUT.fullmatch(pattern):
            yield (*path, "exclude", index), "expected a pattern such as *.tmp or /srv/*/cache: * and ?, no brackets"


def _updates(updates: SoftwareUpdates, *, contract: Contract) -> Iterator[Finding]:
    path: Loc = ("missions", "software_updates")
    yield from repeated((*path, "windows"), (window.name for window in updates.windows), key="name")
    yield from repeated((*path, "waves"), (wave.name for wave in updates.waves), key="name")
    for index, window in enumerate(updates.windows):
        yield from (((*path, "windows", index, *loc), text) for loc, text in _window(window, contract=contract))
    for index, freeze in enumerate(updates.freezes):
        if freeze.to < freeze.from_:
            yield (*path, "freezes", index, "to"), f"{freeze.to} is before its first day, {freeze.from_}"
    for index, wave in enumerate(updates.waves):
        last = index == len(updates.waves) - 1
        yield from (((*path, "waves", index), text) for text in _wave(wave, last=last))
    for index, hosts in enumerate(updates.apart):
        if len(hosts) < 2:
            yield (*path, "apart", index), "expected at least two machines to keep apart"
        yield from repeated((*path, "apart", index), hosts)
    for index, pin in enumerate(updates.pinned):
        yield from (((*path, "pinned", index, *loc), text) for loc, text in _pin(pin))


def _wave(wave: Wave, *, last: bool) -> Iterator[str]:
    if wave.count and wave.percent:
        yield "expected count or percent, not both"
    if wave.percent and wave.group:
        yield "percent is of all covered machines; with a group give count, or nothing"
    if not (wave.count or wave.percent or wave.group) and not last:
        yield "only the last wave can take all that are left; give count, percent or group"


def _pin(pin: Pin) -> Iterator[Finding]:
    yield from repeated(("hardware",), pin.hardware)
    yield from repeated(("modules",), pin.modules)


def _window(window: Window, *, contract: Contract) -> Iterator[Finding]:
    if (window.duration is None) == (window.end is None):
        yield (), "expected exactly one of duration and end"
    if window.end == window.start:
        yield ("end",), "a window that ends at the time it starts; write duration: 24h for a whole day"
    if problem := recurrence_problem(window.rrule, starts=contract.starts):
        yield ("rrule",), problem
