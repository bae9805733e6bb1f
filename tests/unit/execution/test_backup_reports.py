"""What machines report of backups: forms of ours, bounded; whatever else they say does not leave the run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.execution.backup_reports import (
    BACKUPS,
    MOST_PROBLEMS,
    MOST_SNAPSHOTS,
    instant,
    machine_report,
    reports,
)
from provisioner.execution.forms import LARGEST
from provisioner.execution.translate import backups
from provisioner.model.backup import AgentReport, Checked, RunState, Snapshot, StoreProblem
from provisioner.model.plan import Step
from provisioner.model.redaction import REDACTED

CANARY = "canary-9b1d"
AT = 1796083200  # 2026-12-01T00:00:00Z
SNAPSHOT = {
    "id": "a" * 64,
    "original": "b" * 64,
    "time": "2026-12-01T01:00:00.123456789+01:00",
    "arrived": "2026-12-01T00:05:00Z",
    "tags": ["run:" + "1" * 32],
}
AGENT: dict[str, Any] = {
    "v": 1,
    "run": "1" * 32,
    "counter": 7,
    "begun": "2026-12-01T00:00:00Z",
    "ended": "2026-12-01T00:04:00Z",
    "state": "incomplete",
    "reason": "missing_path",
    "text": f"/srv is not there {CANARY}",
    "missing": ["/srv"],
    "unreadable": 2,
    "snapshot": "b" * 64,
    "manifest": "c" * 64,
    "manifest_snapshot": None,
    "files": 10,
    "bytes": 1000,
    "added": 10,
    "seconds": 240,
}
STORE: dict[str, Any] = {
    "v": 1,
    "at": "2026-12-01T00:00:00Z",
    "inbox": {
        "snapshots": [{**SNAPSHOT, "verdict": "forged"}],
        "checked": {"at": "2026-12-01T00:00:00Z", "ok": True, "text": ""},
        "quota_bytes": 100,
        "free_bytes": 40,
    },
    "vault": {
        "snapshots": [SNAPSHOT],
        "checked": {"at": "2026-12-01T00:00:00Z", "ok": False, "text": "pack\n\x1b[31mlost", "subset": "3/7"},
        "bytes": 60,
    },
    "problems": [{"code": "forged_time", "text": "x", "since": "2026-12-01T00:00:00Z"}, "odd"],
}


def test_what_an_agent_and_a_store_report() -> None:
    done = {**AGENT, "run": "2" * 32, "state": "completed", "reason": ""}
    both = {"agent": AGENT, "completed": done, "unreadable": ["/var/lib/x"]}
    said = {"booted": "2026-11-30T23:00:00Z", "agents": {"ws-01": STORE}, **both}
    found = machine_report(said, (CANARY,))
    assert found is not None and found.booted == AT - 3600
    assert found.agent == AgentReport(
        run="1" * 32,
        begun=AT,
        ended=AT + 240,
        state=RunState.INCOMPLETE,
        reason="missing_path",
        text=f"/srv is not there {REDACTED}",
        snapshot="b" * 64,
        manifest="c" * 64,
        missing=1,
        unreadable=2,
        files=10,
        bytes=1000,
        seconds=240,
    )
    assert found.completed is not None and found.completed.state is RunState.COMPLETED
    assert (found.of_run("1" * 32), found.of_run("2" * 32), found.of_run("3" * 32)) == (
        found.agent,
        found.completed,
        None,
    )
    assert found.unreadable == 1
    store = found.agents["ws-01"]
    (vault,) = store.vault
    assert vault == Snapshot("a" * 64, "b" * 64, AT, AT + 300, ("run:" + "1" * 32,))
    assert (vault.run, vault.source, vault.is_manifest, vault.sound) == ("1" * 32, "b" * 64, False, True)
    assert [one.sound for one in store.inbox] == [False], "the gate does not believe its time"
    assert store.vault_checked == Checked(AT, False, "pack lost", "3/7")
    assert (store.quota, store.free, store.vault_bytes) == (100, 40, 60)
    assert store.problems == (StoreProblem("forged_time", "x", AT), StoreProblem("unreadable_problem", "", AT))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", "A" * 64),
        ("id", "a" * 63),
        ("id", "../../etc/passwd"),
        ("id", None),
        ("time", "yesterday"),
        ("time", "2026-13-01T00:00:00Z"),
        ("time", 1796083200),
        ("arrived", "2026-12-01T00:00:00+99:00"),
        ("arrived", None),
    ],
)
def test_a_snapshot_that_cannot_be_read_is_none(key: str, value: object) -> None:
    said = {"agents": {"ws-01": {**STORE, "vault": {"snapshots": [{**SNAPSHOT, key: value}, SNAPSHOT]}}}}
    found = machine_report(said, ())
    assert found is not None and len(found.agents["ws-01"].vault) == 1


@pytest.mark.parametrize(
    ("key", "value"), [("state", "fine"), ("state", ["completed"]), ("begun", None), ("run", "x"), ("run", 5)]
)
def test_a_run_that_cannot_be_read_is_no_run(key: str, value: object) -> None:
    found = machine_report({"agent": {**AGENT, key: value}}, ())
    assert found is not None and found.agent is None


def test_odd_words_are_left_out_and_odd_numbers_are_none() -> None:
    odd = {**AGENT, "reason": "rm -rf /", "snapshot": "zz", "bytes": LARGEST + 1, "files": -1, "seconds": True}
    found = machine_report({"agent": odd, "agents": {"../x": STORE, "WS": STORE, "ws-01": {"at": "no"}}}, ())
    assert found is not None and found.agent is not None and found.agents == {}
    assert found.agent[5:8] == (f"/srv is not there {CANARY}", "", "c" * 64)
    assert (found.agent.reason, found.agent.bytes, found.agent.files, found.agent.seconds) == ("", 0, 0, 0)


def test_there_is_a_bound_to_what_is_believed_and_the_newest_stay() -> None:
    many = [{**SNAPSHOT, "id": f"{number:064x}"} for number in range(MOST_SNAPSHOTS + 5)]
    said = {**STORE, "vault": {"snapshots": many}, "problems": [{"code": "x"}] * (MOST_PROBLEMS + 1)}
    found = machine_report({"agents": {"ws-01": said}}, ())
    assert found is not None
    assert len(found.agents["ws-01"].vault) == MOST_SNAPSHOTS and len(found.agents["ws-01"].problems) == MOST_PROBLEMS
    assert found.agents["ws-01"].vault[-1].id == f"{MOST_SNAPSHOTS + 4:064x}"


def test_of_the_machines_of_the_step_alone() -> None:
    step = Step(assets=("ws-01", "ws-02"), variables={})
    table = {"ws-01": {"agent": AGENT}, "elsewhere": {"agent": AGENT}, "ws-02": "nothing"}
    record = {"event_data": {"artifact_data": {BACKUPS: table}}}
    assert set(backups(record, step)) == {"ws-01"}
    assert backups({}, step) == {}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*STORE, *AGENT, *SNAPSHOT, "agents", "agent", "ws-01", "x"]), inner, max_size=5
        )
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(json_values)
def test_nothing_a_machine_says_breaks_it_or_passes_as_it_is(value: object) -> None:
    found = reports({"ws-01": value}, ("ws-01",), (CANARY,))
    for report in found.values():
        assert report.agent is None or report.agent.state in RunState
        for store in report.agents.values():
            assert all(len(one.id) == 64 for one in (*store.inbox, *store.vault))
    assert CANARY not in json.dumps(found, default=str)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01T00:00:00Z", AT),
        ("2026-12-01T00:00:00.999Z", AT),
        ("2026-11-30T19:00:00-05:00", AT),
        ("2026-12-01 00:00:00Z", None),
        ("2026-12-01T00:00:00", None),
        ("1900-01-01T00:00:00Z", 0),
        ("2026-12-01T00:00:00Z\n", None),
    ],
)
def test_instants(text: str, expected: int | None) -> None:
    assert instant(text) == expected
