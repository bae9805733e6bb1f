"""Loading an inventory: hosts.yml, group_vars/ and host_vars/ of a client, by Ansible's precedence, in our limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provisioner.config.document import Document, Loc, did_you_mean, ordered, refuse
from provisioner.config.files import label, read_regular
from provisioner.config.groups import Tree, read_tree
from provisioner.config.host_keys import SECRETS, address_of, endpoint
from provisioner.config.role_inputs import masked
from provisioner.config.variables import Variables, merged, read_variables
from provisioner.config.yaml import Bounds, parse
from provisioner.errors import ConfigurationError, Problem
from provisioner.model.asset import Asset
from provisioner.model.inventory import Inventory
from provisioner.model.record import Membership

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from provisioner.config.role_inputs import RoleInputs

    Decrypt = Callable[[Path, bytes], bytes]

HOSTS_BOUNDS = Bounds(size=8 * 1024 * 1024, nodes=250_000)
_VARS_BOUNDS = Bounds()
_VAULT = b"$ANSIBLE_VAULT;"


@dataclass(frozen=True)
class ReadInventory:
    """What reading an inventory gave: the inventory as far as it is valid, and every problem."""

    inventory: Inventory
    problems: list[Problem]


@dataclass(frozen=True)
class _Source:
    """Where a client's inventory comes from, what roles accept, and the problems and warnings found so far."""

    folder: Path
    roles: RoleInputs
    decrypt: Decrypt | None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    @property
    def client(self) -> str:
        return self.folder.absolute().name

    def document(self, path: Path, bounds: Bounds) -> Document:
        data = read_regular(path, folder=self.folder, limit=bounds.size)
        file = label(path, folder=self.folder)
        secret = data.startswith(_VAULT)
        if secret:
            if self.decrypt is None:
                sentence = (
                    "is encrypted by ansible-vault; PROVISIONER_VAULT_PASSWORD_FILE must name its password's file"
                )
                raise ConfigurationError((Problem(file, 0, 0, "", sentence),))
            data = self.decrypt(path, data)
        return Document(file, parse(data, file=file, bounds=bounds), secret)

    def variables(self, document: Document, places: list[Loc]) -> Variables:
        said = []
        for place in places:
            found = read_variables(document, place, roles=self.roles)
            self.problems.extend(found.problems)
            self.warnings.extend(found.warnings)
            said.append(found.variables)
        return merged(said)


def load_inventory(folder: Path, *, roles: RoleInputs, decrypt: Decrypt | None) -> Inventory:
    """Given a client's folder, what roles accept and how to open vault files, return its machines and groups.

    Raises ConfigurationError with every problem at once. Without `decrypt` a vault file is a problem.
    """
    read = read_inventory(folder, roles=roles, decrypt=decrypt)
    refuse(read.problems)
    return read.inventory


def read_inventory(folder: Path, *, roles: RoleInputs, decrypt: Decrypt | None) -> ReadInventory:
    """As `load_inventory`, but return the problems; raises only when hosts.yml has no document to find them in."""
    source = _Source(folder, roles, decrypt)
    tree = read_tree(source.document(folder / "hosts.yml", HOSTS_BOUNDS))
    source.problems.extend(tree.problems)
    assets = tuple(_assets(tree, source))
    source.problems.extend(_collisions(assets, tree))
    groups: dict[str, set[str]] = {group: set() for group in tree.parents}
    for asset in assets:
        for group in asset.groups:
            groups[group].add(asset.name)
    frozen = {group: frozenset(names) for group, names in groups.items()}
    warnings = tuple(str(warning) for warning in ordered(source.warnings))
    inventory = Inventory(client=source.client, assets=assets, groups=frozen, warnings=warnings)
    return ReadInventory(inventory, source.problems)


def host_names(folder: Path, *, decrypt: Decrypt | None) -> tuple[str, ...]:
    """Given a client's folder, return the names in its hosts.yml; variables are not looked at."""
    source = _Source(folder, {}, decrypt)
    return tuple(read_tree(source.document(folder / "hosts.yml", HOSTS_BOUNDS)).hosts)


def load_membership(folder: Path, *, decrypt: Decrypt | None) -> Membership:
    """Given a client's folder, return which groups each machine of its hosts.yml is in; variables are not looked at."""
    tree = read_tree(_Source(folder, {}, decrypt).document(folder / "hosts.yml", HOSTS_BOUNDS))
    refuse(tree.problems)
    groups: dict[str, frozenset[str]] = dict.fromkeys(tree.hosts, tree.above["all"])
    for group, names in tree.members.items():
        for name in names:
            groups[name] |= tree.above[group]
    return Membership(groups=groups)


