"""`patch.simulate` as a technician types it before a Tuesday night: what the contract's waves would save."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.conftest import Desk

WORDS = ("patch.simulate", "--seed", "7")
THEN = ("--client", "demo", "--start", "2026-11-24T18:00:00Z")
KEYS = (
    *("contract", "seed", "hosts", "attempted", "states", "halted", "halted_wave", "reason", "not_evaluable"),
    *("blast_radius", "started", "finished", "waves"),
)


@pytest.fixture(scope="module")
def desk(new_desk: Callable[[], Desk]) -> Desk:
    desk = new_desk()
    desk.add("workstations", "ws-01", 10)
    desk.contract["missions"]["software_updates"] = {
        "windows": [{"name": "weekly", "rrule": "FREQ=WEEKLY;BYDAY=TU", "start": "22:00", "duration": "4h"}],
        "waves": [{"name": "canary", "count": "1", "soak": "24h"}, {"name": "broad"}],
        "gate": {"max_failed": "5%", "max_unreachable": "20%"},
    }
    desk.write()
    return desk


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ("[]", 0),
        ("[{share: 10%, kind: unreachable}]", 4),
        ("[{share: 1%, kind: install, wave: broad}]", 5),
        ("[{share: 100%, kind: lies, wave: canary}]", 6),
    ],
)
def test_it_exits_as_the_rollout_would(desk: Desk, tmp_path: Path, faults: str, code: int) -> None:
    scenario = tmp_path / "scenario.yml"
    scenario.write_text(f"faults: {faults}\n")
    found, told = desk.ask(*WORDS, *THEN, "--hosts", "100", "--scenario", str(scenario))
    assert (found, tuple(told)) == (code, KEYS)
    assert sum(told["states"].values()) == told["hosts"] == 100
    assert told["started"] == "2026-11-24T18:00:00Z"
    assert desk.kinds() == [], "nothing is recorded"
    if code == 6:
        assert (told["halted_wave"], told["reason"]["code"], told["blast_radius"]) == ("canary", "max_failed", 1)


def test_the_page_says_what_it_comes_to(desk: Desk, tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yml"
    scenario.write_text("faults: [{share: 100%, kind: install, wave: canary}]\n")
    done = desk.invoke(*WORDS, *THEN, "--hosts", "100", "--scenario", str(scenario))
    assert done.returncode == 6
    assert "HALTED in wave canary: 1 of 1 machines failed, more than the 5% of gate.max_failed" in done.stdout
    assert "machines on which a change was begun: 1 of 100" in done.stdout
    assert "2026-11-24 22:00+01:00" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*THEN, "--hosts", "0"), "--hosts '0' is no whole number from 1"),
        ((*THEN, "--hosts", "ten"), "--hosts 'ten' is no whole number from 1"),
        (THEN, "--hosts is missing"),
        (("--hosts", "5", "--client", "nobody"), "no client folder is called"),
        (("--hosts", "5", "--client", "demo", "--start", "tomorrow"), "--start 'tomorrow' is no instant"),
    ],
)
def test_a_mistake_is_a_sentence(desk: Desk, tmp_path: Path, words: tuple[Any, ...], said: str) -> None:
    scenario = tmp_path / "scenario.yml"
    scenario.write_text("faults: []\n")
    done = desk.invoke(*WORDS, "--scenario", str(scenario), *words)
    assert done.returncode == 2
    assert said in done.stderr
