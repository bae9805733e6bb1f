"""Measuring: what was promised, measured and owed, from a record alone or from a client's log."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from provisioner.config.events import load_events, located
from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import merkle, published
from provisioner.ledger.head import HINT
from provisioner.missions import uses
from provisioner.missions.audit import refuse_unknown
from provisioner.missions.recording import NAMING
from provisioner.missions.ticket_entries import record_of
from provisioner.model.sentence import Sentence
from provisioner.model.service_event import TicketEventKind
from provisioner.model.values import shown
from provisioner.terms.statement import held, statement
from provisioner.terms.tickets import Contradiction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from provisioner.ledger.book import Book
    from provisioner.ledger.checkpoint import Checkpoint
    from provisioner.ledger.entry import Entry
    from provisioner.model.balance import Balance
    from provisioner.model.contract import LoadedContract
    from provisioner.model.measurement import Measurement, Statement
    from provisioner.model.record import Figures, Membership, Record


@dataclass(frozen=True, kw_only=True)
class Promises:
    """What is measured by: the contracts, who is in which group, the figures by source, and up to which instant.

    `as_of` is in POSIX seconds. `contract_id` is the contract that was asked for where two decide.
    """

    contracts: tuple[LoadedContract, ...]
    membership: Membership
    as_of: int
    contract_id: str | None = None
    figures: Mapping[str, Figures] | None = None

    @property
    def decisive(self) -> tuple[LoadedContract, ...]:
        """The contracts to measure by: the one that was asked for, or all; UsageError where there is no such one."""
        found = tuple(one for one in self.contracts if self.contract_id in (None, one.id))
        if not found:
            ids = ", ".join(one.id for one in self.contracts)
            raise UsageError(f"there is no contract {shown(self.contract_id or '')}; there is {ids}")
        return found


@dataclass(frozen=True, kw_only=True)
class Stated:
    """A statement over a log: of how many entries, under which root; what is to be said about it beside itself.

    `balances` are those of allowances and prepaid hours at the end of the month, or at `as_of` before that.
    Whoever has these entries, these contract texts and the machines' groups gets the same statement.
    """

    statement: Statement
    size: int
    root: bytes
    warnings: tuple[str, ...]
    balances: tuple[Balance, ...]


def replay(events: Path, promises: Promises) -> Statement:
    """Return what a file of events comes to under the contracts; nothing else is read.

    Raises ConfigurationError with the lines that are no events or contradict others, UsageError for two contracts that
    decide.
    """
    with _uncollected():
        record = load_events(events)
        try:
            return _measure(record, promises)
        except Contradiction as error:
            raise located(record, place=error.place, message=str(error)) from error


@contextmanager
def _uncollected() -> Iterator[None]:
    """Pause the collector of cycles: a year of tickets is millions of values that form none, walked over and over."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _measure(record: Record, promises: Promises) -> Statement:
    figures = promises.figures if promises.figures is not None else record.figures
    found = statement(
        promises.decisive,
        replace(record, figures=figures),
        membership=promises.membership,
        as_of=promises.as_of,
        traced=True,
    )
    return replace(found, notes=(*found.notes, *record.notes))


def state(book: Book, promises: Promises, *, period: str) -> Stated:
    """Return the statement of a month such as 2026-10 over a client's log, which is read once and only read.

    Raises UsageError where the client has no log, or the month has not begun at `as_of`; LedgerError where the log
    cannot be read, is not what was last signed, or contradicts itself.
    """
    _refuse_future(period, promises)
    refuse_unknown(book)
    reading = _Reading(published.latest(book.checkpoint_folder))
    with _uncollected():
        record = record_of(reading.through(book.entries()), origin=book.origin)
        reading.refuse_other(book.origin)
        try:
            whole = _measure(record, promises)
        except Contradiction as error:
            hint = "`invoke audit.show` shows the entry"
            raise LedgerError(f"{book.origin}: entry {error.place}: {error}", hint=hint) from error
    size, root = reading.frontier.size, reading.frontier.root
    said = "{period}, from {size} entries of the log {log}, root {root}"
    read = Sentence(said, period=period, size=size, log=book.origin, root=root.hex())
    month = of_month(whole, period, record=record, contracts=promises.contracts)
    return Stated(
        statement=replace(month, notes=(read, *month.notes)),
        size=size,
        root=root,
        warnings=(*_other_texts(reading.named, promises.decisive), *_gone(record, promises.membership)),
        balances=tuple(_balances(reading.drawing, promises, period=period)),
    )


