"""What backups need: the contract that decides, the machines, the content, the host keys of stores."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from provisioner.cli import wiring
from provisioner.config.clients import find_host
from provisioner.errors import UsageError
from provisioner.execution import known_hosts
from provisioner.missions.backup_task import BACKUP, STATUS, BackupTask
from provisioner.missions.standing import standing_ones

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.cli.wiring import Site
    from provisioner.missions.services import Progress, Services
    from provisioner.model.asset import Asset

ED25519 = "ssh-ed25519"
"""The kind of host key that agents are given of a store."""


def task(
    where: Site, client: str, *, contract_id: str, accept: Callable[[str], bool], more: tuple[str, ...] = ()
) -> BackupTask:
    """Read a client's configuration; UsageError where not exactly one contract decides.

    `more` are the playbooks besides those that set up and read.
    """
    found = wiring.configuration(where, client)
    ones = standing_ones(found.contracts, wiring.now(), contract_id=contract_id or None)
    if len(ones) > 1:
        ids = ", ".join(one.id for one in ones)
        raise UsageError(f"several contracts are in force: {ids}", hint=f"say which with --contract-id {ones[0].id}")
    return BackupTask(
        client=client,
        contract=ones[0],
        assets=tuple(found.inventory.assets),
        content={name: wiring.content(where, name) for name in (BACKUP, STATUS, *more)},
        accept=accept,
        host_key=lambda asset: host_key(where, asset),
    )


PATIENCE = 14 * 3600
"""Seconds after which a run that restores is ended: more than a drill itself may take."""


def client_of(where: Site, host: str, client: str) -> str:
    """The client that has a machine of that name; UsageError where none has, or two and no `client` says which."""
    settings = where.settings
    return find_host(settings.inventories, host, client=client or None, decrypt=wiring.decrypt(settings)).name


def services(where: Site, task: BackupTask, progress: Progress, *, seconds: int = 3600) -> Services:
    """The services of an intervention on the client's machines, whose run may last so long; UsageError for none."""
    if not task.assets:
        raise UsageError(f"client {task.client} has no machine in hosts.yml", hint="nothing can be backed up")
    return wiring.services(where, task.assets[0], progress, seconds=seconds)


def host_key(where: Site, asset: Asset) -> str:
    """The line of the Ed25519 host key under which a machine is known here, `ssh-ed25519 AAAA…`; empty for none."""
    lines = known_hosts.read(where.settings.state / "known_hosts" / asset.client)
    name = known_hosts.name_of(asset.address.host, asset.address.port)
    keys = [key for key in known_hosts.known(lines, name).keys if key.kind == ED25519]
    return f"{ED25519} {base64.b64encode(keys[0].blob).decode()}" if keys else ""
