"""What is measured by month rather than by ticket: one function a metric, and the table that names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.model.objective import Metric
from provisioner.terms.objectives.availability import availability
from provisioner.terms.objectives.backups import backup_rpo, drill_cadence, restore_rto
from provisioner.terms.objectives.patch_age import patch_age
from provisioner.terms.objectives.performance import performance
from provisioner.terms.objectives.promise import promises

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from provisioner.model.contract import LoadedContract
    from provisioner.model.measurement import Measurement
    from provisioner.terms.objectives.known import Known
    from provisioner.terms.objectives.promise import Promise

MEASURES: Mapping[Metric, Callable[[Promise, Known], Iterable[Measurement]]] = {
    Metric.AVAILABILITY: availability,
    Metric.PERFORMANCE: performance,
    Metric.PATCH_AGE: patch_age,
    Metric.BACKUP_RPO: backup_rpo,
    Metric.RESTORE_RTO: restore_rto,
    Metric.DRILL_CADENCE: drill_cadence,
}
"""Metric to function: given an objective for a period and what is known, what it came to."""


def measure_months(
    contracts: Sequence[LoadedContract], known: Known, *, as_of: int, traced: bool = False
) -> list[Measurement]:
    """Given contracts and what is known at an instant, return what their objectives by month came to.

    The measurements of a contract are in the order of months, those of a month in the order of the contract.
    """
    found = []
    for loaded in contracts:
        ordered = sorted(promises(loaded, as_of=as_of, traced=traced), key=lambda promise: promise.end)
        found += [one for promise in ordered for one in MEASURES[promise.objective.metric](promise, known)]
    return found
