"""`invoke patch.*`: rollouts of software updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli.command import JSON_HELP, command, print_json, required, say
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoke.context import Context

    from provisioner.model.compliance import MachineCompliance
    from provisioner.model.rollout import RolloutStanding, Simulated
    from provisioner.reporting.page import Section

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


RUN_HELP = {
    "client": "the client whose contract has the windows, waves and gates",
    "contract-id": "the contract, where two are in force",
    "json": JSON_HELP,
}
RUN_EXAMPLE = "invoke patch.run --client demo"


KEY_HELP = "accept a machine's host key at first contact (a changed key is refused)"


@command(help={**RUN_HELP, "host": "this machine only (default: every covered one)", "accept-new-key": KEY_HELP})
def scan(
    _context: Context,
    client: str = "",
    host: str = "",
    contract_id: str = "",
    accept_new_key: bool = False,
    json: bool = False,
) -> int:
    """Read what updates machines wait for: packages, versions, which are security updates. Recorded; nothing changes.

    Example: invoke patch.scan --client demo --host ws-01
    """
    from provisioner.cli import wiring
    from provisioner.cli.present import Told, page
    from provisioner.cli.wiring import anchors, rollouts
    from provisioner.missions.scanning import scan as read
    from provisioner.model.intervention import EXIT_CODES
    from provisioner.reporting.scans import scan_document, scan_page

    name = required("client", client, "invoke patch.scan --client demo")
    site = wiring.site(writes=True)
    advisories = rollouts.advisories(site)
    with Told(to_stdout=not json) as progress:
        task = rollouts.task(site, name, contract_id=contract_id, accept=accept_new_key, playbook=rollouts.SCAN)
        found = read(task, rollouts.services(site, task, progress), advisories, host=host)
    told = (found.intervention, found.machines, found.snapshot)
    if json:
        print_json(scan_document(*told))
    else:
        page(scan_page(*told, zone=task.contract.timezone or "UTC"))
    anchors.anchor_quietly(site, name, say=say)
    return EXIT_CODES[found.intervention.outcome]


CHECK_HELP = "Ansible's check mode on the batch that is due: look, change nothing; recorded as simulated"


@command(help={**RUN_HELP, "accept-new-key": KEY_HELP, "check": CHECK_HELP})
def run(
    _context: Context,
    client: str = "",
    contract_id: str = "",
    accept_new_key: bool = False,
    check: bool = False,
    json: bool = False,
) -> int:
    """Do what is due now: batches of the client's rollout, inside its windows, until it waits, halts or is over.

    Safe to call every five minutes: where nothing is due it says until when, and records nothing.
    Example: invoke patch.run --client demo
    """
    from provisioner.cli import wiring
    from provisioner.cli.present import Told, page, show_intervention
    from provisioner.cli.wiring import anchors, rollouts
    from provisioner.missions.software_updates import check_rollout, run_rollout
    from provisioner.model.intervention import EXIT_CODES, worst
    from provisioner.reporting.rollout_standing import run_document, standing_page

    name = required("client", client, RUN_EXAMPLE)
    site = wiring.site(writes=True)
    with Told(to_stdout=not json) as progress:
        task = rollouts.task(site, name, contract_id=contract_id, accept=accept_new_key)
        work = check_rollout if check else run_rollout
        ran = work(task, rollouts.services(site, task, progress))
    found = ran.standing(task)
    if json:
        print_json(run_document(found, ran.interventions))
    else:
        for intervention in ran.interventions:
            show_intervention(intervention)
        page(standing_page(found))
    if ran.interventions:
        anchors.anchor_quietly(site, name, say=say)
    return EXIT_CODES[worst(ran.outcomes)] if ran.outcomes else 0


WATCH_HELP = "on a terminal: show it anew every two seconds, until Ctrl-C"


@command(help={**RUN_HELP, "watch": WATCH_HELP})
def status(_context: Context, client: str = "", contract_id: str = "", watch: bool = False, json: bool = False) -> int:
    """Say where the client's rollout stands: each machine's state, what is due when, which deadlines are kept.

    Example: invoke patch.status --client demo --watch
    """
    from provisioner.cli import present, wiring
    from provisioner.cli.wiring import rollouts
    from provisioner.reporting.compliance import compliance_document, compliance_section
    from provisioner.reporting.rollout_standing import standing_document, standing_page

    name = required("client", client, "invoke patch.status --client demo")
    if watch and json:
        raise UsageError("--watch shows a page and --json prints one document", hint="leave one of them out")

    def look() -> tuple[RolloutStanding, tuple[MachineCompliance, ...]]:
        site = wiring.site()
        found = rollouts.standing(site, name, contract_id=contract_id)
        return found, rollouts.deadlines(site, name, contract_id=contract_id)

    def drawn() -> list[Section]:
        found, kept = look()
        return [*standing_page(found), compliance_section(kept, zone=found.zone)]

    if watch:
        present.watch(drawn, seconds=2)
    elif json:
        found, kept = look()
        print_json({**standing_document(found), "deadlines": compliance_document(kept)})
    else:
        present.page(drawn())
    return 0


SAY_HELP = {**RUN_HELP, "reason": "why, in your own words: it is kept with the entry"}


END_HELP = "give the rollout up, halted or not: it is never resumed, and the next window begins another one"


@command(help={**SAY_HELP, "end": END_HELP})
def halt(
    _context: Context,
    client: str = "",
    reason: str = "",
    end: bool = False,
    contract_id: str = "",
    json: bool = False,
) -> int:
    """Let nothing more of the client's rollout start; a batch in flight ends first. Recorded.

    Example: invoke patch.halt --client demo --reason "the print server is being moved"
    """
    from provisioner.missions.rollout_steering import end_rollout, halt_rollout

    return _say(end_rollout if end else halt_rollout, client=client, reason=reason, contract_id=contract_id, json=json)


@command(help=SAY_HELP)
def resume(_context: Context, client: str = "", reason: str = "", contract_id: str = "", json: bool = False) -> int:
    """Let a halted rollout go on: the machines of that wave that are not patched have another turn first. Recorded.

    Example: invoke patch.resume --client demo --reason "the vendor withdrew version 3"
    """
    from provisioner.missions.rollout_steering import resume_rollout

    return _say(resume_rollout, client=client, reason=reason, contract_id=contract_id, json=json)


def _say(word: Callable[..., object], *, client: str, reason: str, contract_id: str, json: bool) -> int:
    from provisioner.cli import wiring
    from provisioner.cli.present import Told, page
    from provisioner.cli.wiring import anchors, rollouts
    from provisioner.reporting.rollout_standing import standing_document, standing_page

    name = required("client", client, RUN_EXAMPLE)
    required("reason", reason, f'invoke patch.resume --client {name} --reason "the vendor withdrew version 3"')
    site = wiring.site(writes=True)
    with Told(to_stdout=not json) as progress:
        task = rollouts.task(site, name, contract_id=contract_id, accept=False)
        with wiring.open_book(site, name) as book:
            word(task, book, rollouts.services(site, task, progress), reason=reason)
    anchors.anchor_quietly(site, name, say=say)
    found = rollouts.standing(site, name, contract_id=contract_id)
    if json:
        print_json(standing_document(found))
    else:
        page(standing_page(found))
    return 0
