"""Simulating a rollout under a client's contract: the planner and gates of a real one, machines out of a seed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, cycle, islice
from typing import TYPE_CHECKING

from provisioner.config.scenario import load_scenario
from provisioner.errors import UsageError
from provisioner.missions.standing import standing_ones
from provisioner.planning.openings import Openings
from provisioner.planning.simulation import simulate
from provisioner.planning.waves import plan_waves
from provisioner.terms.term import terms_on

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.inventory import Inventory
    from provisioner.model.mission_terms import SoftwareUpdates
    from provisioner.model.rollout import Simulated


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A rollout to simulate: how many machines, what goes wrong (a file), from when (POSIX seconds), the seed."""

    hosts: int
    scenario: Path
    start: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What it came to, and under which contract's terms."""

    contract: str
    updates: SoftwareUpdates
    found: Simulated


def simulate_rollout(
    trial: Trial, contracts: Sequence[LoadedContract], inventory: Inventory, *, contract_id: str | None
) -> Tried:
    """Given a trial and a client's contracts and machines, run it under the terms of the day it starts.

    The covered machines come first, by name, and as many made-up ones as it takes. Raises UsageError where not exactly
    one contract decides or it promises no updates, ConfigurationError for the scenario.
    """
    at = datetime.fromtimestamp(trial.start, UTC)
    found = standing_ones(contracts, at, contract_id=contract_id)
    if len(found) > 1:
        ids = ", ".join(contract.id for contract in found)
        raise UsageError(f"several contracts are in force: {ids}", hint=f"say which with --contract-id {found[0].id}")
    terms, _ = terms_on(found[0], at)
    updates = terms.missions.software_updates
    if updates is None:
        raise UsageError(f"contract {terms.id} promises no software_updates", hint="there are no waves to simulate")
    waves = plan_waves(updates, _machines(terms, inventory, trial.hosts))
    scenario = load_scenario(trial.scenario, waves=[wave.name for wave in waves])
    simulated = simulate(
        updates, waves, openings=Openings(terms, updates), scenario=scenario, draw=(trial.start, trial.seed)
    )
    return Tried(contract=terms.id, updates=updates, found=simulated)


def _machines(terms: Contract, inventory: Inventory, hosts: int) -> dict[str, frozenset[str]]:
    """So many machines, each with its groups: made-up ones take those of the covered ones in turn."""
    covered = {one.name: one.groups for one in inventory.assets if one.groups.intersection(terms.assets)}
    groups = cycle(covered.values() or [frozenset(terms.assets)])
    made_up = (f"simulated-{number:0{len(str(hosts))}}" for number in range(1, hosts + 1))
    return dict(islice(chain(covered.items(), zip(made_up, groups, strict=False)), hosts))
