"""What a contract names and its client's hosts.yml must know: groups and machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.config.document import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from provisioner.config.document import Loc
    from provisioner.model.contract import Contract
    from provisioner.model.inventory import Inventory


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
    yield from _unknown(groups, inventory.groups, noun="group")
    yield from _unknown(hosts, {asset.name for asset in inventory.assets}, noun="machine")


def _unknown(named: list[tuple[Loc, str]], known: Collection[str], *, noun: str) -> Iterator[tuple[Loc, str]]:
    for loc, name in named:
        if name not in known:
            yield loc, f"hosts.yml has no {noun} called {name}{did_you_mean(name, known)}"
