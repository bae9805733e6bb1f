"""The agenda of a contract: reviews, notice, end, amendments, drills, pins, what expires, what is due and escalates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from provisioner.model.agenda import Item, ItemKind
from provisioner.model.balance import Unit
from provisioner.model.contract import RenewalKind
from provisioner.model.mission import MissionKind
from provisioner.model.sentence import Sentence, at_instant
from provisioner.model.values import Duration, Percentage
from provisioner.terms.allowances import clause as allowance_clause
from provisioner.terms.days import day_of, step
from provisioner.terms.escalation import levels
from provisioner.terms.term import ONE_DAY, ends_of_terms, last_day, last_useful_day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from provisioner.model.balance import Balance
    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.objective import Threshold
    from provisioner.model.record import Membership
    from provisioner.model.service_event import Drill
    from provisioner.terms.tickets import RunningClock, TicketStanding


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What the agenda of one contract rests on: its terms, what happened so far, and from when to when to look.

    `standings` are those of the client's tickets at `as_of`, in POSIX seconds; `balances_on` gives the balances of a
    day if nothing more is used; `until` is the last day.
    """

    loaded: LoadedContract
    membership: Membership
    as_of: int
    until: date
    drills: tuple[Drill, ...] = ()
    standings: tuple[TicketStanding, ...] = ()
    balances_on: Callable[[date], tuple[Balance, ...]] = lambda _day: ()

    @property
    def today(self) -> date:
        """The day of `as_of` in the contract's zone."""
        return day_of(at_instant(self.as_of), self.loaded.timezone)

    def versions(self) -> Iterator[tuple[Contract, date, date]]:
        """Yield the terms in force from today on, each with its first and last day among those to look at (rule 8)."""
        known = self.loaded.versions
        for number, version in enumerate(known):
            first = max(version.effective, self.today) if number else self.today
            last = min(known[number + 1].effective - ONE_DAY, self.until) if number + 1 < len(known) else self.until
            end = last_day(version.contract)
            last = last if end is None else min(last, end)
            if first <= last:
                yield version.contract, first, last

    def item(self, kind: ItemKind, clause: str, day: date, text: Sentence, *, subject: str = "") -> Item:
        """Return an item of a whole day, overdue when that is over."""
        return Item(
            client=self.loaded.versions[0].contract.client.id,
            contract=self.loaded.id,
            kind=kind,
            clause=clause,
            subject=subject or day.isoformat(),
            day=day,
            overdue=day < self.today,
            text=text,
        )

    def timed(self, kind: ItemKind, clause: str, at: int, text: Sentence, *, subject: str) -> Item:
        """Return an item of an instant, overdue when that is past."""
        return Item(
            client=self.loaded.versions[0].contract.client.id,
            contract=self.loaded.id,
            kind=kind,
            clause=clause,
            subject=subject,
            day=day_of(at_instant(at), self.loaded.timezone),
            at=at,
            overdue=at < self.as_of,
            text=text,
        )


def agenda(outlook: Outlook) -> tuple[Item, ...]:
    """Given an outlook, return what the contract asks for, what is overdue first, then by day and instant.

    A contract that has ended asks for nothing but what is due on its tickets; reviews that are past are passed over,
    since nothing records whether they were held.
    """
    sources = (_reviews, _ends, _amendments, _drills, _pins, _expiries, _tickets)
    found = [item for source in sources for item in source(outlook) if item.overdue or item.day <= outlook.until]
    return in_order(found)


def in_order(items: list[Item]) -> tuple[Item, ...]:
    """Given items, return those that are overdue first; then by day, whole days before instants."""
    return tuple(
        sorted(
            items,
            key=lambda one: (
                *(not one.overdue, one.day, one.at or 0, one.client, one.contract),
                *(one.kind, one.clause, one.subject),
            ),
        )
    )


def _reviews(outlook: Outlook) -> Iterator[Item]:
    for contract, first, last in outlook.versions():
        if contract.review_every is None:
            continue
        times = 1
        while (day := step(contract.starts, contract.review_every, times)) <= last:
            if day >= first:
                text = Sentence(
                    "review of contract {contract}, every {span}", contract=contract.id, span=contract.review_every
                )
                yield outlook.item(ItemKind.REVIEW, "review_every", day, text)
            times += 1


