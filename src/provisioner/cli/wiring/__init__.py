"""The composition root: settings to resources. The only place that reads the environment, the clock and chance."""

from __future__ import annotations

import getpass
import os
import secrets
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.config.clients import client_folder, client_folders, find_host, load_client
from provisioner.config.playbooks import playbook_roles
from provisioner.config.role_inputs import load_role_inputs
from provisioner.config.settings import load_settings, prepare_state, state_folder
from provisioner.errors import UsageError
from provisioner.missions.services import Services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.config.clients import ClientConfiguration
    from provisioner.config.settings import Settings
    from provisioner.errors import Problem
    from provisioner.lab.access import Access
    from provisioner.lab.doctor import Finding
    from provisioner.lab.machines import Lab, Machine
    from provisioner.ledger.book import Book
    from provisioner.missions.services import Progress
    from provisioner.model.asset import Asset
    from provisioner.model.contract import LoadedContract
    from provisioner.model.plan import Content
    from provisioner.model.rollout_plan import ContractRings

CHECKOUT = Path(__file__).resolve().parents[4]


def now() -> datetime:
    """The instant, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Site:
    """Where this command works: the checkout with its playbooks and roles, and the settings of the environment."""

    checkout: Path
    settings: Settings


def site(*, writes: bool = False) -> Site:
    """Read the settings. A command that `writes` gets its state folder made, and checked: others only look."""
    settings = load_settings(os.environ, checkout=CHECKOUT, login=_login())
    if writes:
        prepare_state(settings.state)
    return Site(CHECKOUT, settings)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def decrypt(settings: Settings) -> Callable[[Path, bytes], bytes] | None:
    """How vault files open, with the password file of the settings; None without one."""
    if settings.vault_password_file is None:
        return None
    from provisioner.execution.vault import decrypt

    return partial(decrypt, password_file=settings.vault_password_file)


def configuration(where: Site, client: str) -> ClientConfiguration:
    """Load a client's contracts and inventory; vault files open with the password file of the settings."""
    folder = client_folder(where.settings.inventories, client)
    roles = load_role_inputs(where.checkout / "roles")
    return load_client(folder, roles=roles, decrypt=decrypt(where.settings))


@dataclass(frozen=True)
class Premises:
    """What work on one machine rests on; `why` says why on this contract, empty where there is no other."""

    asset: Asset
    contract: LoadedContract
    why: str = ""


def premises(where: Site, host: str, *, client: str | None, contract_id: str | None) -> Premises:
    """Find the machine and the contract that decides; raises UsageError or ConfigurationError, with nothing touched."""
    from provisioner.missions.standing import deciding

    folder = find_host(where.settings.inventories, host, client=client, decrypt=decrypt(where.settings))
    found = configuration(where, folder.name)
    asset = next(asset for asset in found.inventory.assets if asset.name == host)
    choice = deciding(found.contracts, asset, at=now(), contract_id=contract_id)
    return Premises(asset, choice.contract, choice.why if len(found.contracts) > 1 else "")


def content(where: Site, mission: str) -> Content:
    """Digest what the mission's playbook would execute."""
    from provisioner.execution.content import read_content

    return read_content(where.checkout, mission, playbook_roles(where.checkout / "playbooks" / f"{mission}.yml"))


def acceptance(*, flag: bool, ask: Callable[[str], str]) -> Callable[[str], bool]:
    """How an unknown host key is decided: by the flag, else by the person at the terminal, else it is refused."""

    def accept(fingerprint: str) -> bool:
        if flag:
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        presented = f"The machine presents a host key nobody has accepted yet: {fingerprint}\n"
        return ask(presented + "Accept it? Compare it with the machine's own first. [yes/no]") == "yes"

    return accept


@contextmanager
def open_book(where: Site, client: str, *, read_only: bool = False) -> Iterator[Book]:
    """Open the client's log."""
    from provisioner.ledger.book import open_book

    with open_book(where.settings.database_url, client, state=where.settings.state, read_only=read_only) as book:
        yield book


def identity(state: Path, client: str) -> Path | None:
    """The SSH key made for a client's machines; None for the technician's own keys."""
    path = state / "ssh" / client / "id_ed25519"
    return path if path.exists() else None


