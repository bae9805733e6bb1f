"""`invoke onboard`: prepare one workstation, under its contract, with a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.cli.command import CLIENT_HELP, JSON_HELP, command, print_json, required, say
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from invoke.context import Context

    from provisioner.cli.wiring import Premises, Site
    from provisioner.model.approval import Offer
    from provisioner.model.intervention import Intervention
    from provisioner.model.values import Duration

TICKET_LENGTH = 64


@command(
    help={
        "host": "the machine's name in hosts.yml",
        "client": CLIENT_HELP,
        "contract-id": "the contract the work is to rest on, when it must be a certain one",
        "accept-new-key": "accept the machine's host key at first contact (a changed key is refused all the same)",
        "ticket": "the ticket this work belongs to",
        "spent": "labour that this work takes, such as 45m: draws prepaid hours unless an allowance includes it",
        "approval": "the request that a refusal wrote, with the client's signature beside it as FILE.sig",
        "check": "Ansible's check mode: look, change nothing; recorded as simulated",
        "json": JSON_HELP,
    }
)
def onboard(
    _context: Context,
    host: str = "",
    client: str = "",
    contract_id: str = "",
    accept_new_key: bool = False,
    ticket: str = "",
    spent: str = "",
    approval: str = "",
    check: bool = False,
    json: bool = False,
) -> int:
    """Prepare a workstation: identity, baseline, network, software, peripherals; then check every promised state.

    The contract decides whether it may be done; a refusal is recorded and touches nothing.
    Example: invoke onboard --host ws-01 --client demo
    """
    from provisioner.cli import wiring
    from provisioner.cli.wiring import anchors
    from provisioner.model.intervention import EXIT_CODES

    name = required("host", host, "invoke onboard --host ws-01 --client demo")
    typed = _Typed(accept_new_key, _checked(ticket), _labour(spent, check=check), _offer(approval), check, json)
    site = wiring.site(writes=True)
    premises = wiring.premises(site, name, client=client or None, contract_id=contract_id or None)
    if premises.why:
        say(premises.why)
    intervention = _set_up(typed, site, premises)
    _show(intervention, json=json)
    anchors.anchor_quietly(site, premises.asset.client, say=say)
    return EXIT_CODES[intervention.outcome]


@dataclass(frozen=True)
class _Typed:
    """What was typed about the work itself."""

    accept_new_key: bool
    ticket: str | None
    spent: Duration | None
    approval: Offer | None
    check: bool
    json: bool


def _set_up(typed: _Typed, site: Site, premises: Premises) -> Intervention:
    from provisioner.cli import wiring
    from provisioner.cli.present import Told
    from provisioner.missions.workstation_setup import Wish, set_up_workstation

    with Told(to_stdout=not typed.json) as progress:
        wish = Wish(
            asset=premises.asset,
            contract=premises.contract,
            content=wiring.content(site, "workstation_setup"),
            accept=wiring.acceptance(flag=typed.accept_new_key, ask=progress.ask),
            ticket=typed.ticket,
            check=typed.check,
            spent=typed.spent,
            approval=typed.approval,
        )
        return set_up_workstation(wish, wiring.services(site, premises.asset, progress))


def _show(intervention: Intervention, *, json: bool) -> None:
    from provisioner.cli.present import show_intervention
    from provisioner.reporting.interventions import intervention_document

    if json:
        print_json(intervention_document(intervention))
    else:
        show_intervention(intervention)


def _labour(spent: str, *, check: bool) -> Duration | None:
    """Return the labour, None for none; UsageError for what is no time, or a check run, which draws nothing."""
    from typing import get_args

    from provisioner.model.values import SomeElapsed

    if spent and check:
        raise UsageError("--spent goes with work that is done, not with --check", hint="leave one of them out")
    try:
        return get_args(SomeElapsed)[1](spent) if spent else None
    except ValueError as error:
        raise UsageError(f"--spent: {error}", hint="for example: --spent 45m") from error


def _offer(file: str) -> Offer | None:
    """Return what --approval names, None for nothing."""
    from provisioner.cli.wiring.approvals import read_offer

    return read_offer(file) if file else None


def _checked(ticket: str) -> str | None:
    """Return the ticket, None for none; UsageError for one that an entry could not hold or a person not read."""
    if len(ticket) > TICKET_LENGTH or not ticket.isprintable():
        said = f"--ticket {ticket[:TICKET_LENGTH]!a} is no ticket"
        raise UsageError(said, hint=f"write printable text of at most {TICKET_LENGTH} characters, such as T-1234")
    return ticket or None
