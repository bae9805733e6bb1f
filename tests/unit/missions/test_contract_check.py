"""`contract.check` refuses promises that cannot be kept at their line, and tells of those that may not be."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from provisioner.config.clients import load_client
from provisioner.config.role_inputs import load_role_inputs
from provisioner.missions.contract_check import check_client

BASE = Path(__file__).parents[2] / "golden" / "config" / "base"
ROLES = load_role_inputs(BASE / "roles")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BASE / "acme", tmp_path / "acme"))


def written(folder: Path, old: str, new: str) -> Path:
    path = folder / "contract.yml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return folder


def test_a_deadline_that_no_update_meets_is_refused_at_its_line(folder: Path) -> None:
    """Canary, pilot and broad, each soaking 24 hours, need three weekly windows: two weeks."""
    written(folder, "critical: 21d", "critical: 10d")
    found = check_client(folder, roles=ROLES, decrypt=None)
    problems, warnings = found.problems, found.warnings
    lines = (folder / "contract.yml").read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "critical: 10d" in text)
    assert [(p.file, p.line, p.path) for p in problems] == [
        ("acme/contract.yml", line, "missions.software_updates.deadlines.critical")
    ]
    assert "10d cannot be kept" in problems[0].message
    assert warnings == ()
    load_client(folder, roles=ROLES, decrypt=None)  # other tasks go on with a contract that was signed like this


def test_the_worst_case_is_a_warning_at_its_line(folder: Path) -> None:
    found = check_client(folder, roles=ROLES, decrypt=None)
    problems, warnings = found.problems, found.warnings
    assert problems == ()
    assert any("critical: an update may be on every machine after 34d 20h" in text for text in warnings)


def test_the_terms_of_an_amendment_are_checked_too(folder: Path) -> None:
    change = 'set: {missions: {software_updates: {deadlines: {critical: 10d}}}, monthly_fee: "1300.00"}'
    written(folder, 'set: {monthly_fee: "1300.00"}', change)
    problems = check_client(folder, roles=ROLES, decrypt=None).problems
    assert [problem.path for problem in problems] == ["missions.software_updates.deadlines.critical"]


def test_a_contract_that_does_not_hold_together_is_not_judged_further(folder: Path) -> None:
    written(folder, "critical: 21d", "critical: 10d")
    written(folder, "timezone: Europe/Paris\nmonthly", "timezone: Europe/Pariss\nmonthly")
    problems = check_client(folder, roles=ROLES, decrypt=None).problems
    assert all("cannot be kept" not in problem.message for problem in problems)
    assert problems


def second_contract(folder: Path, *, assets: str, starts: str = "2026-03-01") -> Path:
    """The client's folder with two contracts: the one it has, and a second one from `starts` on."""
    contracts = folder / "contracts"
    contracts.mkdir()
    first = (folder / "contract.yml").rename(contracts / "first.yml").read_text(encoding="utf-8")
    later = re.sub(r"(?m)^starts: \S+", f"starts: {starts}", first).replace("id: ACME-2026", "id: ACME-SERVERS", 1)
    later = re.sub(r"(?m)^assets: .*$", f"assets: {assets}", later)
    (contracts / "second.yml").write_text(later, encoding="utf-8")
    return folder


def test_two_contracts_that_decide_about_one_machine_are_told_with_the_day_and_the_machines(folder: Path) -> None:
    found = check_client(second_contract(folder, assets="[servers]"), roles=ROLES, decrypt=None)
    problems, warnings = found.problems, found.warnings
    assert problems == ()
    (told,) = [text for text in warnings if "both in force" in text]
    assert told.startswith("ACME-2026 and ACME-SERVERS are both in force on 2026-03-01 and cover srv-01")
    assert told.endswith("needs --contract-id")
    assert "ws-" not in told


def test_the_control_two_contracts_one_after_the_other_are_no_dispute(folder: Path) -> None:
    written(folder, "renewal: {kind: tacit, term: 12mo, notice: 90d, notice_given: null}", "renewal: {kind: none}")
    second_contract(folder, assets="[servers]", starts="2027-01-01")
    path = folder / "contracts" / "second.yml"
    text = path.read_text(encoding="utf-8").replace("ends: 2026-12-31", "ends: 2027-12-31")
    text = re.sub(r"(?ms)^amendments:.*?(?=^\S|\Z)", "", text)
    path.write_text(text, encoding="utf-8")
    found = check_client(folder, roles=ROLES, decrypt=None)
    problems, warnings = found.problems, found.warnings
    assert problems == ()
    assert not [text for text in warnings if "both in force" in text]


def test_each_wave_and_deadline_of_each_contract_is_foreseen(folder: Path) -> None:
    (rings,) = check_client(folder, roles=ROLES, decrypt=None).rings
    assert (rings.contract, rings.waves[0].name) == ("ACME-2026", "canary")
    ages = [(wave.best, wave.worst) for wave in rings.waves]
    assert all(best is not None and worst is not None and best < worst for best, worst in ages)
    assert ages == sorted(ages), "a later wave is later"
    assert {deadline.name: deadline.kept for deadline in rings.deadlines} == {"critical": "not always", "other": "yes"}


def test_so_many_machines_in_such_batches_that_no_deadline_is_met_are_told(folder: Path) -> None:
    """The windows alone would allow it: sixty machines one by one, some at a time each Tuesday, take months."""
    path, first = folder / "hosts.yml", "        ws-02: {"
    text = path.read_text(encoding="utf-8")
    assert first in text
    more = "".join(f"        many-{number}: {{ansible_host: 192.0.2.{number + 100}}}\n" for number in range(60))
    path.write_text(text.replace(first, more + first), encoding="utf-8")
    written(folder, "batch: 20", "batch: 1")
    found = check_client(folder, roles=ROLES, decrypt=None)
    assert found.problems == ()
    assert any("1 at once, wave broad is through after" in text for text in found.warnings), found.warnings