def services(where: Site, asset: Asset, progress: Progress, *, seconds: int = 3600) -> Services:
    """What an intervention needs, its runs at most so many seconds long; MissingTool where a program is not here."""
    from provisioner.cli.wiring.approvals import signing
    from provisioner.execution.ansible import AnsibleExecutor, refuse_weak_environment
    from provisioner.execution.leases import FileLeases
    from provisioner.execution.probe import TransportProbe
    from provisioner.execution.ssh import SshProbe
    from provisioner.execution.winrm import WinrmProbe
    from provisioner.execution.workspace import Limits, refuse_odd_path
    from provisioner.lab.doctor import RUN_NEEDS, find_program
    from provisioner.model.asset import Transport

    refuse_weak_environment(os.environ)
    refuse_odd_path(where.settings.state)
    for program, remedy in RUN_NEEDS.items():
        if program != "ssh" or asset.address.transport is Transport.SSH:
            find_program(program, remedy)
    state = where.settings.state
    own_key, authorities = identity(state, asset.client), state / "ca" / f"{asset.client}.pem"
    ssh, winrm = SshProbe(state / "known_hosts", identity=own_key), WinrmProbe(state / "ca")
    executor = AnsibleExecutor(
        root=where.checkout,
        runs=state / "runs" / asset.client,
        known_hosts=state / "known_hosts" / asset.client,
        identity=own_key,
        authorities=authorities if authorities.exists() else None,
        limits=Limits(run=seconds),
    )
    return Services(
        now=now,
        new_id=lambda: f"iv-{secrets.token_hex(8)}",
        operator=where.settings.operator,
        probe=TransportProbe({Transport.SSH: ssh, Transport.WINRM: winrm}),
        executor=executor,
        leases=FileLeases(state / "leases"),
        open_book=partial(open_book, where),
        progress=progress,
        signing=signing(state),
    )


@dataclass(frozen=True)
class Checked:
    """What `contract.check` found."""

    clients: tuple[str, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    rings: tuple[ContractRings, ...]


def check_clients(where: Site, client: str | None) -> Checked:
    """Read contracts and inventory of one client or of all; raises UsageError when there is none."""
    from provisioner.missions.contract_check import check_client

    root = where.settings.inventories
    folders = [client_folder(root, client)] if client else list(client_folders(root))
    if not folders:
        raise UsageError(f"there is no client folder in {root}", hint="each client has a folder with contract.yml")
    problems: list[Problem] = []
    warnings: list[str] = []
    rings: list[ContractRings] = []
    roles = load_role_inputs(where.checkout / "roles")
    for folder in folders:
        found = check_client(folder, roles=roles, decrypt=decrypt(where.settings))
        problems.extend(found.problems)
        warnings.extend(found.warnings)
        rings.extend(found.rings)
    return Checked(tuple(folder.name for folder in folders), tuple(problems), tuple(warnings), tuple(rings))


def schema(*, inventory: bool) -> object:
    """The JSON Schema of contract.yml or of hosts.yml."""
    from provisioner.config.schema import contract_schema, inventory_schema

    return inventory_schema(load_role_inputs(CHECKOUT / "roles")) if inventory else contract_schema()


def lab(client: str, *, image: str = "") -> Lab:
    """Build the lab of a client's practice machines; raises MissingTool where no container can be started."""
    from provisioner.lab.engine import cache_folder, find_engine
    from provisioner.lab.machines import Lab

    cache = cache_folder(os.environ)
    return Lab(engine=find_engine(cache), cache=cache, prefix=client, image=image)


@dataclass(frozen=True)
class Practice:
    """A client's practice machines: the lab, the machines of its inventory that are at 127.0.0.1, the way in."""

    lab: Lab
    machines: tuple[Machine, ...]
    access: Access


def practice(where: Site, client: str, *, image: str, stores: bool) -> Practice:
    """Given a client, return what its practice machines need; UsageError when none of its machines is at 127.0.0.1.

    The stores of its backups are among them only where they are asked for.
    """
    from provisioner.lab.access import Access
    from provisioner.lab.machines import Machine

    there = configuration(where, client)
    apart = frozenset() if stores else backup_stores(there.contracts)
    assets = [asset for asset in there.inventory.assets if asset.name not in apart]
    found = tuple(Machine(a.name, a.address.port) for a in assets if a.address.host == "127.0.0.1")
    if not found:
        hint = "the lab serves loopback addresses only"
        raise UsageError(f"no machine of client {client} is at 127.0.0.1", hint=hint)
    return Practice(lab(client, image=image), found, Access(where.settings.state, client))


def backup_stores(contracts: tuple[LoadedContract, ...]) -> frozenset[str]:
    """The machines that any version of any contract names as stores of backups."""
    missions = (version.contract.missions.backup for one in contracts for version in one.versions)
    return frozenset(name for backup in missions if backup is not None for name in backup.every_store)


def diagnose() -> tuple[Finding, ...]:
    """Look at what this machine has and lacks."""
    from provisioner.execution.ansible import refuse_weak_environment
    from provisioner.lab.doctor import Surroundings, checks
    from provisioner.lab.engine import cache_folder
    from provisioner.ledger.place import MOUNTS, refuse_network

    state = state_folder(os.environ, checkout=CHECKOUT)
    around = Surroundings(state, cache_folder(os.environ), os.environ, now())
    refusals: dict[str, Callable[[], object]] = {
        "settings": lambda: load_settings(os.environ, checkout=CHECKOUT, login=_login()),
        "host key checking": lambda: refuse_weak_environment(os.environ),
        "state folder, file system": lambda: refuse_network(state, mounts=MOUNTS.read_text()),
    }
    return checks(around, refusals)


def write_generated() -> None:
    """Write the schemas and the reference page of the contract into the checkout."""
    from provisioner.config.reference import write_generated

    write_generated(CHECKOUT, roles=load_role_inputs(CHECKOUT / "roles"))
