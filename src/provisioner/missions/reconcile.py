"""Reconcile: read what machines hold and what the log says, and compare. Changes and records nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from provisioner.config.document import did_you_mean
from provisioner.errors import UsageError
from provisioner.missions.comparison import Difference, Log, compare, read_log
from provisioner.model.values import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from provisioner.execution.ports import Reading, Receipts
    from provisioner.ledger.book import Book
    from provisioner.model.asset import Asset
    from provisioner.model.inventory import Inventory


class Status(StrEnum):
    """What a comparison says as a whole, worst first."""

    EMPTY = "EMPTY"
    DIFFERS = "DIFFERS"
    INCOMPLETE = "INCOMPLETE"
    AGREES = "AGREES"


EXIT_CODES = {Status.EMPTY: 7, Status.DIFFERS: 7, Status.INCOMPLETE: 4, Status.AGREES: 0}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One machine: how many files it holds, how many differ, and why it could not be read if `reason` is not empty."""

    name: str
    receipts: int
    differences: int
    reason: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """What was compared with which log, and what came of it; `warnings` change no status."""

    status: Status
    log: Log
    machines: tuple[Machine, ...]
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0, 4 when a machine was not read, 7 for any difference or an empty log."""
        return EXIT_CODES[self.status]


@dataclass(frozen=True, kw_only=True)
class Question:
    """Which machines of an inventory to ask, all when `host` is empty; `accept` decides about an unknown host key."""

    inventory: Inventory
    host: str
    accept: Callable[[str], bool]

    @property
    def assets(self) -> tuple[Asset, ...]:
        """The machines to ask; raises UsageError when there is none."""
        found = tuple(asset for asset in self.inventory.assets if self.host in ("", asset.name))
        if not found and self.host:
            hint = did_you_mean(self.host, [asset.name for asset in self.inventory.assets])
            raise UsageError(f"no machine is called {shown(self.host)} in {self.inventory.client}{hint}")
        if not found:
            raise UsageError(f"client {self.inventory.client} has no machine: nothing can be compared")
        return found


def reconcile(book: Book, question: Question, receipts: Receipts, *, told: Callable[[str], None]) -> Reconciliation:
    """Read each machine, then the log, and compare; `told` gets one line a machine.

    In this order work that goes on meanwhile accuses nobody: an entry `opened` is durable before its receipt is
    written, and what was closed after the first machine was read is asked of none. Raises UsageError for an unknown
    machine, LedgerError for a log that cannot be read.
    """
    assets, newest = question.assets, book.last()
    readings: dict[str, Reading] = {}
    for asset in assets:
        reading = readings[asset.name] = receipts.read(asset, accept=question.accept)
        found = f"receipts read: {_held(reading)}" if not reading.reason else f"not read: {reading.text}"
        told(f"{asset.name}: {found}")
    log = read_log(book.origin, book.entries())
    before = newest.index + 1 if newest else 0
    machines = {name: tuple(compare(name, reading, log, before=before)) for name, reading in readings.items()}
    differences = tuple(difference for found in machines.values() for difference in found)
    known = {asset.name for asset in question.inventory.assets}
    return Reconciliation(
        status=_status(log, readings.values(), differences),
        log=log,
        machines=tuple(_machine(name, readings[name], len(found)) for name, found in machines.items()),
        differences=differences,
        warnings=_gone(log, known),
    )


def _held(reading: Reading) -> int:
    return len(reading.receipts) + len(reading.damaged)


def _machine(name: str, reading: Reading, differences: int) -> Machine:
    held = _held(reading)
    return Machine(name=name, receipts=held, differences=differences, reason=reading.reason, text=reading.text)


def _status(log: Log, readings: Iterable[Reading], differences: tuple[Difference, ...]) -> Status:
    if log.size == 0:
        return Status.EMPTY
    if differences:
        return Status.DIFFERS
    return Status.INCOMPLETE if any(reading.reason for reading in readings) else Status.AGREES


def _gone(log: Log, known: set[str]) -> tuple[str, ...]:
    """Say which machines nobody can ask any more."""
    gone = {name for work in log.interventions.values() for name in work.done} - known
    return tuple(f"the log has work on {shown(name)}, which is not in hosts.yml: not compared" for name in sorted(gone))
