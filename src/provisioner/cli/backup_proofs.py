"""`invoke backup.drill`, `backup.probe` and `backup.restore`: backups proven, and used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from provisioner.cli.backup import HELP
from provisioner.cli.command import command, print_json, required, say
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoke.context import Context

    from provisioner.missions.backup_drill import Drilled
    from provisioner.missions.backup_probe import Probed
    from provisioner.missions.backup_restore import RestoredHost
    from provisioner.missions.backup_task import BackupTask
    from provisioner.missions.services import Services

OF_ONE = {
    **HELP,
    "host": "the machine whose backup it is",
    "client": "the client's folder; needed when two clients have a host of that name",
}
CHECK_HELP = "look whether it could begin, and change nothing; recorded as simulated"


@dataclass(frozen=True)
class Asked:
    """What is typed for every proof: whose backup, under which contract, and how it is told."""

    host: str
    client: str
    contract_id: str
    accept: bool
    json: bool


def _proven(
    asked: Asked, playbook: str, prove: Callable[[BackupTask, Services], Any], show: Callable[[Any], None]
) -> int:
    """Prove something of a host's backup by a playbook, show what came of it, return the exit code."""
    from provisioner.cli import wiring
    from provisioner.cli.present import Told
    from provisioner.cli.wiring import anchors, backups
    from provisioner.model.intervention import EXIT_CODES

    site = wiring.site(writes=True)
    client = backups.client_of(site, asked.host, asked.client)
    with Told(to_stdout=not asked.json) as progress:
        accept = wiring.acceptance(flag=asked.accept, ask=progress.ask)
        task = backups.task(site, client, contract_id=asked.contract_id, accept=accept, more=(playbook,))
        found = prove(task, backups.services(site, task, progress, seconds=backups.PATIENCE))
    show(found)
    anchors.anchor_quietly(site, client, say=say)
    return EXIT_CODES[found.intervention.outcome]


@command(
    help={
        **OF_ONE,
        "snapshot": "the beginning of its id (default: the newest)",
        "sample": "this share of the files, drawn by lot, such as 5% (default: all; only a full drill proves the rto)",
        "on": "the store that restores, from the vault it keeps (default: the site store)",
        "sabotage": "damage a copy of the vault instead, and fail unless that is noticed: a kind, several, or all",
        "check": CHECK_HELP,
    }
)
def drill(
    _context: Context,
    host: str = "",
    client: str = "",
    snapshot: str = "",
    sample: str = "",
    on: str = "",
    sabotage: str = "",
    check: bool = False,
    accept_new_key: bool = False,
    contract_id: str = "",
    json: bool = False,
) -> int:
    """Restore a backup into an empty place, compare it with what was saved, measure, remove it again. Recorded.

    Dumps of databases are loaded. What restic does not keep is listed. Example: invoke backup.drill --host ws-01
    """
    from provisioner.missions.backup_drill import DRILL, DrillWish
    from provisioner.missions.backup_drill import drill as prove

    asked = Asked(required("host", host, "invoke backup.drill --host ws-01"), client, contract_id, accept_new_key, json)
    wish = DrillWish(
        host=asked.host,
        snapshot=snapshot_of(snapshot),
        permille=permille_of(sample),
        target=on,
        sabotage=damages_of(sabotage),
        check=check,
    )
    return _proven(asked, DRILL, partial(prove, wish=wish), partial(_show_drill, json=json))


def _show_drill(found: Drilled, *, json: bool) -> None:
    from provisioner.cli.present import page, show_intervention
    from provisioner.reporting.backup_proofs import drill_page, proof_document
    from provisioner.reporting.interventions import intervention_document

    if json:
        told = proof_document(found.report, rto=found.rto)
        print_json({**intervention_document(found.intervention), "drill": told, "entry": found.entry})
        return
    if found.report is not None:
        page(drill_page(found.report, host=found.host, on=found.target, rto=found.rto))
    show_intervention(found.intervention)


@command(help={**OF_ONE, "check": CHECK_HELP})
def probe(
    _context: Context,
    host: str = "",
    client: str = "",
    check: bool = False,
    accept_new_key: bool = False,
    contract_id: str = "",
    json: bool = False,
) -> int:
    """Try, with a machine's own key, to remove and overwrite what its store holds: each must be refused. Recorded.

    It exits with 5 where a store lets something through, and puts that back. Example: invoke backup.probe --host ws-01
    """
    from provisioner.missions.backup_probe import PLAYBOOK
    from provisioner.missions.backup_probe import probe as prove

    asked = Asked(required("host", host, "invoke backup.probe --host ws-01"), client, contract_id, accept_new_key, json)
    return _proven(asked, PLAYBOOK, partial(prove, host=asked.host, check=check), partial(_show_probe, json=json))