def _balances(entries: Sequence[Entry], promises: Promises, *, period: str) -> Iterator[Balance]:
    for loaded in promises.decisive:
        first = datetime.fromisoformat(f"{period}-01").replace(tzinfo=ZoneInfo(loaded.timezone or "UTC"))
        ended = int((first + timedelta(days=31)).replace(day=1).timestamp())
        yield from uses.balances(entries, loaded, at=datetime.fromtimestamp(min(ended - 1, promises.as_of), UTC))


def _refuse_future(period: str, promises: Promises) -> None:
    if all(_month(promises.as_of, contract) < period for contract in promises.decisive):
        at = max(_month(promises.as_of, contract) for contract in promises.decisive)
        raise UsageError(f"{period} has not begun: the statement is as of {at}", hint="name a month that has")


def of_month(whole: Statement, period: str, *, record: Record, contracts: Sequence[LoadedContract]) -> Statement:
    """Return what a statement says of one month, in the time zone of each contract.

    A result by month is kept if it is of that month. A clock is kept if the month touches its life: from the opening
    of its ticket until it stopped, or was breached, or, where it did neither, until `as_of`; what was not measured
    is kept in the month in which its ticket was opened. Credits and the total are those of the month.
    """
    zones = {contract.id: contract for contract in contracts}
    openings = {event.ticket: event.at for event in record.tickets if event.kind is TicketEventKind.OPENED}

    def touches(measurement: Measurement) -> bool:
        if measurement.month is not None:
            return measurement.month == period
        first, last = _life(measurement, openings, whole.as_of)
        contract = zones[measurement.contract]
        return _month(first, contract) <= period <= _month(last, contract)

    kept = tuple(measurement for measurement in whole.measurements if touches(measurement))
    return replace(
        whole,
        measurements=kept,
        credits=tuple(credit for credit in whole.credits if credit.month == period),
        totals={month: total for month, total in whole.totals.items() if month == period},
        held_seconds=held(kept),
    )


def _life(measurement: Measurement, openings: Mapping[str, int], as_of: int) -> tuple[int, int]:
    first = openings.get(measurement.ticket or "", as_of)
    ended = [at for at in (measurement.stopped, measurement.breached_at, measurement.bound) if at is not None]
    if measurement.stopped is None and measurement.state.value in ("running", "held", "breached"):
        return first, as_of
    return first, max(ended, default=first)


def _month(at: int, contract: LoadedContract) -> str:
    return datetime.fromtimestamp(at, ZoneInfo(contract.timezone or "UTC")).strftime("%Y-%m")


class _Reading:
    """One reading of a log: its tree as far as it was read, the contract texts that it names, and what drew."""

    def __init__(self, signed: Checkpoint | None) -> None:
        self.frontier = merkle.Frontier()
        self.named: dict[str, tuple[str, int]] = {}
        self.drawing: list[Entry] = []
        self._signed = signed
        self._at_signed: bytes | None = None

    def through(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            self.frontier, _ = merkle.extend(self.frontier, (entry.hash,))
            if self._signed and self.frontier.size == self._signed.size:
                self._at_signed = self.frontier.root
            digest = entry.body.get("digest") or entry.body.get("contract_digest")
            if entry.kind in NAMING and isinstance(digest, str):
                self.named[str(entry.body.get("contract"))] = (digest, entry.index)
            if entry.kind in uses.INTERVENTIONS or (entry.kind in uses.KINDS and entry.body.get("spent")):
                self.drawing.append(entry)
            yield entry

    def refuse_other(self, origin: str) -> None:
        """Raise LedgerError where the log is not the one whose newest checkpoint lies beside it."""
        if self._signed and self._at_signed != self._signed.root:
            raise LedgerError(
                f"{origin}: the entries are not those whose checkpoint of {self._signed.size} was signed", hint=HINT
            )


def _other_texts(named: Mapping[str, tuple[str, int]], contracts: Iterable[LoadedContract]) -> Iterator[str]:
    for contract in contracts:
        digest, index = named.get(contract.id, (contract.digest, 0))
        if digest != contract.digest:
            yield (
                f"contract {contract.id} is measured by the text of {contract.path}, which is not the one that entry "
                f"{index} names ({digest[:12]}…)"
            )


def _gone(record: Record, membership: Membership) -> Iterator[str]:
    named = {event.asset for event in record.tickets if event.asset is not None}
    named |= {event.asset for event in record.assets}
    known = named if membership.groups is None else membership.groups.keys()
    if gone := sorted(named - known):
        yield f"no longer in hosts.yml, and so measured as uncovered: {', '.join(gone)}"
