from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from provisioner.model.intervention import AssetResult, Check, CheckResult, Intervention, Outcome
from provisioner.model.mission import MissionKind
from provisioner.model.verdict import Reason
from provisioner.reporting.interventions import instant, intervention_document

REASON = Reason(code="task_failed", clause="missions.workstation_setup", text="a task failed")
CHECK = Check(name="locale", asked="fr_FR", found="C", result=CheckResult.FAIL, personal=True)

INTERVENTION = Intervention(
    id="iv-1",
    client="demo",
    contract="DEMO-2026",
    clause="missions.workstation_setup",
    plan_digest="ab" * 32,
    mission=MissionKind.WORKSTATION_SETUP,
    operator="op-1",
    outcome=Outcome.FAILED,
    opened=datetime(2026, 11, 23, 14, 0, 0, 999_999, tzinfo=UTC),
    closed=None,
    reasons=(REASON,),
    warnings=("this run makes 8 of 10",),
    entries=(4, 5),
    assets=(
        AssetResult(name="ws-01", outcome=Outcome.FAILED, ok=3, failed_task="r : t", reason=REASON, checks=(CHECK,)),
    ),
)

DOCUMENT = {
    "intervention": "iv-1",
    "client": "demo",
    "contract": "DEMO-2026",
    "clause": "missions.workstation_setup",
    "plan_digest": "ab" * 32,
    "mission": "workstation_setup",
    "operator": "op-1",
    "ticket": None,
    "simulated": False,
    "outcome": "failed",
    "reasons": [{"code": "task_failed", "clause": "missions.workstation_setup", "text": "a task failed"}],
    "warnings": ["this run makes 8 of 10"],
    "request": None,
    "opened": "2026-11-23T14:00:00Z",
    "closed": None,
    "entries": [4, 5],
    "assets": [
        {
            "name": "ws-01",
            "outcome": "failed",
            "ok": 3,
            "changed": 0,
            "failed_task": "r : t",
            "reason": {"code": "task_failed", "clause": "missions.workstation_setup", "text": "a task failed"},
            "checks": [{"name": "locale", "asked": "fr_FR", "found": "C", "result": "fail"}],
        }
    ],
}
"""The keys that the interface promises, and no other ones."""


def test_the_document_is_what_the_interface_promises() -> None:
    assert json.loads(json.dumps(intervention_document(INTERVENTION))) == DOCUMENT


def test_an_instant_is_told_in_utc_whatever_its_zone() -> None:
    assert instant(datetime(2026, 11, 23, 15, tzinfo=timezone(timedelta(hours=1)))) == "2026-11-23T14:00:00Z"
    assert instant(None) is None


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        instant(datetime(2026, 11, 23, 15))  # noqa: DTZ001
