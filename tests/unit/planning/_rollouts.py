"""Terms of updates for tests: a weekly window, waves, gates; and what becomes of machines."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from provisioner.model.mission_terms import Gate, Missions, OnFailure, SoftwareUpdates, Wave
from provisioner.model.rollout import Attempt, HostState, WavePlan
from provisioner.model.values import NO_TIME, Duration, Percentage, parse_time
from provisioner.model.window import Window
from provisioner.planning.openings import Openings
from provisioner.planning.rollout import Rollout
from provisioner.planning.waves import plan_waves
from provisioner.testing import make_contract

if TYPE_CHECKING:
    from provisioner.model.contract import Contract

TUESDAY = int(datetime(2026, 11, 24, 21, 0, tzinfo=UTC).timestamp())
"""22:00 in Paris: the weekly window opens, for four hours."""
HOUR, DAY = 3600, 86_400
WEEKLY = Window(name="weekly", rrule="FREQ=WEEKLY;BYDAY=TU", start=parse_time("22:00"), duration=Duration(4, "h"))


def percent(text: str) -> Percentage:
    return Percentage(Decimal(text))


def gate(failed: str = "0", unreachable: str = "0", **more: Any) -> Gate:
    return Gate(max_failed=percent(failed), max_unreachable=percent(unreachable), **more)


def waves(*sizes: int | None, soak: str = "") -> tuple[Wave, ...]:
    length = Duration.parse(soak) if soak else NO_TIME
    return tuple(Wave(name=f"wave-{number}", count=size, soak=length) for number, size in enumerate(sizes, 1))


def updates(**more: Any) -> SoftwareUpdates:
    return SoftwareUpdates(**{"windows": (WEEKLY,), "gate": gate(), **more})


def contract(terms: SoftwareUpdates, **more: Any) -> Contract:
    fields = {"timezone": "Europe/Paris", "starts": date(2026, 1, 1), "ends": date(2027, 12, 31), **more}
    return make_contract(missions=Missions(software_updates=terms), **fields)


def rollout(
    terms: SoftwareUpdates, hosts: int, *, seconds: int = 1500, tries: int = 1, **more: Any
) -> tuple[Rollout, Openings]:
    openings = Openings(contract(terms, **more), terms)
    planned: tuple[WavePlan, ...] = plan_waves(terms, {f"m{number}": frozenset() for number in range(hosts)})
    return Rollout(terms, planned, openings=openings, seconds=seconds, tries=tries), openings


def ended(assets: tuple[str, ...], at: int, *states: HostState) -> list[Attempt]:
    """A batch that began at an instant and took ten minutes; the first machines end as `states`, the others patched."""
    found = [*states, *[HostState.PATCHED] * len(assets)][: len(assets)]
    return [
        Attempt(asset, state, at, at + 600, begun=state is not HostState.UNREACHABLE)
        for asset, state in zip(assets, found, strict=True)
    ]


CONTINUE = OnFailure.CONTINUE
