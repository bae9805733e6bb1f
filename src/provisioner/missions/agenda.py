"""Looking ahead: what a client's contracts ask for, with what the log says was done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import cache
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError, UsageError
from provisioner.missions import ticket_entries, uses
from provisioner.missions.audit import refuse_unknown
from provisioner.model.agenda import Agenda
from provisioner.terms.agenda import Outlook, agenda, in_order
from provisioner.terms.choice import chooser
from provisioner.terms.days import day_of, step
from provisioner.terms.tickets import Contradiction, standing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from provisioner.ledger.book import Book
    from provisioner.ledger.entry import Entry
    from provisioner.missions.measuring import Promises
    from provisioner.model.agenda import Item
    from provisioner.model.balance import Balance
    from provisioner.model.contract import LoadedContract
    from provisioner.model.values import Duration
    from provisioner.terms.tickets import TicketStanding

KINDS = tuple(sorted({*ticket_entries.KINDS, *uses.KINDS}))


def agenda_of(looked: Sequence[Looked], ahead: Duration) -> Agenda:
    """Given what was found at clients (at least one) as of one instant, return it as one agenda."""
    at = looked[0].promises.as_of
    return Agenda(
        as_of=at,
        until=max(_until(loaded, ahead, as_of=at) for one in looked for loaded in one.promises.contracts),
        clients=tuple(one.client for one in looked),
        items=in_order([item for one in looked for item in one.items]),
    )


def _until(loaded: LoadedContract, ahead: Duration, *, as_of: int) -> date:
    """The last day to look at, in the contract's zone."""
    return step(day_of(datetime.fromtimestamp(as_of, UTC), loaded.timezone), ahead, 1)


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What was found at one client: `recorded` is False where it has no log yet."""

    client: str
    promises: Promises
    items: tuple[Item, ...]
    recorded: bool


def look_ahead(book: Book | None, promises: Promises, *, ahead: Duration) -> Looked:
    """Return what a client's contracts ask for until `ahead` (days or months) from then, what is overdue first.

    A client without a log (None: without any ledger) is looked at by the contracts alone. Raises LedgerError where the
    log cannot be read, is gone, or contradicts itself; UsageError where two contracts decide about a ticket.
    """
    client = promises.contracts[0].versions[0].contract.client.id
    recorded = book is not None and not _unknown(book)
    entries = tuple(book.entries(kinds=KINDS)) if book is not None and recorded else ()
    record = ticket_entries.record_of(entries, origin=book.origin if book is not None else client)
    choose = chooser(promises.contracts, membership=promises.membership, contract_id=promises.contract_id)
    try:
        standings = standing(record.tickets, choose, as_of=promises.as_of)
    except Contradiction as error:
        hint = "`invoke audit.show` shows the entry"
        raise LedgerError(f"{record.origin}: entry {error.place}: {error}", hint=hint) from error
    asked = [one for one in promises.contracts if promises.contract_id in (None, one.id)]
    found = [
        item
        for loaded in asked
        for item in agenda(
            Outlook(
                loaded=loaded,
                membership=promises.membership,
                as_of=promises.as_of,
                until=_until(loaded, ahead, as_of=promises.as_of),
                drills=record.drills,
                standings=tuple(_of(standings, loaded)),
                balances_on=_balances(entries, loaded, as_of=promises.as_of),
            )
        )
    ]
    return Looked(client=client, promises=promises, items=in_order(found), recorded=recorded)


def _unknown(book: Book) -> bool:
    try:
        refuse_unknown(book)
    except UsageError:
        return True
    return False


def _of(standings: Sequence[TicketStanding], loaded: LoadedContract) -> Sequence[TicketStanding]:
    return [one for one in standings if any(found.contract == loaded.id for found in one.measurements)]


def _balances(entries: Sequence[Entry], loaded: LoadedContract, *, as_of: int) -> Callable[[date], tuple[Balance, ...]]:
    """The balances of a contract on a day, by what was recorded up to `as_of`."""
    known = [entry for entry in entries if entry.at.timestamp() <= as_of]

    @cache
    def balances_on(day: date) -> tuple[Balance, ...]:
        return uses.balances(known, loaded, at=datetime.combine(day, time(23), UTC))

    return balances_on
