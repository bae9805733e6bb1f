"""The rollout that would begin next, as a document and as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.reporting.page import Section
from provisioner.reporting.rollouts import local
from provisioner.reporting.statements import utc

if TYPE_CHECKING:
    from provisioner.model.rollout_plan import Deadline, RolloutPlan

UNDO = "the versions before are recorded for each machine; going back is work by hand"


def plan_document(plan: RolloutPlan) -> dict[str, object]:
    """Given a plan, return the document of `patch.plan`; instants in UTC, lengths in seconds."""
    return {
        "contract": plan.contract,
        "digest": plan.digest,
        "batch": plan.batch,
        "undo": UNDO,
        "waves": [
            {"name": wave.name, "assets": list(wave.assets), "begins": utc(wave.begins), "through": utc(wave.through)}
            for wave in plan.waves
        ],
        "deadlines": [
            {
                "name": one.name,
                "promised_seconds": one.promised,
                "best_seconds": one.best,
                "worst_seconds": one.worst,
                "kept": kept(one),
            }
            for one in plan.deadlines
        ],
        "openings": [{"opens": utc(opens), "closes": utc(closes)} for opens, closes in plan.openings],
    }


def kept(deadline: Deadline) -> str:
    """Whether a deadline is kept: `yes`, `not always`, `no`."""
    if deadline.worst is not None and deadline.worst <= deadline.promised:
        return "yes"
    return "not always" if deadline.best is not None and deadline.best <= deadline.promised else "no"


def plan_page(plan: RolloutPlan) -> list[Section]:
    """Given a plan, return the page for a person."""
    waves = tuple(
        (wave.name, str(len(wave.assets)), *(local(at, plan.zone) or "never" for at in (wave.begins, wave.through)))
        for wave in plan.waves
    )
    machines = tuple((asset, wave.name) for wave in plan.waves for asset in wave.assets)
    limits = tuple(
        (one.name, _days(one.promised), _days(one.best), _days(one.worst), kept(one)) for one in plan.deadlines
    )
    windows = tuple((local(opens, plan.zone), local(closes, plan.zone)) for opens, closes in plan.openings)
    title = f"The next rollout under contract {plan.contract}"
    lines = (f"plan {plan.digest}", f"at most {plan.batch} machines at once; undo: {UNDO}")
    found = [
        Section(
            title=title, lines=lines, columns=("wave", "machines", "begins", "through, if nothing fails"), rows=waves
        ),
        Section(title="Machines", columns=("machine", "wave"), rows=machines),
    ]
    if limits:
        columns = ("deadline", "promised", "best", "worst", "kept")
        found.append(Section(title="An update is on the last machine after", columns=columns, rows=limits))
    return [*found, Section(title="Openings of the next 30 days", columns=("opens", "closes"), rows=windows)]


def _days(seconds: int | None) -> str:
    return "never" if seconds is None else f"{seconds / 86400:.1f} d"
