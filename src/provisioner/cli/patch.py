"""`invoke patch.*`: rollouts of software updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli.command import JSON_HELP, command, print_json, required
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from invoke.context import Context

    from provisioner.model.rollout import Simulated

MOST = 1_000_000
EXAMPLE = "invoke patch.simulate --client demo --hosts 200 --scenario scenario.yml --seed 7"


@command(
    help={
        "client": "the client whose contract has the windows, waves and gates",
        "hosts": "how many machines; the covered ones of the client first, then made-up ones",
        "scenario": "a file that says what goes wrong: docs/how-to/simulate_a_rollout.md",
        "seed": "a whole number: the same seed is the same rollout",
        "start": "when it begins: 2026-11-24T18:00:00+01:00, or without an offset in the contract's zone (default now)",
        "contract-id": "the contract, where two are in force",
        "json": JSON_HELP,
    }
)
def simulate(
    _context: Context,
    client: str = "",
    hosts: str = "",
    scenario: str = "",
    seed: str = "",
    start: str = "",
    contract_id: str = "",
    json: bool = False,
) -> int:
    """Run the planner and the gates of a rollout over machines that do not exist; nothing is touched or recorded.

    It exits as the real rollout would: 0, 4 (some unreachable), 5 (some failed or unknown), 6 (halted).
    Example: invoke patch.simulate --client demo --hosts 200 --scenario scenario.yml --seed 7
    """
    from pathlib import Path

    from provisioner.cli import wiring
    from provisioner.cli.present import page
    from provisioner.cli.typed import instant_of
    from provisioner.missions.simulation import Trial, simulate_rollout
    from provisioner.reporting.rollouts import simulation_document, simulation_page

    name, file = required("client", client, EXAMPLE), Path(required("scenario", scenario, EXAMPLE))
    count, chance = _number("hosts", hosts, least=1), _number("seed", seed, least=0)
    found = wiring.configuration(wiring.site(), name)
    zones = {contract.timezone or "UTC" for contract in found.contracts}
    zone = zones.pop() if len(zones) == 1 else ""
    at = instant_of("start", start, zone=zone) if start else int(wiring.now().timestamp())
    trial = Trial(hosts=count, scenario=file, start=at, seed=chance)
    tried = simulate_rollout(trial, found.contracts, found.inventory, contract_id=contract_id or None)
    if json:
        print_json({"contract": tried.contract, "seed": chance, **simulation_document(tried.found)})
    else:
        page(simulation_page(tried.found, contract=tried.contract, zone=zone or "UTC"))
    return exit_code(tried.found)


def exit_code(found: Simulated) -> int:
    """What a rollout that ended like this exits with; one that never gets through is no success."""
    from provisioner.model.intervention import EXIT_CODES, Outcome, worst
    from provisioner.model.rollout import HostState

    outcomes = {
        HostState.FAILED: Outcome.FAILED,
        HostState.PARTIAL: Outcome.FAILED,
        HostState.UNKNOWN: Outcome.UNKNOWN,
        HostState.UNREACHABLE: Outcome.UNREACHABLE,
    }
    if found.halt is not None:
        return EXIT_CODES[Outcome.HALTED]
    seen = tuple(outcome for state, outcome in outcomes.items() if found.states[state])
    if found.stuck is not None:
        seen = (*seen, Outcome.FAILED)
    return EXIT_CODES[worst((*seen, Outcome.CHANGED))]


def _number(flag: str, text: str, *, least: int) -> int:
    required(flag, text, EXAMPLE)
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST)) and least <= int(text) <= MOST):
        raise UsageError(f"--{flag} {text[:40]!a} is no whole number from {least} to {MOST}", hint=EXAMPLE)
    return int(text)
