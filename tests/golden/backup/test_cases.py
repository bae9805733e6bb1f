"""The states of backups and the parts of 3-2-1-1-0, as cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioner.model.backup import (
    AgentReport,
    BackupPolicy,
    BackupStanding,
    Checked,
    MachineReport,
    Probe,
    Recorded,
    RunState,
    Snapshot,
    StoreProblem,
    StoreReport,
)
from provisioner.model.backup_seen import Seen
from provisioner.model.mission_terms import Backup, Keep
from provisioner.model.service_event import Drill
from provisioner.model.values import Duration
from provisioner.planning.backup import effective
from provisioner.planning.backup_standing import stand
from provisioner.testing import make_asset

HERE = Path(__file__).parent
NOW = 1796083200
NAMES = ("3", "2", "1", "1i", "0")


def cases(name: str) -> list[Any]:
    return [pytest.param(each, id=each["name"]) for each in yaml.safe_load((HERE / name).read_text(encoding="utf-8"))]


def ago(text: str) -> int:
    return NOW - Duration.parse(text).seconds


def policy(stores: list[str]) -> BackupPolicy:
    terms = Backup(rpo=Duration(26, "h"), keep=Keep(daily=7), paths=("/home",), stores=tuple(stores))
    found = effective(make_asset(), terms, ()).policy
    assert found is not None and (found.interval, found.delay, found.duration) == (1440, 60, 1800)
    return found


def run_of(at: int) -> str:
    return f"{at:032x}"


def snapshots(rows: list[Any]) -> tuple[Snapshot, ...]:
    found = []
    for row in rows:
        age, flag = row if isinstance(row, list) else (row, "")
        arrived = flag["arrived"] if isinstance(flag, dict) else age
        at, run = ago(age), (f"run:{run_of(ago(age))}",)
        found.append(Snapshot(f"{at:064x}", "", at, ago(arrived), run, sound=flag != "forged"))
        marks = ("incomplete",) if flag == "lacks" else ()
        if flag != "bare":
            found.append(Snapshot(f"f{at:063x}", "", at, ago(arrived), (*run, "manifest", *marks)))
    return tuple(found)


def report(case: dict[str, Any], name: str) -> StoreReport | None:
    rows = case["vault"][name]
    if rows is None:
        return None
    damaged = name == "site" and case.get("damaged", False)
    return StoreReport(
        at=ago(case.get("job", "30m")),
        inbox=snapshots(case.get("inbox", {}).get(name, [])),
        vault=snapshots(rows),
        vault_checked=Checked(NOW, not damaged, "", "1/7"),
        problems=(StoreProblem(case["says"], "", NOW),) if case.get("says") else (),
    )


def machine(case: dict[str, Any]) -> MachineReport:
    said, agent = case.get("agent"), None
    if said:
        run = run_of(ago(said["of"])) if "of" in said else "ab" * 16
        begun, state = ago(said["begun"]), RunState(said["state"])
        agent = AgentReport(run, begun, begun, state, said["reason"], "", "", "", 0, 0, 0, 0, 0)
    return MachineReport(booted=ago(case["booted"]) if "booted" in case else None, agent=agent)


def stood(case: dict[str, Any]) -> BackupStanding:
    answers = case.get("answers", True)
    recorded = [Recorded("ws-01", store, "", ago(age), 1, None) for store, age in case.get("recorded", [])]
    probes = [Probe("ws-01", (*row, "site")[2], ago(row[0]), row[1], 5) for row in case.get("probes", [])]
    drills = [Drill(ago(row[0]), 6, "ws-01", ago(row[0]), row[1], full=True) for row in case.get("drills", [])]
    seen = Seen(
        at=NOW,
        policy=policy(case.get("stores", ["site", "offsite"])),
        stores={name: report(case, name) for name in case["vault"]},
        answers=answers,
        machine=machine(case) if answers else None,
        configured=ago(case["configured"]) if "configured" in case else None,
        recorded=tuple(recorded),
        drills=tuple(drills),
        probes=tuple(probes),
        always_on=case.get("always_on", False),
        ticket=case.get("ticket"),
    )
    return stand("ws-01", seen)


@pytest.mark.parametrize("case", cases("states.yml"))
def test_state(case: dict[str, Any]) -> None:
    found = stood(case)
    assert (found.state.value, found.breached) == (case["state"], case.get("breached", False)), found
    assert case.get("reason", "") in found.reason
    if "problems" in case:
        assert len(found.problems) == len(case["problems"]), found.problems
        assert all(said in told for said, told in zip(case["problems"], found.problems, strict=True))
    assert found.well is (case["state"] in ("ok", "late", "deferred: off") and not found.problems)


@pytest.mark.parametrize("case", cases("rules.yml"))
def test_rules(case: dict[str, Any]) -> None:
    found = stood(case)
    proven = [name for name, rule in zip(NAMES, found.rules, strict=True) if rule.proven]
    wanted = [str(each) for each in case["proven"]]
    if wanted == ["3", "2", "1", "1", "0"]:
        wanted = list(NAMES)
    assert proven == wanted, found.rules
    assert case.get("evidence", "") in "; ".join(rule.evidence for rule in found.rules)
