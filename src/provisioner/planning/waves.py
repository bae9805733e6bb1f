"""Waves and batches: which machines take an update when, and which of them at once."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from provisioner.model.rollout import WavePlan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from provisioner.model.mission_terms import SoftwareUpdates, Wave

EVERYTHING = "all"
"""The name of the one wave of a contract that names none."""

REST = "rest"
"""The name of a wave of those that no wave of the contract takes."""


def plan_waves(updates: SoftwareUpdates, machines: Mapping[str, frozenset[str]]) -> tuple[WavePlan, ...]:
    """Given terms and the covered machines in order, each with its groups, return the waves: each machine is in one.

    A percentage is of all the machines, rounded up; a wave takes what is left at most, of its group if it names one.
    Where the last wave of the contract leaves some, they are in one more, `rest`, with no soak before it but that of
    the wave before.
    """
    plans: list[WavePlan] = []
    left = list(machines)
    for wave in updates.waves:
        fitting = [name for name in left if wave.group is None or wave.group in machines[name]]
        taken = fitting[: _size(wave, len(machines), len(fitting))]
        gone = frozenset(taken)
        left = [name for name in left if name not in gone]
        plans.append(WavePlan(name=wave.name, assets=tuple(taken), soak=wave.soak.seconds))
    if left:
        plans.append(WavePlan(name=REST if updates.waves else EVERYTHING, assets=tuple(left)))
    return tuple(plans)


def _size(wave: Wave, all_: int, left: int) -> int:
    if wave.count is not None:
        return min(wave.count, left)
    if wave.percent is not None:
        return min(math.ceil(all_ * wave.percent.value / 100), left)
    return left


class Batches:
    """The machines of a wave that are still to be taken, batch by batch."""

    def __init__(self, assets: Iterable[str], *, size: int, apart: Iterable[Sequence[str]]) -> None:
        """Given the machines in order, the most in one batch, and groups of which no two may be in one batch."""
        self._waiting = deque(assets)
        self._size = size
        self._apart: dict[str, list[frozenset[str]]] = {}
        for group in map(frozenset, apart):
            for name in group:
                self._apart.setdefault(name, []).append(group)

    def __len__(self) -> int:
        return len(self._waiting)

    def drop(self, assets: Iterable[str]) -> None:
        """Take these out: they had their turn."""
        gone = frozenset(assets)
        self._waiting = deque(asset for asset in self._waiting if asset not in gone)

    def put_back(self, assets: Sequence[str]) -> None:
        """These come again, before the others."""
        self._waiting.extendleft(reversed(assets))

    def take(self) -> tuple[str, ...]:
        """Take the next batch; those that must be apart from one in it keep their place for the next one."""
        batch: list[str] = []
        kept: list[str] = []
        barred: set[str] = set()
        while self._waiting and len(batch) < self._size:
            name = self._waiting.popleft()
            if name in barred:
                kept.append(name)
                continue
            batch.append(name)
            barred.update(*self._apart.get(name, ()))
        self._waiting.extendleft(reversed(kept))
        return tuple(batch)