def _ends(outlook: Outlook) -> Iterator[Item]:
    """Last useful days of notice, renewals and the end, by the terms of today (rule 9)."""
    contract = outlook.loaded.as_of(outlook.today)
    final = last_day(contract)
    for end in ends_of_terms(contract):
        notice = last_useful_day(contract, end)
        if min(end, notice) > outlook.until or (final is not None and end > final):
            return
        if end == final:
            if end >= outlook.today:
                yield outlook.item(ItemKind.END, _end_clause(contract), end, _ending(contract, end))
            return
        if contract.renewal.notice is not None and outlook.today <= notice <= outlook.until:
            text = Sentence(
                "last day on which notice that ends contract {contract} on {end} can be received",
                contract=contract.id,
                end=end,
            )
            yield outlook.item(ItemKind.NOTICE, "renewal.notice", notice, text)
        if outlook.today <= end + ONE_DAY <= outlook.until:
            text = Sentence(
                "contract {contract} renews for {term} unless notice was received by {notice}",
                contract=contract.id,
                term=contract.renewal.term,
                notice=notice,
            )
            yield outlook.item(ItemKind.RENEWAL, "renewal.term", end + ONE_DAY, text)


def _end_clause(contract: Contract) -> str:
    return "ends" if contract.renewal.notice_given is None else "renewal.notice_given"


def _ending(contract: Contract, end: date) -> Sentence:
    if contract.renewal.kind is RenewalKind.EXPRESS:
        return Sentence("last day of contract {contract}, unless it is renewed expressly", contract=contract.id)
    if contract.renewal.notice_given is not None and contract.renewal.kind is RenewalKind.TACIT:
        on = contract.renewal.notice_given.on
        return Sentence("last day of contract {contract}: notice was received on {on}", contract=contract.id, on=on)
    return Sentence("last day of contract {contract}", contract=contract.id)


def _amendments(outlook: Outlook) -> Iterator[Item]:
    for index, amendment in enumerate(outlook.loaded.versions[0].contract.amendments):
        if outlook.today <= amendment.effective <= outlook.until:
            text = Sentence(
                "an amendment of contract {contract} takes effect: {keys}",
                contract=outlook.loaded.id,
                keys=", ".join(sorted(amendment.set)),
            )
            yield outlook.item(ItemKind.AMENDMENT, f"amendments[{index}]", amendment.effective, text)


def _drills(outlook: Outlook) -> Iterator[Item]:
    """Restore drills, counted from the last one that passed, or from the first day where none did.

    A group with a cadence of its own counts its own drills; a full drill is a sample too.
    """
    contract = outlook.loaded.as_of(outlook.today)
    backup, final = contract.missions.backup, last_day(contract)
    if backup is None or (final is not None and final < outlook.today):
        return
    for key, full in (("drill_every", False), ("full_drill_every", True)):
        own = frozenset(name for name, terms in backup.groups.items() if getattr(terms, key) is not None)
        passed = [one for one in outlook.drills if one.passed and one.ended <= outlook.as_of and one.full >= full]
        cadences = [("missions.backup", getattr(backup, key), own, False)]
        cadences += [
            (f"missions.backup.groups.{name}", getattr(backup.groups[name], key), frozenset({name}), True)
            for name in sorted(own)
        ]
        for clause, every, groups, inside in cadences:
            theirs = [one.at for one in passed if outlook.membership.in_any(one.asset, groups) is inside]
            last = day_of(at_instant(max(theirs)), outlook.loaded.timezone) if theirs else contract.starts
            if every is not None and (final is None or step(last, every, 1) <= final):
                text = _drill(full=full, every=every, last=last if theirs else None)
                day = step(last, every, 1)
                yield outlook.item(ItemKind.DRILL, f"{clause}.{key}", day, text, subject=last.isoformat())


def _drill(*, full: bool, every: Duration, last: date | None) -> Sentence:
    if last is None and full:
        return Sentence("full restore drill, every {every}; none has passed yet", every=every)
    if last is None:
        return Sentence("restore drill, every {every}; none has passed yet", every=every)
    if full:
        return Sentence("full restore drill, every {every}; the last one passed on {last}", every=every, last=last)
    return Sentence("restore drill, every {every}; the last one passed on {last}", every=every, last=last)


