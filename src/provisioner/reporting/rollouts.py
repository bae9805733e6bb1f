"""A simulated rollout as a document and as a page."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from provisioner.model.rollout import HostState
from provisioner.reporting.page import Section
from provisioner.reporting.statements import utc

if TYPE_CHECKING:
    from provisioner.model.rollout import Simulated


def simulation_document(found: Simulated) -> dict[str, object]:
    """Given a simulated rollout, return the document that `patch.simulate --json` prints; instants in UTC.

    `assets` of a wave is how many machines it has. `reason` is why the rollout halted, or will never get through.
    """
    return {
        "hosts": found.hosts,
        "attempted": found.attempted,
        "states": {state.value: count for state, count in found.states.items()},
        "halted": found.halt is not None,
        "halted_wave": found.halt.wave if found.halt else None,
        "reason": _reason(found),
        "not_evaluable": list(found.not_evaluable),
        "blast_radius": found.blast_radius,
        "started": utc(found.started),
        "finished": utc(found.finished),
        "waves": [asdict(wave) | {"opened": utc(wave.opened), "closed": utc(wave.closed)} for wave in found.waves],
    }


def _reason(found: Simulated) -> dict[str, str] | None:
    why = found.halt or found.stuck
    return {"code": why.code, "text": why.text} if why else None


def simulation_page(found: Simulated, *, contract: str, zone: str) -> list[Section]:
    """Given a simulated rollout, return the page for a person: waves, states, and what it comes to. Times in a zone."""
    columns = ("wave", "machines", "tried", "failed", "unreachable", "unknown", "begins", "is through")
    rows = tuple(
        (
            *(wave.name, str(wave.assets), str(wave.attempted), str(wave.failed)),
            *(str(wave.unreachable), str(wave.unknown), local(wave.opened, zone), local(wave.closed, zone)),
        )
        for wave in found.waves
    )
    states = tuple((state.value, str(found.states[state])) for state in HostState if found.states[state])
    title = f"Simulated rollout to {found.hosts} machines under contract {contract}"
    return [
        Section(title=title, lines=(f"Times are those of {zone}.",), columns=columns, rows=rows),
        Section(title="Machines end as", columns=("state", "machines"), rows=states),
        Section(lines=_comes_to(found, zone)),
    ]


def _comes_to(found: Simulated, zone: str) -> tuple[str, ...]:
    if found.halt is not None:
        first = f"HALTED in wave {found.halt.wave}: {found.halt.text}"
    elif found.stuck is not None:
        first = f"never gets through: {found.stuck.text}"
    elif found.not_evaluable:
        first = f"ended; too few machines were tried to judge: {', '.join(found.not_evaluable)}"
    else:
        first = "through"
    touched = f"machines on which a change was begun: {found.blast_radius} of {found.hosts}"
    return first, touched, f"from {local(found.started, zone)} to {local(found.finished, zone)}"


def local(at: int | None, zone: str) -> str:
    """An instant in a zone, to the minute; empty for none."""
    return "" if at is None else datetime.fromtimestamp(at, ZoneInfo(zone)).isoformat(" ", "minutes")
