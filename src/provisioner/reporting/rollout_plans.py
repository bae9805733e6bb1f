"""The rollout that would begin next, as a document and as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.reporting.page import Section
from provisioner.reporting.rollouts import local
from provisioner.reporting.statements import utc

if TYPE_CHECKING:
    from provisioner.model.rollout_plan import ContractRings, Deadline, PlannedWave, RolloutPlan

UNDO = "by hand, to the versions that are recorded for each machine; no snapshot is made"


def plan_document(plan: RolloutPlan) -> dict[str, object]:
    """Given a plan, return the document of `patch.plan`; instants in UTC, lengths in seconds."""
    return {
        "contract": plan.contract,
        "digest": plan.digest,
        "batch": plan.batch,
        "undo": UNDO,
        "waves": [
            {"name": wave.name, "assets": list(wave.assets), "begins": utc(wave.begins), "through": utc(wave.through)}
            | _ages(wave)
            for wave in plan.waves
        ],
        "machines": [
            {
                "asset": one.asset,
                "wave": one.wave,
                "scanned": utc(one.scanned),
                "taken": one.taken,
                "security": one.security,
                "kept": one.kept,
                "undo": one.undo.value,
                "lost": list(one.lost),
            }
            for one in plan.machines
        ],
        "deadlines": [_deadline(one) for one in plan.deadlines],
        "openings": [{"opens": utc(opens), "closes": utc(closes)} for opens, closes in plan.openings],
    }


def rings_document(found: ContractRings) -> dict[str, object]:
    """Given what a contract's waves make of its deadlines, return its object in the document of `contract.check`."""
    return {
        "client": found.client,
        "contract": found.contract,
        "machines": found.machines,
        "batch": found.batch,
        "waves": [{"name": wave.name, "machines": len(wave.assets)} | _ages(wave) for wave in found.waves],
        "deadlines": [_deadline(one) for one in found.deadlines],
    }


def rings_lines(found: ContractRings) -> list[str]:
    """The same as lines for a person."""
    head = f"{found.client}, {found.contract}: updates on {found.machines} machines, at most {found.batch} at once"
    rows = [
        f"  wave {wave.name} ({len(wave.assets)}) is through when an update is {_days(wave.best)} old at best, "
        f"{_days(wave.worst)} at worst"
        for wave in found.waves
    ]
    limits = [f"  deadline {one.name} {_days(one.promised)}: kept {one.kept}" for one in found.deadlines]
    return [head, *rows, *limits]


def _ages(wave: PlannedWave) -> dict[str, object]:
    return {"best_seconds": wave.best, "worst_seconds": wave.worst}


def _deadline(one: Deadline) -> dict[str, object]:
    return {
        "name": one.name,
        "promised_seconds": one.promised,
        "best_seconds": one.best,
        "worst_seconds": one.worst,
        "kept": one.kept,
    }


def plan_page(plan: RolloutPlan) -> list[Section]:
    """Given a plan, return the page for a person."""
    waves = tuple(
        (
            *(wave.name, str(len(wave.assets))),
            *(local(at, plan.zone) or "never" for at in (wave.begins, wave.through)),
            *(_days(age) for age in (wave.best, wave.worst)),
        )
        for wave in plan.waves
    )
    machines = tuple(
        (
            *(one.asset, one.wave, local(one.scanned, plan.zone) or "never"),
            *(str(count) if one.scanned else "" for count in (one.taken, one.security, one.kept)),
            f"{one.undo}: {', '.join(one.lost)}" if one.lost else one.undo.value,
        )
        for one in plan.machines
    )
    limits = tuple(
        (one.name, _days(one.promised), _days(one.best), _days(one.worst), one.kept) for one in plan.deadlines
    )
    windows = tuple((local(opens, plan.zone), local(closes, plan.zone)) for opens, closes in plan.openings)
    title = f"The next rollout under contract {plan.contract}"
    lines = (f"plan {plan.digest}", f"at most {plan.batch} machines at once; undo: {UNDO}")
    columns = ("wave", "machines", "begins", "through, if nothing fails", "age at best", "at worst")
    found = [
        Section(title=title, lines=lines, columns=columns, rows=waves),
        Section(
            title="Machines, by the last scan of each",
            columns=("machine", "wave", "scanned", "updates", "security", "stay", "undo"),
            rows=machines,
        ),
    ]
    if limits:
        heads = ("deadline", "promised", "best", "worst", "kept")
        found.append(Section(title="An update is on the last machine after", columns=heads, rows=limits))
    return [*found, Section(title="Openings of the next 30 days", columns=("opens", "closes"), rows=windows)]


def _days(seconds: int | None) -> str:
    return "never" if seconds is None else f"{seconds / 86400:.1f} d"