def _pins(outlook: Outlook) -> Iterator[Item]:
    for contract, first, last in outlook.versions():
        updates = contract.missions.software_updates
        for index, pin in enumerate(updates.pinned if updates else ()):
            if first <= pin.until <= last:
                text = Sentence(
                    "last day on which {package} is held back ({reason}); {owner} answers for it",
                    package=pin.package,
                    reason=pin.reason,
                    owner=pin.owner,
                )
                clause = f"missions.software_updates.pinned[{index}]"
                yield outlook.item(ItemKind.PIN, clause, pin.until, text, subject=pin.package)


def _expiries(outlook: Outlook) -> Iterator[Item]:
    """What of this period's allowances and prepaid hours is lost at its end if nobody uses it (rule 12)."""
    final = last_day(outlook.loaded.as_of(outlook.today))
    for now in outlook.balances_on(outlook.today):
        after = now.last + ONE_DAY
        carried = next((one for one in outlook.balances_on(after) if one.clause == now.clause), None)
        moved = max(carried.granted - _granted(outlook.loaded, carried, after), 0) if carried else 0
        lost, day = now.left - moved, now.last if final is None else min(now.last, final)
        if lost > 0 and day >= outlook.today:
            yield outlook.item(ItemKind.EXPIRY, now.clause, day, _lost(now, lost))


def _granted(loaded: LoadedContract, balance: Balance, day: date) -> int:
    """What the period of a balance brings by itself, nothing carried in."""
    terms = loaded.as_of(day)
    final = last_day(terms)
    if final is not None and balance.first > final:
        return 0
    if balance.unit is Unit.SECONDS:
        return int(terms.prepaid.hours * 3600) if terms.prepaid else 0
    found = (terms.mission(kind) for kind in MissionKind if balance.clause == allowance_clause(kind))
    return sum(each.allowance.count for each in found if each and each.allowance)


def _lost(balance: Balance, lost: int) -> Sentence:
    if balance.unit is Unit.SECONDS:
        time = timedelta(seconds=lost)
        return Sentence("last day of the period: {time} of prepaid labour expire unless they are used", time=time)
    return Sentence(
        "last day of the period: {lost} of {granted} assets of {clause} expire unless they are used",
        lost=lost,
        granted=balance.granted,
        clause=balance.clause,
    )


def _tickets(outlook: Outlook) -> Iterator[Item]:
    """When the clocks of open tickets are due, and their next levels of escalation; a held clock has no instant."""
    for standing in outlook.standings:
        for clock in standing.clocks:
            measurement, name = clock.measurement, clock.objective.id
            if measurement.contract != outlook.loaded.id:
                continue
            if measurement.due is not None:
                yield outlook.timed(
                    ItemKind.DUE,
                    measurement.clause,
                    measurement.due,
                    Sentence("{objective} of ticket {ticket} is due", objective=name, ticket=_named(standing)),
                    subject=standing.ticket,
                )
            yield from _levels(outlook, standing, clock)


def _levels(outlook: Outlook, standing: TicketStanding, clock: RunningClock) -> Iterator[Item]:
    bound = clock.measurement.bound if clock.measurement.bound is not None else standing.opened
    contract = outlook.loaded.as_of(day_of(at_instant(bound), outlook.loaded.timezone))
    contacts = {**contract.client.contacts, **contract.provider.contacts}
    for level in levels(contract, clock, cause=standing.cause, as_of=outlook.as_of):
        if level.at is not None:
            text = Sentence(
                "tell {to} ({contact}): {objective} of ticket {ticket} comes to {threshold}",
                to=level.to,
                contact=contacts.get(level.to, "?"),
                objective=clock.objective.id,
                ticket=_named(standing),
                threshold=_threshold(level.threshold),
            )
            yield outlook.timed(ItemKind.ESCALATION, level.clause, level.at, text, subject=standing.ticket)


def _named(standing: TicketStanding) -> str:
    return ", ".join(filter(None, (standing.ticket, standing.priority, standing.asset)))


def _threshold(threshold: Threshold) -> Sentence:
    if isinstance(threshold.at, Percentage):
        return Sentence("{share} of its time", share=threshold.at)
    span = Duration(abs(threshold.at.amount), threshold.at.unit)
    if threshold.at.amount < 0:
        return Sentence("{span} before it is due", span=span)
    return Sentence("{span} after it was due", span=span)
