"""A simulated rollout: faults end as they should, the blast is bounded, the same seed is the same rollout."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.planning._rollouts import DAY, HOUR, TUESDAY, contract, gate, updates, waves

from provisioner.model.rollout import HostState, Simulated
from provisioner.model.scenario import Fault, FaultKind, Scenario
from provisioner.model.values import Duration, Percentage
from provisioner.planning.openings import Openings
from provisioner.planning.simulation import simulate
from provisioner.planning.waves import plan_waves

if TYPE_CHECKING:
    from provisioner.model.mission_terms import SoftwareUpdates


def simulated(terms: SoftwareUpdates, hosts: int, *faults: Fault, seed: int = 7, start: int = TUESDAY) -> Simulated:
    planned = plan_waves(terms, {f"m{number}": frozenset() for number in range(hosts)})
    openings = Openings(contract(terms), terms)
    return simulate(terms, planned, openings=openings, scenario=Scenario(faults=faults), draw=(start, seed))


def fault(kind: FaultKind, share: str, **more: Any) -> Fault:
    return Fault(kind=kind, share=Percentage(Decimal(share)), **more)


LENIENT = gate("100", "100")


def test_without_faults_all_are_patched_over_as_many_windows_as_it_takes() -> None:
    found = simulated(updates(waves=waves(1, None, soak="24h"), batch=20), 400)
    assert found.states[HostState.PATCHED] == found.blast_radius == found.attempted == 400
    assert (found.halt, found.stuck, found.not_evaluable) == (None, None, ())
    first, second = found.waves
    assert first.opened == TUESDAY and second.opened == TUESDAY + 7 * DAY
    assert second.closed is not None and second.closed > TUESDAY + 14 * DAY


@pytest.mark.parametrize(
    ("kind", "state", "begun"),
    [
        (FaultKind.INSTALL, HostState.FAILED, 10),
        (FaultKind.LIES, HostState.FAILED, 10),
        (FaultKind.AFTER_REBOOT, HostState.UNKNOWN, 10),
        (FaultKind.UNREACHABLE, HostState.UNREACHABLE, 7),
    ],
)
def test_a_fault_is_what_machines_end_as(kind: FaultKind, state: HostState, begun: int) -> None:
    found = simulated(updates(gate=LENIENT), 10, fault(kind, "25"))
    assert (found.states[state], found.states[HostState.PATCHED]) == (3, 7), "a quarter of ten, rounded up"
    assert (found.attempted, found.blast_radius) == (10, begun)


def test_w3_a_canary_that_fails_whole_halts_with_nobody_else_touched() -> None:
    terms = updates(waves=waves(10, None), gate=gate("20"))
    found = simulated(terms, 100, fault(FaultKind.INSTALL, "100", wave="wave-1"))
    assert found.halt is not None and (found.halt.wave, found.halt.code) == ("wave-1", "max_failed")
    assert (found.blast_radius, found.states[HostState.UNTOUCHED]) == (10, 90)


def test_w4_too_few_machines_are_no_success() -> None:
    found = simulated(updates(gate=gate(min_sample=5)), 3)
    assert found.not_evaluable == ("all",)


@pytest.mark.parametrize(("after", "halts"), [("12h", True), ("36h", False)])
def test_what_shows_late_stops_the_next_wave_if_it_was_watched_long_enough(after: str, halts: bool) -> None:
    terms = updates(waves=waves(4, None, soak="24h"), windows=())
    slow = fault(FaultKind.SLOW_BURN, "100", wave="wave-1", after=Duration.parse(after))
    found = simulated(terms, 20, slow)
    assert found.states[HostState.PATCHED] == (4 if halts else 20)
    assert (found.halt is not None) == halts
    if found.halt is not None:
        assert (found.halt.code, found.blast_radius) == ("incident", 4)
        assert TUESDAY + 12 * HOUR < found.finished < TUESDAY + 14 * HOUR


def test_no_window_that_is_long_enough_is_said() -> None:
    terms = updates()
    planned = plan_waves(terms, {"m0": frozenset()})
    openings = Openings(contract(terms, ends=date(2026, 11, 1)), terms)
    found = simulate(terms, planned, openings=openings, scenario=Scenario(), draw=(TUESDAY, 1))
    assert found.stuck is not None and found.stuck.code == "never"
    assert found.states[HostState.UNTOUCHED] == 1


kinds = st.sampled_from([kind for kind in FaultKind if kind is not FaultKind.SLOW_BURN])


@settings(max_examples=80)
@given(kinds, st.integers(1, 100), st.integers(1, 60), st.integers(1, 9), st.integers(0, 99))
def test_the_sum_of_the_states_is_the_inventory_and_the_blast_is_a_batch_beyond_the_gate(
    kind: FaultKind, share: int, hosts: int, batch: int, seed: int
) -> None:
    terms = updates(waves=waves(2, 5, None), gate=gate("10", "10"), batch=batch)
    found = simulated(terms, hosts, fault(kind, str(share)), seed=seed)
    assert sum(found.states.values()) == hosts == sum(wave.assets for wave in found.waves)
    assert found.attempted == hosts - found.states[HostState.UNTOUCHED]
    bad = sum(found.states[state] for state in (HostState.FAILED, HostState.UNKNOWN, HostState.UNREACHABLE))
    assert bad <= max(0.1 * found.attempted, 0) * len(found.waves) + batch
    assert simulated(terms, hosts, fault(kind, str(share)), seed=seed) == found
