"""The published conformance suite, run through the library; one part of it as anybody would run it."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import pytest
from tests.golden.sla import run

from provisioner.cli.wiring import service
from provisioner.errors import UsageError
from provisioner.missions import measuring
from provisioner.reporting.statements import statement_document

CASES = run.cases()


def answered(case: dict, folder: Path) -> dict:
    contract, events = run.write(case, folder)
    try:
        promises = service.promises_of_file(contract, as_of=case["as_of"], contract_id="")
        return statement_document(measuring.replay(events, promises))
    except UsageError as error:
        return {"error": str(error)}


@pytest.mark.parametrize(("name", "case"), CASES, ids=[name for name, _ in CASES])
def test_a_case_is_as_expected(name: str, case: dict, tmp_path: Path) -> None:
    assert run.differences(case["expect"], answered(case, tmp_path)) == []


def test_there_are_cases_of_every_thread() -> None:
    titles = " ".join(case["title"] for _, case in CASES)
    assert [thread for thread in (*(f"C{n}" for n in range(1, 11)), "A1") if f"{thread} - " not in titles] == []
    assert len(CASES) >= 170


def wrong(expect: dict, key: str) -> dict:
    other = copy.deepcopy(expect)
    for one in other["measurements"]:
        if key in one:
            one[key] = "something else"
            return other
    raise AssertionError(key)


KEYS = ("state", "reason", "started", "due", "stopped", "breached_at", "elapsed_seconds", "held_seconds", "holidays")


@pytest.mark.parametrize("key", [*KEYS, "bounds"])
def test_a_wrong_expectation_is_seen(key: str, tmp_path: Path) -> None:
    case = next(case for _, case in CASES if any(key in one for one in case["expect"].get("measurements", ())))
    document = answered(case, tmp_path)
    assert run.differences(case["expect"], document) == []
    assert run.differences(wrong(case["expect"], key), document) != []


def test_missing_credits_totals_and_errors_are_seen(tmp_path: Path) -> None:
    case = next(case for _, case in CASES if case["expect"].get("credits"))
    document = answered(case, tmp_path)
    assert run.differences({"credits": []}, document) != []
    assert run.differences({"total": {}}, document) != []
    assert run.differences({"absent": [{"ticket": document["credits"][0]["ticket"]}]}, document) != []
    assert run.differences({"error": "anything"}, document) != []
    assert run.differences({"levels": []}, document) != []
    assert run.differences(case["expect"], {"error": "anything"}) != []
    assert run.differences({"error": ["one", "other"]}, {"error": "one"}) != []


def test_the_runner_asks_another_program(capsys: pytest.CaptureFixture[str]) -> None:
    invoke = Path(sys.executable).with_name("invoke")
    command = f"{invoke} sla.replay --contract {{contract}} --events {{events}} --as-of {{as_of}} --json"
    assert run.main(["--command", command, "--only", "C1 -"]) == 0
    assert "1 of 1 cases as expected" in capsys.readouterr().out
    assert run.main(["--command", "false", "--only", "C1 -"]) == 1
    assert run.main(["--command", command, "--only", "no such case"]) == 1
