"""Our rule for what a run was. Every row is a way to look like success without being one."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.execution.ports import RunResult, RunStatus, Tally
from provisioner.missions import judge as judging
from provisioner.missions.judge import judge
from provisioner.model.intervention import Check, CheckResult, Outcome
from provisioner.testing import PASSED, result

FAILED = (*PASSED, Check(name="locale", asked="fr_FR", found="C", result=CheckResult.FAIL))
ABSENT = (Check(name="battery", asked="80%", found="none", result=CheckResult.NOT_APPLICABLE),)
GOOD = Tally(ok=5)


def run(
    tally: Tally | None = GOOD,
    *,
    status: RunStatus = RunStatus.FINISHED,
    checks: tuple[Check, ...] | None = PASSED,
    check: bool = False,
) -> RunResult:
    tallies = {} if tally is None else {"ws-01": tally}
    return result(tallies, status=status, check=check, checks={} if checks is None else {"ws-01": checks})


TABLE = {
    "unchanged": (run(), Outcome.UNCHANGED, None),
    "changed": (run(Tally(ok=5, changed=2)), Outcome.CHANGED, None),
    "some skipped": (run(Tally(ok=1, skipped=30)), Outcome.UNCHANGED, None),
    "not applicable is no failure": (run(checks=ABSENT), Outcome.UNCHANGED, None),
    "not processed": (run(None), Outcome.UNKNOWN, "not_processed"),
    "broken": (run(None, status=RunStatus.BROKEN), Outcome.UNKNOWN, "not_processed"),
    "broken after its tally": (run(status=RunStatus.BROKEN), Outcome.UNKNOWN, "not_processed"),
    "never reached": (run(Tally(unreachable=1)), Outcome.UNREACHABLE, "unreachable"),
    "connection lost": (run(Tally(ok=3, changed=1, unreachable=1)), Outcome.UNKNOWN, "connection_lost"),
    "a task failed": (run(Tally(ok=3, failed=1)), Outcome.FAILED, "task_failed"),
    "a failure rescued": (run(Tally(ok=3, rescued=1)), Outcome.FAILED, "failure_hidden"),
    "a failure ignored": (run(Tally(ok=3, ignored=1)), Outcome.FAILED, "failure_hidden"),
    "all skipped": (run(Tally(skipped=9)), Outcome.UNKNOWN, "nothing_ran"),
    "no acceptance table": (run(checks=None), Outcome.UNKNOWN, "no_evidence"),
    "an empty acceptance table": (run(checks=()), Outcome.UNKNOWN, "no_evidence"),
    "a promise not kept": (run(checks=FAILED), Outcome.FAILED, "acceptance_failed"),
    "a promise not kept yet": (run(checks=FAILED, check=True), Outcome.UNCHANGED, None),
    "no table, simulated": (run(checks=None, check=True), Outcome.UNKNOWN, "no_evidence"),
    "cancelled": (run(status=RunStatus.CANCELLED), Outcome.INTERRUPTED, "interrupted"),
    "timed out": (run(status=RunStatus.TIMED_OUT), Outcome.UNKNOWN, "timed_out"),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_table(name: str) -> None:
    found, outcome, reason = TABLE[name]
    judged = judge("ws-01", found, clause="missions.x", failed_task=None)
    assert judged.outcome is outcome
    assert (judged.reason.code if judged.reason else None) == reason
    assert judged.reason is None or judged.reason.clause == "missions.x"


def test_counts_checks_and_the_failed_task_are_kept() -> None:
    judged = judge("ws-01", run(Tally(ok=5, changed=2), checks=FAILED), clause="c", failed_task="role : task")
    assert (judged.ok, judged.changed, judged.failed_task, judged.checks) == (5, 2, "role : task", FAILED)


def test_a_broken_run_says_why() -> None:
    broken = RunResult(status=RunStatus.BROKEN, check=False, message="no hosts matched")
    judged = judge("ws-01", broken, clause="c", failed_task=None)
    assert judged.reason is not None and "no hosts matched" in judged.reason.text


RULES = (
    "if tally.unreachable and tally.ok == 0:",
    "if tally.unreachable:",
    "if tally.failed:",
    "if tally.rescued or tally.ignored:",
    "if tally.ok == 0:",
    "if not checks:",
    "if not simulated and any(check.result is CheckResult.FAIL for check in checks):",
    "if result.status in STOPPED:",
    "elif tally is None or result.status is RunStatus.BROKEN:",
)


def wrong_rows(source: str) -> list[str]:
    """The rows of the table that a judge with this source gets wrong."""
    mutant: dict[str, object] = {"__name__": "mutant"}
    exec(compile(source, "mutant", "exec"), mutant)
    judged = mutant["judge"]
    assert callable(judged)
    wrong = []
    for name, (found, outcome, _) in TABLE.items():
        try:
            right = judged("ws-01", found, clause="c", failed_task=None).outcome is outcome
        except AttributeError:
            right = False
        if not right:
            wrong.append(name)
    return wrong


def test_without_any_one_rule_a_row_goes_wrong() -> None:
    source = inspect.getsource(judging)
    assert wrong_rows(source) == [], "the control: the judge as it is"
    for rule in RULES:
        assert source.count(rule) == 1, f"the judge has no rule {rule!r} any more"
        assert wrong_rows(source.replace(rule, rule.partition(" ")[0] + " False:")), f"nothing depends on {rule!r}"
    assert source.count("    if ") + source.count("    elif ") == len(RULES), "a rule is not in the list above"


tallies = st.builds(
    Tally,
    **{name: st.integers(0, 2) for name in ("ok", "changed", "failed", "unreachable", "skipped", "rescued", "ignored")},
)


@given(tallies, st.sampled_from(RunStatus), st.sampled_from([PASSED, FAILED, ABSENT, ()]), st.booleans())
def test_success_needs_everything(tally: Tally, status: RunStatus, checks: tuple[Check, ...], check: bool) -> None:
    judged = judge("ws-01", run(tally, status=status, checks=checks, check=check), clause="c", failed_task=None)
    flawless = not (tally.failed or tally.unreachable or tally.rescued or tally.ignored) and tally.ok > 0
    shown = bool(checks) and (check or checks != FAILED)
    assert judged.outcome.accepted == (flawless and shown and status is RunStatus.FINISHED)
    assert judged.outcome.accepted == (judged.reason is None)