def _show_probe(found: Probed, *, json: bool) -> None:
    from provisioner.cli.present import page, show_intervention
    from provisioner.reporting.backup_proofs import probe_document, probe_page
    from provisioner.reporting.interventions import intervention_document

    if json:
        told = probe_document(found.report, passed=found.passed)
        print_json({**intervention_document(found.intervention), "probe": told, "entry": found.entry})
        return
    if found.report is not None:
        page(probe_page(found.report, host=found.host, store=found.store, passed=found.passed))
    show_intervention(found.intervention)


@command(
    help={
        **OF_ONE,
        "to": "the folder under which it is restored, such as /srv/restored: what was /home is then /srv/restored/home",
        "snapshot": "the beginning of its id (default: the newest)",
        "path": "only this of what was saved; several with commas between them (default: all)",
        "on": "restore on this store, from the vault it keeps (default: on the machine itself, through its own door)",
        "overwrite": "move aside what is in the way, as NAME.before-ID (default: refuse a folder that is not empty)",
        "check": "say what would be restored, from when, how big and what is in the way; recorded as simulated",
    }
)
def restore(
    _context: Context,
    host: str = "",
    to: str = "",
    client: str = "",
    snapshot: str = "",
    path: str = "",
    on: str = "",
    overwrite: bool = False,
    check: bool = False,
    accept_new_key: bool = False,
    contract_id: str = "",
    json: bool = False,
) -> int:
    """Bring back what was lost: restored beside the target, compared with what was saved, then moved there. Recorded.

    Nothing is overwritten. Example: invoke backup.restore --host ws-01 --to /srv/restored --check
    """
    from provisioner.missions.backup_restore import PLAYBOOK, RestoreWish
    from provisioner.missions.backup_restore import restore as bring_back

    example = "invoke backup.restore --host ws-01 --to /srv/restored"
    asked = Asked(required("host", host, example), client, contract_id, accept_new_key, json)
    wish = RestoreWish(
        host=asked.host,
        to=required("to", to, example),
        snapshot=snapshot_of(snapshot),
        paths=tuple(path.split(",")) if path else (),
        overwrite=overwrite,
        on=on,
        check=check,
    )
    return _proven(asked, PLAYBOOK, partial(bring_back, wish=wish), partial(_show_restored, json=json))


def _show_restored(found: RestoredHost, *, json: bool) -> None:
    from provisioner.cli.present import page, show_intervention
    from provisioner.reporting.backup_proofs import restore_document, restore_page
    from provisioner.reporting.interventions import intervention_document

    if json:
        print_json({**intervention_document(found.intervention), "restored": restore_document(found.report)})
        return
    if found.report is not None:
        page(restore_page(found.report, host=found.host, on=found.target, simulated=found.intervention.simulated))
    show_intervention(found.intervention)


def snapshot_of(text: str) -> str:
    """What --snapshot says: nothing, or 8 to 64 hexadecimal digits; UsageError otherwise."""
    if text and not re.fullmatch("[0-9a-f]{8,64}", text):
        raise UsageError(f"--snapshot {text[:70]!a} is no beginning of a snapshot's id", hint="8 to 64 of 0-9 and a-f")
    return text


def permille_of(text: str) -> int:
    """What --sample says, in thousandths: `5%`, `0.5%`; nothing means all. UsageError otherwise."""
    from provisioner.model.drill import FULL

    if not text:
        return FULL
    found = re.fullmatch(r"([0-9]{1,2})(?:\.([0-9]))?%", text)
    permille = int(found[1]) * 10 + int(found[2] or 0) if found else 0
    if not 1 <= permille < FULL:
        raise UsageError(f"--sample {text[:20]!a} is no share of the files", hint="0.1% to 99.9%, such as 5%")
    return permille


def damages_of(text: str) -> tuple[str, ...]:
    """What --sabotage says: `all`, or kinds with commas between them; which there are the mission says."""
    from provisioner.model.drill import SABOTAGES

    return SABOTAGES if text == "all" else tuple(word.strip() for word in text.split(",") if text)
