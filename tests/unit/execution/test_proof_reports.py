"""What a machine tells of a proof is held against its form: a text of its own choice enters nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.execution.proof_reports import proof_report
from provisioner.execution.translate import proofs
from provisioner.model.drill import Damage, Named, Restored, Try
from provisioner.model.plan import Step

TOLD: dict[str, Any] = {
    "at": "2026-11-30T20:00:00Z", "ended": "2026-11-30T20:01:00Z", "passed": True, "full": True, "reasons": [],
    "text": "",
    "restic": "0.14", "snapshot": "a" * 64, "original": "b" * 64, "of": "2026-11-30T18:00:00Z", "manifest": "c" * 64,
    "manifest_known": True, "restore_ms": 2000, "load_ms": 0, "compare_ms": 5, "whole_ms": 2100,
    "compared": {"compared": 3, "equal": 1, "different": 0, "moving": 1, "unfaithful": 1, "appeared": 0, "bytes": 4000,
                 "differences": {}, "not_kept": {"socket": 1}, "named": [],
                 "not_kept_named": [{"path": "/home/s%20ocket", "kind": "socket"}], "moving_named": ["/var/log"]},
    "canaries": {"expected": 11, "missing": 0, "altered": 0, "named": []},
    "databases": [{"name": "app", "tables": 2, "rows": 40, "text": ""}],
}  # fmt: skip


def test_what_is_of_its_form_is_read() -> None:
    report = proof_report(TOLD, ())
    assert report is not None
    assert (report.ended - report.at, report.passed, report.full, report.bytes_a_second) == (60, True, True, 2000)
    assert report.compared is not None
    assert (report.compared.not_kept, report.compared.named) == ({"socket": 1}, (Named("/home/s%20ocket", "socket"),))
    assert report.databases == {"loaded": 1, "failed": 0, "tables": 2, "rows": 40}
    probe = {**TOLD, "tries": [{"name": "delete_index", "allowed": False, "answer": "403", "changed": False}]}
    told = proof_report(probe, ())
    assert told is not None
    assert told.tries == (Try("delete_index", False, "403", False),)
    back = proof_report({**TOLD, "plan": [{"path": "/home", "there": True}], "bytes": 7}, ())
    assert back is not None
    assert (back.plan, back.bytes) == ((Restored("/home", True),), 7)


@pytest.mark.parametrize(
    "change",
    [
        {"passed": "yes"},
        {"passed": True, "reasons": ["damaged"]},  # it passes, and says why not
        {"passed": False, "reasons": []},  # it fails, and does not say why
        {"at": "yesterday"},
        {"ended": "2026-11-30T19:59:59Z"},
        {"ended": None},
    ],
)
def test_a_report_that_contradicts_itself_is_none(change: dict[str, Any]) -> None:
    assert proof_report({**TOLD, **change}, ()) is None


def test_a_text_of_its_own_choice_enters_nothing() -> None:
    odd = {
        **TOLD, "passed": False, "reasons": ["rm -rf /", "damaged"], "text": "the s3cret\x1b[31m", "snapshot": "x",
        "restic": "0.14; id", "restore_ms": -1, "compare_ms": True,
        "compared": {**TOLD["compared"], "differences": {"Rm -rf": 1, "mode": 2.5},
                     "named": [{"path": "/a\nb", "kind": "mode"}, {"path": "/ok", "kind": "mode"}]},
        "sabotage": [{"kind": "flood", "noticed": True}, {"kind": "bit_flipped", "noticed": 1, "reasons": 7}],
        "tries": [{"name": "x y", "answer": "403", "changed": False}, {"name": "delete_index", "answer": "yes"}],
    }  # fmt: skip
    report = proof_report(odd, ("s3cret",))
    assert report is not None
    assert report.reasons == ("unreadable_reason", "damaged")
    assert "s3cret" not in report.text
    assert "\x1b" not in report.text
    assert (report.snapshot, report.restic, report.restore_ms, report.compare_ms) == ("", "", 0, 0)
    assert report.compared is not None
    assert (report.compared.differences, report.compared.named[0]) == ({"mode": 0}, Named("/ok", "mode"))
    assert report.sabotage == (Damage("bit_flipped", False, ()),)
    assert report.tries == ()


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(TOLD)), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(TOLD)), json))
def test_nothing_that_a_machine_tells_is_an_error(said: dict[str, object]) -> None:
    proof_report({**TOLD, **said}, ())


def test_only_machines_of_the_step_are_heard() -> None:
    record = {"event_data": {"artifact_data": {"provisioner_drills": {"site": TOLD, "other": TOLD}}}}
    assert set(proofs(record, Step(assets=("site", "ws-01"), variables={}))) == {"site"}
