"""Where a rollout stands, as a document and as a page."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from provisioner.model.rollout import Halt, HostState, Wait
from provisioner.reporting.page import Section
from provisioner.reporting.rollouts import local
from provisioner.reporting.statements import utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioner.model.intervention import Intervention
    from provisioner.model.rollout import Decision, HostStanding, RolloutStanding


def standing_document(found: RolloutStanding) -> dict[str, object]:
    """Given where a rollout stands, return the document of `patch.run` and `patch.status`; instants in UTC.

    `states` has every state; their sum is the number of machines.
    """
    counted = Counter(row.state for row in found.machines)
    return {
        "client": found.client,
        "contract": found.contract,
        "rollout": found.rollout,
        "begun": utc(found.begun),
        "ended": utc(found.ended),
        "given_up": found.given_up,
        "halted": isinstance(found.decision, Halt),
        "next": _decision(found.decision),
        "states": {state.value: counted[state] for state in HostState},
        "not_evaluable": list(found.not_evaluable),
        "lock": [package._asdict() for package in found.lock],
        "superseded": [{"name": name, "version": version} for name, version in found.superseded],
        "excepted": [{**one._asdict(), "until": utc(one.until)} for one in found.excepted],
        "machines": [
            {
                "asset": row.asset,
                "wave": row.wave,
                "state": row.state.value,
                "at_work": row.at_work,
                "reason": row.reason or None,
            }
            for row in found.machines
        ],
    }


def run_document(found: RolloutStanding, done: Sequence[Intervention]) -> dict[str, object]:
    """The same, with the interventions of this call."""
    rows = [{"intervention": one.id, "outcome": one.outcome.value, "entries": list(one.entries)} for one in done]
    return {**standing_document(found), "interventions": rows}


def _decision(decision: Decision) -> dict[str, str | None]:
    if isinstance(decision, Wait):
        return {"code": decision.code, "text": decision.text, "until": utc(decision.until)}
    if isinstance(decision, Halt):
        return {"code": decision.code, "text": decision.text, "until": None}
    return {"code": "due", "text": "a batch is due now", "until": None}


def standing_page(found: RolloutStanding) -> list[Section]:
    """Given where a rollout stands, return the page for a person."""
    if found.rollout is None:
        return [Section(lines=(f"no rollout was begun under contract {found.contract}", _next(found)))]
    counted = Counter(row.state for row in found.machines)
    states = ", ".join(f"{counted[state]} {state}" for state in HostState if counted[state])
    rows = tuple((row.asset, row.wave, _state(row), row.reason) for row in found.machines)
    title = f"Rollout {found.rollout} under contract {found.contract}"
    begun = f"begun {local(found.begun, found.zone)}"
    by = "given up by a person" if found.given_up else "ended"
    ended = f", {by} {local(found.ended, found.zone)}" if found.ended else ""
    lock = f"lock: {len(found.lock)} packages" if found.lock else "lock: empty"
    lines = [f"{begun}{ended}; {len(found.machines)} machines: {states}", lock]
    if found.not_evaluable:
        lines.append(f"not evaluable, too few machines were tried: {', '.join(found.not_evaluable)}")
    if found.superseded:
        newer = ", ".join(f"{name} {version}" for name, version in found.superseded)
        lines.append(f"superseded by a security update, which needs a canary of its own: {newer}")
    columns = ("machine", "wave", "state", "reason")
    page = [Section(title=title, lines=tuple(lines), columns=columns, rows=rows)]
    if found.excepted:
        left = tuple(
            (one.asset, one.package, one.version, str(one.tries), local(one.until, found.zone))
            for one in found.excepted
        )
        named = ("machine", "package", "version", "tries", "left alone until")
        page.append(Section(title="Tried and never installed", columns=named, rows=left))
    return [*page, Section(lines=(_next(found),))]


def _state(row: HostStanding) -> str:
    return f"{row.state.value}, at work now" if row.at_work else row.state.value


def _next(found: RolloutStanding) -> str:
    if isinstance(found.decision, Halt):
        return f"HALTED in wave {found.decision.wave}: {found.decision.text}; patch.resume lets it go on"
    if isinstance(found.decision, Wait):
        until = f" until {local(found.decision.until, found.zone)}" if found.decision.until else ""
        return f"nothing is due{until}: {found.decision.text}"
    return "a batch is due now: patch.run takes it"
