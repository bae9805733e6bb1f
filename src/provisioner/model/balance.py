"""Balance: what a period granted, and what became of it (rule 12)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from provisioner.model.values import Money


class Unit(StrEnum):
    """What a balance counts."""

    ASSETS = "assets"
    SECONDS = "seconds"


@dataclass(frozen=True, kw_only=True)
class Balance:
    """An allowance, or the prepaid hours, in one period: its first and last day, and amounts in `unit`.

    `granted` includes what was carried in; it is always used + left + expired. Of a period that is over, `left` is what
    moved on to the next one. `overage` was taken beyond; `overage_amount` is its price, None where the contract has
    none. `assets` are those that an allowance counted in the period.
    """

    contract: str
    clause: str
    unit: Unit
    first: date
    last: date
    granted: int
    used: int
    left: int
    expired: int
    overage: int
    overage_amount: Money | None = None
    assets: frozenset[str] = frozenset()

    @property
    def usable(self) -> int:
        """What the period had, less what expired before anybody took it."""
        return self.used + self.left

    def admits(self, asset: str) -> bool:
        """Whether work on the asset is included: something is left, or it was counted already in this period."""
        return asset in self.assets or self.left > 0
