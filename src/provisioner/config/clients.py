"""Client folders: which one a machine is in, and all of a client's configuration at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar, get_args

from provisioner.config.contracts import ReadContract, loaded, read_contracts
from provisioner.config.document import did_you_mean, ordered
from provisioner.config.inventory import host_names, read_inventory
from provisioner.config.references import references
from provisioner.errors import ConfigurationError, Problem, UsageError
from provisioner.model.values import ClientId, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from provisioner.config.document import Loc
    from provisioner.config.inventory import Decrypt
    from provisioner.config.role_inputs import RoleInputs
    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.inventory import Inventory

Loaded = TypeVar("Loaded")
Rule: TypeAlias = "Callable[[Contract], Iterable[tuple[Loc, str, bool]]]"
"""Given the terms of a contract, say where what is wrong, and whether it is refused or only doubtful."""

_CLIENT_ID: str = get_args(ClientId)[1].pattern


@dataclass(frozen=True, kw_only=True)
class ClientConfiguration:
    """A client's contracts and inventory, each valid and fitting the other."""

    contracts: tuple[LoadedContract, ...]
    inventory: Inventory


def load_client(
    folder: Path, *, roles: RoleInputs, decrypt: Decrypt | None, also: Rule | None = None
) -> ClientConfiguration:
    """Given a client's folder, return its contracts and inventory.

    Raises ConfigurationError with the problems of all at once, those between them included: the folder is named
    like the client, and every group and machine that a contract names is in hosts.yml. `also` is one more rule, for the
    terms of each version of a contract that holds together.
    """
    reads, problems = read_contracts(folder)
    machines = _attempt(lambda: read_inventory(folder, roles=roles, decrypt=decrypt), problems)
    problems.extend(problem for read in reads for problem in _identity(read, folder))
    if also is not None:
        problems.extend(problem for read in reads if not read.problems for problem in _judged(read, also))
    if machines is not None:
        problems.extend(machines.problems)
        for version, document in (pair for read in reads for pair in read.versions):
            found = references(version.contract, machines.inventory)
            problems.extend(document.problem(loc, message) for loc, message in found)
    if problems or machines is None:
        raise ConfigurationError(ordered(problems))
    return ClientConfiguration(contracts=tuple(map(loaded, reads)), inventory=machines.inventory)


def client_folder(root: Path, client: str) -> Path:
    """Given the inventories folder and a client's id, return the client's folder; UsageError when there is none."""
    folders = {folder.name: folder for folder in client_folders(root)}
    if client not in folders:
        hint = did_you_mean(client, folders) or f"; there are: {', '.join(folders) or 'none'}"
        raise UsageError(f"no client folder is called {shown(client)} in {root}{hint}")
    return folders[client]


def client_folders(root: Path) -> Iterator[Path]:
    """Given the inventories folder, yield every client's folder, by name; UsageError when it is missing."""
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder", hint="set PROVISIONER_INVENTORIES to the folder of the clients")
    for folder in sorted(root.iterdir()):
        if re.fullmatch(_CLIENT_ID, folder.name) and folder.is_dir():
            yield folder
        elif (folder / "hosts.yml").exists():
            raise UsageError(f"{shown(folder.name)} in {root} is no client id: a-z, 0-9 and hyphens, such as acme")


def find_host(root: Path, host: str, *, client: str | None, decrypt: Decrypt | None = None) -> Path:
    """Given the inventories folder and a machine's name, return the folder of the client that has it.

    Raises UsageError when no client has it, or several have and `client` does not say which.
    """
    folders = [client_folder(root, client)] if client else list(client_folders(root))
    names = {folder: host_names(folder, decrypt=decrypt) for folder in folders}
    having = [folder for folder in folders if host in names[folder]]
    if not having:
        where = f"in {client}" if client else "in any client's hosts.yml"
        hint = did_you_mean(host, {name for known in names.values() for name in known})
        raise UsageError(f"no machine is called {shown(host)} {where}{hint}")
    if len(having) > 1:
        clients = ", ".join(folder.name for folder in having)
        raise UsageError(f"{host} is a machine of {clients}", hint="say which with --client")
    return having[0]


def _identity(read: ReadContract, folder: Path) -> Iterator[Problem]:
    name = folder.absolute().name
    for version, document in read.versions[:1]:
        if version.contract.client.id != name:
            message = f"the client {version.contract.client.id} needs a folder of that name, and this one is {name}"
            yield document.problem(("client", "id"), message)


def _judged(read: ReadContract, rule: Rule) -> Iterator[Problem]:
    """What the rule refuses in any version; what it only doubts is added to the contract's warnings."""
    for version, document in read.versions:
        for loc, message, refused in rule(version.contract):
            problem = document.problem(loc, message)
            if refused:
                yield problem
            else:
                read.warnings.append(problem)


def _attempt(load: Callable[[], Loaded], problems: list[Problem]) -> Loaded | None:
    try:
        return load()
    except ConfigurationError as error:
        problems.extend(error.problems)
        return None
