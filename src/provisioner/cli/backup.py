"""`invoke backup.configure` and `backup.status`: agents and stores set up from the contract, and watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli.command import JSON_HELP, command, print_json, required, say

if TYPE_CHECKING:
    from invoke.context import Context

    from provisioner.missions.backup_status import Watched

HELP = {
    "client": "the client whose contract promises backups",
    "contract-id": "the contract, where two are in force",
    "accept-new-key": "accept a machine's host key at first contact (a changed key is refused)",
    "json": JSON_HELP,
}


@command(
    help={
        **HELP,
        "host": "this machine and its stores only (default: every covered machine)",
        "now": "let each machine save once now, and wait for it",
        "check": "Ansible's check mode: look, change nothing; recorded as simulated",
    }
)
def configure(
    _context: Context,
    client: str = "",
    host: str = "",
    now: bool = False,
    check: bool = False,
    accept_new_key: bool = False,
    contract_id: str = "",
    json: bool = False,
) -> int:
    """Set machines and their stores up so that the promise is kept; refused, and recorded, where it cannot be.

    Safe to type again: what is as it should be stays. Example: invoke backup.configure --client demo --now
    """
    from provisioner.cli import wiring
    from provisioner.cli.present import Told, page, show_intervention
    from provisioner.cli.wiring import anchors, backups
    from provisioner.missions.backup import Wish
    from provisioner.missions.backup import configure as set_up
    from provisioner.model.intervention import EXIT_CODES
    from provisioner.reporting.backups import effective_document, effective_page
    from provisioner.reporting.interventions import intervention_document

    name = required("client", client, "invoke backup.configure --client demo")
    site = wiring.site(writes=True)
    with Told(to_stdout=not json) as progress:
        accept = wiring.acceptance(flag=accept_new_key, ask=progress.ask)
        task = backups.task(site, name, contract_id=contract_id, accept=accept)
        wish = Wish(host=host, now=now, check=check)
        found = set_up(task, backups.services(site, task, progress), wish)
    if json:
        policies = effective_document(found.effective)
        print_json({**intervention_document(found.intervention), "policies": policies})
    else:
        page(effective_page(found.effective))
        show_intervention(found.intervention)
    anchors.anchor_quietly(site, name, say=say)
    return EXIT_CODES[found.intervention.outcome]


@command(help=HELP)
def status(
    _context: Context, client: str = "", accept_new_key: bool = False, contract_id: str = "", json: bool = False
) -> int:
    """Say where the backups of each machine stand, last proven restore first; silence opens a ticket. Recorded.

    It reads agents and stores and changes neither. It exits with 0 when nobody has to look, 4 when a store could not
    be reached, else 5. Example: invoke backup.status --client demo
    """
    from provisioner.cli import wiring
    from provisioner.cli.present import Told, page, show_intervention
    from provisioner.cli.wiring import anchors, backups
    from provisioner.missions.backup_status import watch
    from provisioner.reporting.backups import status_document, status_page
    from provisioner.reporting.interventions import intervention_document

    name = required("client", client, "invoke backup.status --client demo")
    site = wiring.site(writes=True)
    with Told(to_stdout=not json) as progress:
        accept = wiring.acceptance(flag=accept_new_key, ask=progress.ask)
        task = backups.task(site, name, contract_id=contract_id, accept=accept)
        found = watch(task, backups.services(site, task, progress))
    if json:
        document = status_document(name, task.contract.id, found.at, found.standings)
        recorded = {"recorded": list(found.entries), "tickets": list(found.tickets)}
        print_json({**document, **recorded, "intervention": intervention_document(found.intervention)})
    elif found.standings:
        page(status_page(found.standings, zone=task.contract.timezone or "UTC"))
        _ended(found)
    else:
        show_intervention(found.intervention)
    anchors.anchor_quietly(site, name, say=say)
    return exit_code(found)


def _ended(found: Watched) -> None:
    new = f"{len(found.entries)} new snapshots in the log"
    opened = f"; opened {', '.join(found.tickets)}" if found.tickets else ""
    print(f"{new}{opened}")
    print(f"intervention {found.intervention.id}")


def exit_code(found: Watched) -> int:
    """What a reading exits with; machines that are off are no failure, a store that does not answer is one."""
    from provisioner.model.intervention import EXIT_CODES, Outcome

    if not found.standings:
        return EXIT_CODES[found.intervention.outcome]
    if found.intervention.outcome in (Outcome.INTERRUPTED, Outcome.HALTED):
        return EXIT_CODES[found.intervention.outcome]
    stores = {name for one in found.standings if one.policy for name in one.policy.stores}
    states = {result.name: result.outcome for result in found.intervention.assets}
    if any(states.get(name) is Outcome.UNREACHABLE for name in stores):
        return EXIT_CODES[Outcome.UNREACHABLE]
    return 0 if all(one.well for one in found.standings) else EXIT_CODES[Outcome.FAILED]
