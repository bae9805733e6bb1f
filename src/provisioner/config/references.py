"""What a contract names and its client's hosts.yml must know: groups and machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.config.document import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from provisioner.config.document import Loc
    from provisioner.model.contract import Contract
    from provisioner.model.inventory import Inventory
    from provisioner.model.mission_terms import Backup


def references(contract: Contract, inventory: Inventory) -> Iterator[tuple[Loc, str]]:
    """Given a contract and its client's inventory, yield the path of each name not in hosts.yml, and why."""
    groups: list[tuple[Loc, str]] = [(("assets", index), name) for index, name in enumerate(contract.assets)]
    for index, objective in enumerate(contract.objectives):
        if objective.group is not None:
            groups.append((("objectives", index, "group"), objective.group))
    if contract.missions.backup is not None:
        groups += [(("missions", "backup", "groups", name), name) for name in contract.missions.backup.groups]
    updates = contract.missions.software_updates
    for index, wave in enumerate(updates.waves if updates else ()):
        if wave.group is not None:
            groups.append((("missions", "software_updates", "waves", index, "group"), wave.group))
    apart = ("missions", "software_updates", "apart")
    hosts: list[tuple[Loc, str]] = [
        ((*apart, first, second), name)
        for first, names in enumerate(updates.apart if updates else ())
        for second, name in enumerate(names)
    ]
    backup = contract.missions.backup
    lists = list(_stores(backup)) if backup is not None else []
    hosts += [((*path, index), name) for path, names in lists for index, name in enumerate(names)]
    yield from _unknown(groups, inventory.groups, noun="group")
    yield from _unknown(hosts, {asset.name for asset in inventory.assets}, noun="machine")
    if backup is not None:
        yield from _two_roles(lists)
        yield from _contradictions(backup, inventory)


def _stores(backup: Backup) -> Iterator[tuple[Loc, tuple[str, ...]]]:
    """Every list of stores, with its place."""
    at: Loc = ("missions", "backup")
    yield (*at, "stores"), backup.stores or ()
    for name, terms in backup.groups.items():
        yield (*at, "groups", name, "stores"), terms.stores or ()


def _two_roles(lists: list[tuple[Loc, tuple[str, ...]]]) -> Iterator[tuple[Loc, str]]:
    """A store that is the first of one list and a later one of another: it cannot be on site and off site at once."""
    sites = {names[0] for _, names in lists if names}
    for path, names in lists:
        for index, name in enumerate(names[1:], 1):
            if name in sites - {names[0]}:
                yield (*path, index), f"{name} is the first store of a list, with the inboxes, and an off-site one here"


def _contradictions(backup: Backup, inventory: Inventory) -> Iterator[tuple[Loc, str]]:
    """Two groups of one machine that say different things; each pair of groups once, with the first machine in both."""
    found: dict[tuple[str, str, str], str] = {}
    for asset in inventory.assets:
        for each in backup.contradictions(asset.groups):
            found.setdefault(each, asset.name)
    for (key, group, other), machine in found.items():
        said = f"{machine} is in {other} too, which says otherwise; say it in one of them, or the same in both"
        yield ("missions", "backup", "groups", group, key), said


def _unknown(named: list[tuple[Loc, str]], known: Collection[str], *, noun: str) -> Iterator[tuple[Loc, str]]:
    for loc, name in named:
        if name not in known:
            yield loc, f"hosts.yml has no {noun} called {name}{did_you_mean(name, known)}"
