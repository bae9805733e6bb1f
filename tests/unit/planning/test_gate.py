"""Limits are passed strictly above them, on machines that were tried."""

from __future__ import annotations

import pytest
from tests.unit.planning._rollouts import gate

from provisioner.model.rollout import Attempt, HostState
from provisioner.planning.gate import Tally, passed


def tally(*states: HostState, tried: bool = True) -> Tally:
    found = Tally()
    for number, state in enumerate(states):
        found.add(Attempt(f"m{number}", state, 0, 60, attempted=tried))
    return found


P, F, U, K = HostState.PATCHED, HostState.FAILED, HostState.UNREACHABLE, HostState.UNKNOWN


@pytest.mark.parametrize(
    ("states", "limits", "code"),
    [
        ([P] * 4, ("0", "0"), None),
        ([P] * 19 + [F], ("5", "0"), None),  # at the limit
        ([P] * 18 + [F], ("5", "0"), "max_failed"),
        ([P] * 19 + [HostState.PARTIAL], ("4.999", "0"), "max_failed"),  # partial counts as failed
        ([P] * 9 + [U], ("0", "10"), None),
        ([P] * 8 + [U], ("0", "10"), "max_unreachable"),
        ([P] * 8 + [U, K], ("0", "10"), "max_unreachable"),  # unknown counts as unreachable
        ([P] * 8 + [U, K], ("0", "20"), None),
        ([F] * 3, ("100", "0"), None),
        ([HostState.DEFERRED] * 9 + [F], ("10", "0"), None),
    ],
)
def test_limits(states: list[HostState], limits: tuple[str, str], code: str | None) -> None:
    found = passed(tally(*states), gate(*limits))
    assert (found.code if found else None) == code


def test_below_the_least_sample_nothing_is_said() -> None:
    assert passed(tally(F, F), gate(min_sample=3)) is None
    assert passed(tally(F, F, P), gate(min_sample=3)) is not None
    assert passed(tally(), gate(min_sample=0)) is None


def test_machines_that_nobody_tried_do_not_count() -> None:
    both = tally(F)
    for _ in range(99):
        both.add(Attempt("x", HostState.DEFERRED, 0, 0, attempted=False))
    found = passed(both, gate("50"))
    assert found is not None and found.text == "1 of 1 machines failed, more than the 50% of gate.max_failed"