def _assets(tree: Tree, source: _Source) -> Iterator[Asset]:
    client = source.client
    of_groups = _GroupVariables(tree, source)
    of_hosts = _files(source, "host_vars", tree.hosts)
    direct: dict[str, set[str]] = {name: {"all"} for name in tree.hosts}
    for group, names in tree.members.items():
        for name in names:
            direct[name].add(group)
    for name, places in tree.hosts.items():
        groups = of_groups.above(frozenset(direct[name]))
        inline = source.variables(tree.document, places)
        said = merged((of_groups.variables(groups), inline, of_hosts.get(name, Variables())))
        address, problem = address_of(name, said.connection)
        if problem:
            source.problems.append(tree.document.key_problem(places[0], problem))
        yield Asset(
            client=client,
            name=name,
            groups=groups,
            address=address,
            variables={key: masked(source.roles[key], value) for key, value in said.inputs.items()},
            confidential={key: value for key, value in said.inputs.items() if source.roles[key].confidential},
            secrets={SECRETS[key]: value for key, value in said.connection.items() if key in SECRETS},
        )


class _GroupVariables:
    """What groups say, read once; machines in the same groups share the result."""

    def __init__(self, tree: Tree, source: _Source) -> None:
        self._tree = tree
        self._inline = {name: source.variables(tree.document, places) for name, places in tree.group_vars.items()}
        self._files = _files(source, "group_vars", tree.parents)
        self._above: dict[frozenset[str], frozenset[str]] = {}
        self._known: dict[frozenset[str], Variables] = {}

    def above(self, groups: frozenset[str]) -> frozenset[str]:
        if groups not in self._above:
            self._above[groups] = frozenset().union(*(self._tree.above[group] for group in groups))
        return self._above[groups]

    def variables(self, groups: frozenset[str]) -> Variables:
        """All of hosts.yml before any of group_vars; in each, parents before children, then by name, like Ansible."""
        if groups not in self._known:
            ordered = sorted(groups, key=lambda group: (self._tree.depth[group], group))
            places = (self._inline, self._files)
            self._known[groups] = merged(place.get(group, Variables()) for place in places for group in ordered)
        return self._known[groups]


def _files(source: _Source, kind: str, known: Collection[str]) -> dict[str, Variables]:
    """The variables of group_vars/ or host_vars/, by the name they are for: NAME.yml, or every .yml file in NAME/."""
    found: dict[str, list[Path]] = {}
    folder = source.folder / kind
    if folder.exists() and not folder.is_dir():
        _note(source, folder, "is a file: Ansible and we read a folder of this name")
    for path in sorted(folder.glob("*")):
        name = path.name if path.is_dir() else path.stem
        if path.name.startswith("."):
            continue
        if name not in known:
            hint = did_you_mean(name, known)
            _note(source, path, f"hosts.yml has no {'group' if kind == 'group_vars' else 'machine'} of this name{hint}")
        elif name in found:
            _note(source, path, f"{name} is said twice, as a file and as a folder")
        else:
            found[name] = sorted(path.glob("[!.]*")) if path.is_dir() else [path]
    return {name: _said(source, paths) for name, paths in found.items()}


def _said(source: _Source, paths: list[Path]) -> Variables:
    said = []
    for path in paths:
        if path.suffix not in (".yml", ".yaml"):
            _note(source, path, "only .yml files are read here")
            continue
        try:
            said.append(source.variables(source.document(path, _VARS_BOUNDS), [()]))
        except ConfigurationError as error:
            source.problems.extend(error.problems)
    return merged(said)


def _note(source: _Source, path: Path, message: str) -> None:
    source.problems.append(Problem(label(path, folder=source.folder), 0, 0, "", message))


def _collisions(assets: tuple[Asset, ...], tree: Tree) -> Iterator[Problem]:
    seen: dict[tuple[str, int], str] = {}
    for asset in assets:
        first = seen.setdefault(endpoint(asset.address), asset.name)
        if first != asset.name:
            where = f"{asset.address.host} port {asset.address.port}"
            message = f"{first} has the same address and port, {where}"
            yield tree.document.key_problem(tree.hosts[asset.name][0], message)
