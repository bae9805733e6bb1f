"""An inventory: the machines of one client, as its `hosts.yml`, `group_vars/` and `host_vars/` describe them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.model.asset import Asset


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """Every machine of a client in the order of the file; every group with the names in it, its children's included.

    `warnings` are sentences about what loads and may not be meant.
    """

    client: str
    assets: tuple[Asset, ...]
    groups: Mapping[str, frozenset[str]]
    warnings: tuple[str, ...] = ()
