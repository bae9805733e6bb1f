"""Performance: a statistic of the figures of a source against a bound."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from provisioner.model.measurement import Bounds
from provisioner.model.objective import PerformanceTarget
from provisioner.model.sentence import Sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provisioner.model.measurement import Measurement
    from provisioner.terms.objectives.known import Known
    from provisioner.terms.objectives.promise import Promise


def performance(promise: Promise, known: Known) -> Iterator[Measurement]:
    """Yield the one measurement of the period: the statistic of the figures that fall into service time."""
    target, source = promise.objective.target, promise.objective.source or ""
    assert isinstance(target, PerformanceTarget)
    figures = known.figures.get(source)
    values = [figure.value for figure in figures.values if promise.covers(figure.at)] if figures else []
    if not values:
        said = Sentence("{source} gave no figure in {month}", source=source, month=promise.month)
        if figures is not None and figures.reason:
            said = Sentence("{source}: {reason}", source=source, reason=figures.reason)
        yield promise.without(said)
        return
    value = statistic(values, promise.objective.statistic or "")
    kept = value <= target.bound if target.comparison == "<=" else value >= target.bound
    yield promise.judge(kept=kept, bounds=Bounds(value=value, lower=value, upper=value))


def statistic(values: Sequence[Decimal], name: str) -> Decimal:
    """Given values (at least one), return their `mean`, `max`, `min` or percentile `pNN` by nearest rank.

    By nearest rank, pNN is the smallest value that at least NN percent of the values do not exceed: one that was
    measured, never one in between.
    """
    if name == "mean":
        return sum(values, Decimal(0)) / len(values)
    if name in ("max", "min"):
        return max(values) if name == "max" else min(values)
    rank = -(-int(name.removeprefix("p")) * len(values) // 100)
    return sorted(values)[max(rank, 1) - 1]
