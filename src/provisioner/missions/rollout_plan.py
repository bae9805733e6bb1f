"""The rollout that would begin next: its waves, when each would be through, and what that does to deadlines."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from provisioner.missions.scan_entries import last_seen
from provisioner.model.rollout_plan import PlannedMachine, RolloutPlan, Undo
from provisioner.planning.openings import Openings
from provisioner.planning.rings import foresee

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provisioner.ledger.book import Book
    from provisioner.missions.rollout_task import Task
    from provisioner.missions.scan_entries import SeenUpdate
    from provisioner.model.rollout_plan import PlannedWave

AHEAD = 30 * 86_400
"""How far windows are listed."""


def plan_rollout(task: Task, book: Book | None, *, at: int) -> RolloutPlan:
    """Given a client's machines and contract, plan the rollout that would begin at an instant or after it.

    What waits on each machine, and whether it can be undone, is what its last scan in the log says.
    Raises UsageError where no machine is covered, or no updates are promised.
    """
    contract, updates = task.terms(at)
    openings = Openings(contract, updates)
    found = foresee(updates, task.waves(at), openings=openings, at=at)
    told = {"contract": task.contract.digest, "waves": [[wave.name, *wave.assets] for wave in found.waves]}
    return RolloutPlan(
        contract=contract.id,
        zone=contract.timezone or "UTC",
        digest=hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest(),
        at=at,
        batch=updates.batch,
        waves=found.waves,
        machines=tuple(_machines(found.waves, last_seen(book.entries(kinds=("scan",))) if book else {})),
        deadlines=found.deadlines,
        openings=tuple(_ahead(openings, at)),
    )


def _machines(
    waves: Iterable[PlannedWave], scans: Mapping[str, tuple[int, tuple[SeenUpdate, ...]]]
) -> Iterator[PlannedMachine]:
    for asset, wave in [(asset, one.name) for one in waves for asset in one.assets]:
        if asset not in scans:
            yield PlannedMachine(asset=asset, wave=wave, undo=Undo.UNKNOWN)
            continue
        scanned, pending = scans[asset]
        taken = [row for row in pending if not row.kept]
        lost = tuple(row.name for row in taken if not row.undo)
        yield PlannedMachine(
            asset=asset,
            wave=wave,
            undo=Undo.NONE if lost else Undo.DOWNGRADE,
            scanned=scanned,
            taken=len(taken),
            security=sum(row.security for row in taken),
            kept=len(pending) - len(taken),
            lost=lost,
        )


def _ahead(openings: Openings, at: int) -> Iterator[tuple[int, int]]:
    """The openings of the days ahead."""
    step = at
    while (span := openings.fitting(step, 1)) is not None and span[0] < at + AHEAD:
        yield span[0], min(span[1], at + AHEAD)
        step = span[1]
