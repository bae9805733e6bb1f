"""What service events and statements need: a client's contracts and machines, and where they lie."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.cli import wiring
from provisioner.cli.typed import instant_of
from provisioner.cli.wiring import figures
from provisioner.config.clients import client_folder, client_folders, find_host
from provisioner.config.contracts import load_contracts
from provisioner.config.inventory import load_membership
from provisioner.errors import UsageError
from provisioner.model.record import Membership

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.cli.wiring import Site
    from provisioner.ledger.book import Book
    from provisioner.missions.measuring import Promises
    from provisioner.missions.tickets import Desk
    from provisioner.model.contract import LoadedContract


def client_of(where: Site, client: str, asset: str) -> str:
    """Return the client that was named, or else the one whose machine was; UsageError where neither was."""
    if client:
        return client
    if not asset:
        raise UsageError("--client is missing", hint="say whose ticket it is, such as --client demo")
    return find_host(where.settings.inventories, asset, client=None, decrypt=wiring.decrypt(where.settings)).name


def clients_of(where: Site, client: str) -> list[str]:
    """Return the client that was named, or else all that have a folder; UsageError where there is none."""
    root = where.settings.inventories
    if client:
        return [client_folder(root, client).name]
    found = [folder.name for folder in client_folders(root)]
    if not found:
        raise UsageError(f"there is no client folder in {root}", hint="each client has a folder with contract.yml")
    return found


@contextmanager
def book_if_begun(where: Site, client: str) -> Iterator[Book | None]:
    """Open the client's log to read; None where nothing was ever recorded or signed here."""
    settings = where.settings
    file = settings.database_url.removeprefix("sqlite:///")
    if file != settings.database_url and not Path(file).exists() and not (settings.state / "checkpoints").exists():
        yield None
        return
    with wiring.open_book(where, client, read_only=True) as book:
        yield book


def desk(where: Site, client: str, *, contract_id: str) -> Desk:
    """Build what an event is entered with; raises UsageError or ConfigurationError, with nothing touched."""
    from provisioner.missions.tickets import Desk

    contracts, membership = _client(where, client)
    return Desk(
        contracts=contracts,
        membership=membership,
        operator=where.settings.operator,
        at=wiring.now(),
        contract_id=contract_id or None,
    )


def promises(where: Site, client: str, *, as_of: str, contract_id: str, measured: bool = True) -> Promises:
    """Build what a client's log is measured by, as of now where no instant is typed; raises as `desk` does.

    Sources of figures are asked only where performance is to be `measured`. UsageError for an instant in the future:
    nobody knows yet what will have happened.
    """
    from provisioner.missions.measuring import Promises

    contracts, membership = _client(where, client)
    now = int(wiring.now().timestamp())
    at = instant_of("as-of", as_of, zone=zone_of(contracts)) if as_of else now
    if at > now:
        raise UsageError("--as-of is in the future: what will happen is in no log", hint="leave --as-of away for now")
    found = Promises(contracts=contracts, membership=membership, as_of=at, contract_id=contract_id or None)
    if not measured:
        return found
    folder, prometheus = client_folder(where.settings.inventories, client), where.settings.outside.prometheus
    return replace(found, figures=figures.of_client(contracts, folder, prometheus=prometheus, as_of=at))


def promises_of_file(path: Path, *, as_of: str, contract_id: str) -> Promises:
    """Build what a file of events is measured by: a contract, or a folder with several, and the hosts.yml beside it."""
    from provisioner.missions.measuring import Promises

    contracts, folder = load_contracts(path), path if path.is_dir() else path.parent
    beside = (folder / "hosts.yml").exists()
    return Promises(
        contracts=contracts,
        membership=load_membership(folder, decrypt=None) if beside else Membership(groups=None),
        as_of=instant_of("as-of", as_of, zone=zone_of(contracts)),
        contract_id=contract_id or None,
        figures=figures.of_files(contracts, folder),
    )


def _client(where: Site, client: str) -> tuple[tuple[LoadedContract, ...], Membership]:
    folder = client_folder(where.settings.inventories, client)
    return load_contracts(folder), load_membership(folder, decrypt=wiring.decrypt(where.settings))


def zone_of(contracts: tuple[LoadedContract, ...]) -> str:
    """The time zone of contracts; empty where they have several."""
    zones = {contract.timezone or "UTC" for contract in contracts}
    return zones.pop() if len(zones) == 1 else ""
