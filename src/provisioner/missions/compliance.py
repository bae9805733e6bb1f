"""Compliance of a client's machines with the contract's deadlines for updates, out of the log; nothing is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.missions.ticket_entries import record_of
from provisioner.terms.compliance import compliance

if TYPE_CHECKING:
    from provisioner.ledger.book import Book
    from provisioner.missions.rollout_task import Task
    from provisioner.model.compliance import MachineCompliance


def deadlines_kept(task: Task, book: Book | None, *, at: int) -> tuple[MachineCompliance, ...]:
    """Where each covered machine stands at an instant, by its last scan before; LedgerError as `record_of` says."""
    _, updates = task.terms(at)
    scans = record_of(book.entries(kinds=("scan",)), origin=book.origin).scans if book else ()
    last = {scan.asset: scan for scan in scans if scan.at <= at}
    return compliance(updates.deadlines, [asset.name for asset in task.covered(at)], last, at=at)
