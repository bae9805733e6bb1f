"""What a rollout needs: the contract that decides, the machines, the content, the pool of packages."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.cli import wiring
from provisioner.cli.wiring.service import book_if_begun
from provisioner.config.advisories import newest_snapshot
from provisioner.errors import UsageError
from provisioner.execution.pool import keep_only
from provisioner.execution.timers import MARK, units, verify
from provisioner.missions.compliance import deadlines_kept
from provisioner.missions.rollout_state import where_it_stands
from provisioner.missions.rollout_task import Task
from provisioner.missions.scanning import Advisories
from provisioner.missions.standing import standing_ones

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.cli.wiring import Site
    from provisioner.missions.services import Progress, Services
    from provisioner.model.compliance import MachineCompliance
    from provisioner.model.rollout import RolloutStanding

MISSION, SCAN = "software_updates", "patch_scan"
"""The playbooks of a batch, and of a reading."""


def task(where: Site, client: str, *, contract_id: str, accept: bool, playbook: str = MISSION) -> Task:
    """Read a client's configuration; UsageError where not exactly one contract decides."""
    found = wiring.configuration(where, client)
    ones = standing_ones(found.contracts, wiring.now(), contract_id=contract_id or None)
    if len(ones) > 1:
        ids = ", ".join(one.id for one in ones)
        raise UsageError(f"several contracts are in force: {ids}", hint=f"say which with --contract-id {ones[0].id}")
    pool = where.settings.state / "pools" / client
    return Task(
        client=client,
        contract=ones[0],
        assets=tuple(found.inventory.assets),
        content=wiring.content(where, playbook),
        pool=str(pool),
        accept=lambda _fingerprint: accept,
        tidy=lambda digests: keep_only(pool, digests),
    )


def services(where: Site, task: Task, progress: Progress) -> Services:
    """The services of an intervention on the client's machines; UsageError where there is none."""
    if not task.assets:
        raise UsageError(f"client {task.client} has no machine in hosts.yml", hint="nothing can be rolled out")
    return wiring.services(where, task.assets[0], progress)


def standing(where: Site, client: str, *, contract_id: str) -> RolloutStanding:
    """Where a client's rollout stands, out of the log; nothing is recorded."""
    one = task(where, client, contract_id=contract_id, accept=False)
    at = int(wiring.now().timestamp())
    with book_if_begun(where, client) as book:
        return where_it_stands(one, book, at=at).standing(one)


def deadlines(where: Site, client: str, *, contract_id: str) -> tuple[MachineCompliance, ...]:
    """Which covered machines are inside the deadlines of the contract, out of the log; nothing is recorded."""
    one = task(where, client, contract_id=contract_id, accept=False)
    with book_if_begun(where, client) as book:
        return deadlines_kept(one, book, at=int(wiring.now().timestamp()))


def advisories(where: Site) -> Advisories:
    """The newest snapshot of advisories: in the folder of settings.yml, else in that of the state folder, if any.

    ConfigurationError where it cannot be read as it should.
    """
    asked = where.settings.outside.advisories
    folder = asked.folder or where.settings.state / "advisories"
    there = asked.folder is not None or folder.is_dir()
    snapshot = newest_snapshot(folder, today=wiring.now().date()) if there else None
    return Advisories(snapshot=snapshot, stale_after=asked.stale_after.seconds)


def timer_units(where: Site, client: str) -> dict[str, str]:
    """The text of each unit of a client's timer; what provisioner reads of this environment goes with them."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("PROVISIONER_")}
    if "@" in environment.get("PROVISIONER_DATABASE_URL", ""):
        said = "PROVISIONER_DATABASE_URL may hold a password, and everybody may read what a unit is given"
        raise UsageError(said, hint="unset it here, and give it to the service by a drop-in with EnvironmentFile=")
    invoke = Path(sys.executable).parent / "invoke"
    return units(client, invoke=invoke, checkout=where.checkout, environment=environment)


def unit_text(file: Path) -> str | None:
    """What a unit's file holds; None where there is none that can be read."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def write_units(folder: Path, wanted: Mapping[str, str]) -> None:
    """Write units; UsageError where a file of that name is somebody else's, or cannot be written."""
    there = [unit for unit in wanted if (folder / unit).exists()]
    foreign = [unit for unit in there if not (unit_text(folder / unit) or "").startswith(MARK)]
    if foreign:
        raise UsageError(f"{folder / foreign[0]} was not written by patch.timers", hint="move it away first")
    for unit, text in wanted.items():
        try:
            (folder / unit).write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{folder / unit}: {error.strerror}", hint="name a folder of yours by --into") from error


def verify_units(folder: Path, names: list[str]) -> str:
    """What systemd complains of in these units; nothing when they are sound."""
    return verify(folder, names)
