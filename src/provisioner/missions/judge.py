"""Judge: our rule for what a run was, not the exit status of a program. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.execution.ports import RunStatus
from provisioner.model.intervention import AssetResult, CheckResult, Outcome
from provisioner.model.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.execution.ports import RunResult, Tally
    from provisioner.model.intervention import Check


def _trouble(tally: Tally) -> tuple[Outcome, str, str] | None:
    """The first thing in a tally that is no success."""
    if tally.unreachable and tally.ok == 0:
        return Outcome.UNREACHABLE, "unreachable", "the machine could not be reached when the run began"
    if tally.unreachable:
        text = "the connection was lost during the run; its last task may have finished on the machine"
        return Outcome.UNKNOWN, "connection_lost", text
    if tally.failed:
        return Outcome.FAILED, "task_failed", "a task failed"
    if tally.rescued or tally.ignored:
        return Outcome.FAILED, "failure_hidden", "a task failed and the play went on"
    if tally.ok == 0:
        return Outcome.UNKNOWN, "nothing_ran", "every task was skipped"
    return None


def _evidence(checks: tuple[Check, ...], *, simulated: bool) -> tuple[Outcome, str, str] | None:
    """What the acceptance table says against success; a check run changed nothing, so its failures are no failure."""
    if not checks:
        return Outcome.UNKNOWN, "no_evidence", "the acceptance checks are missing"
    if not simulated and any(check.result is CheckResult.FAIL for check in checks):
        return Outcome.FAILED, "acceptance_failed", "the machine is not in the promised state"
    return None


STOPPED: Mapping[RunStatus, tuple[Outcome, str, str]] = {
    RunStatus.CANCELLED: (Outcome.INTERRUPTED, "interrupted", "the run was interrupted"),
    RunStatus.TIMED_OUT: (Outcome.UNKNOWN, "timed_out", "the run passed its time limit and was ended"),
}


def judge(name: str, result: RunResult, *, clause: str, failed_task: str | None) -> AssetResult:
    """Given what a run left, say what the named asset ended as.

    Changed or unchanged only if the machine was processed, nothing on it was unreachable, failed, rescued or ignored,
    something ran, and the acceptance table is there without a failure. A run that was stopped is never a success.
    """
    tally = result.tallies.get(name)
    checks = result.checks.get(name, ())
    if result.status in STOPPED:
        trouble: tuple[Outcome, str, str] | None = STOPPED[result.status]
    elif tally is None or result.status is RunStatus.BROKEN:
        text = f"the run did not process the machine to the end: {result.message or 'no reason was given'}"
        trouble = (Outcome.UNKNOWN, "not_processed", text)
    else:
        trouble = _trouble(tally) or _evidence(checks, simulated=result.check)
    success = Outcome.CHANGED if tally is not None and tally.changed else Outcome.UNCHANGED
    return AssetResult(
        name=name,
        outcome=trouble[0] if trouble else success,
        ok=tally.ok if tally else 0,
        changed=tally.changed if tally else 0,
        failed_task=failed_task,
        reason=Reason(code=trouble[1], clause=clause, text=trouble[2]) if trouble else None,
        checks=checks,
        packages=result.packages.get(name, ()),
        level=result.levels.get(name),
        backups=result.backups.get(name),
        proof=result.proofs.get(name),
    )
