"""`audit.reconcile`: the receipts on the machines against the log. Reads machines over SSH; needs no Ansible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli.audit.flags import CLIENT
from provisioner.cli.command import JSON_HELP, command, print_json, required
from provisioner.model.encoding import to_base64

if TYPE_CHECKING:
    from invoke.context import Context

    from provisioner.missions.reconcile import Reconciliation


@command(
    help={
        "client": CLIENT,
        "host": "only this machine",
        "accept-new-key": "accept a machine's host key at first contact (a changed key is refused all the same)",
        "json": JSON_HELP,
    }
)
def reconcile(
    _context: Context, client: str = "", host: str = "", accept_new_key: bool = False, json: bool = False
) -> int:
    """Compare the receipts that machines hold with the log: name work that the log lacks, and the reverse.

    Changes and records nothing. 7 for any difference, 4 when a machine could not be read and nothing differs.
    Example: invoke audit.reconcile --client demo
    """
    from provisioner.cli import wiring
    from provisioner.cli.present import Told
    from provisioner.cli.wiring.receipts import receipt_reader
    from provisioner.missions import reconcile as mission

    name = required("client", client, "invoke audit.reconcile --client demo")
    site = wiring.site()
    inventory = wiring.configuration(site, name).inventory
    with Told(to_stdout=False) as progress, wiring.open_book(site, name, read_only=True) as book:
        accept = wiring.acceptance(flag=accept_new_key, ask=progress.ask)
        question = mission.Question(inventory=inventory, host=host, accept=accept)
        found = mission.reconcile(book, question, receipt_reader(site, name), told=progress.note)
    if json:
        print_json(_document(name, found))
    else:
        _show(name, found)
    return found.exit_code


def _document(client: str, found: Reconciliation) -> dict[str, object]:
    return {
        "client": client,
        "status": found.status,
        "log": found.log.origin,
        "size": found.log.size,
        "root": to_base64(found.log.root),
        "machines": [vars(machine) for machine in found.machines],
        "differences": [vars(difference) for difference in found.differences],
        "warnings": list(found.warnings),
        "exit_code": found.exit_code,
    }


def _show(client: str, found: Reconciliation) -> None:
    from provisioner.cli.present import table

    rows = [
        (machine.name, *_verdict(machine.receipts, machine.differences, machine.reason)) for machine in found.machines
    ]
    table("", ("machine", "receipts", "compared with the log"), rows)
    for difference in found.differences:
        entry = "no entry" if difference.entry is None else f"entry {difference.entry}"
        what = f"{difference.intervention} ({entry})" if difference.intervention else "a file"
        print(f"{difference.machine}: {what}: {difference.kind}: {difference.text}")
    for warning in found.warnings:
        print(f"warning: {warning}")
    root = to_base64(found.log.root)
    log = f"{found.log.size} entries of {found.log.origin}, root {root}"
    machines = _counted(len(found.machines), "machine")
    print(f"{found.status}: {machines}, compared with {log}")
    print(f"whether that log itself holds: invoke audit.verify --client {client}")


def _verdict(receipts: int, differences: int, reason: str) -> tuple[str, str]:
    if reason:
        return "", f"not read: {reason}"
    return str(receipts), _counted(differences, "difference") if differences else "agrees"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
