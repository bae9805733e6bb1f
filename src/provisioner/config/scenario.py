"""Loading a scenario of a simulated rollout: strict YAML, every problem at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.config.decode import decode
from provisioner.config.document import Document, refuse
from provisioner.config.files import read_named
from provisioner.config.yaml import Bounds, parse
from provisioner.model.scenario import FaultKind, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from provisioner.errors import Problem

_BOUNDS = Bounds()


def load_scenario(path: Path, *, waves: Sequence[str]) -> Scenario:
    """Given a path as somebody typed it, and the names of the waves there are, return the scenario.

    Raises ConfigurationError with every problem at its line: a wave that does not exist, `after` on another kind than
    `slow_burn` or missing there, shares of the same machines that come to more than all of them, p95 below the median.
    """
    file = str(path) if str(path).isprintable() else ascii(str(path))[1:-1]
    document = Document(file, parse(read_named(path, name=file, limit=_BOUNDS.size), file=file, bounds=_BOUNDS))
    scenario, problems = decode(Scenario, document)
    if scenario is not None:
        problems = list(_problems(scenario, document, waves))
    refuse(problems)
    assert isinstance(scenario, Scenario)
    return scenario


def _problems(scenario: Scenario, document: Document, waves: Sequence[str]) -> Iterator[Problem]:
    shares: dict[str | None, int] = {}
    for index, fault in enumerate(scenario.faults):
        loc = ("faults", index)
        if (fault.after is not None) != (fault.kind is FaultKind.SLOW_BURN):
            yield document.problem(
                (*loc, "after"), "`after` goes with slow_burn, which needs it, and with no other kind"
            )
        if fault.wave is not None and fault.wave not in waves:
            message = f"there is no wave {fault.wave}; the contract has {', '.join(waves)}"
            yield document.problem((*loc, "wave"), message)
        shares[fault.wave] = shares.get(fault.wave, 0) + int(fault.share.value * 1000)
        if shares[fault.wave] > 100_000:
            yield document.problem((*loc, "share"), "the faults of these machines come to more than all of them")
    if scenario.duration.p95.seconds < scenario.duration.median.seconds:
        yield document.problem(("duration", "p95"), "is less than the median")
