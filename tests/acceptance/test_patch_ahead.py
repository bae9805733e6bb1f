"""`invoke patch.plan` and `patch.timers`: nothing is touched or recorded; mistakes are sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.conftest import Desk

TUESDAYS = {"name": "weekly", "rrule": "FREQ=WEEKLY;BYDAY=TU", "start": "22:00", "duration": "4h"}
UPDATES = {
    "windows": [TUESDAYS],
    "waves": [{"name": "canary", "count": 1}, {"name": "broad"}],
    "deadlines": {"other": "45d"},
}
DEMO = ("--client", "demo")


@pytest.fixture(scope="module")
def desk(new_desk: Callable[[], Desk]) -> Desk:
    desk = new_desk()
    desk.contract["missions"] = {"software_updates": UPDATES}
    for number in range(3):
        desk.add("workstations", f"ws-{number}", 20 + number)
    desk.write()
    return desk


def test_the_plan_has_each_covered_machine_once_with_its_windows(desk: Desk) -> None:
    code, told = desk.ask("patch.plan", *DEMO)
    assert (code, told["contract"]) == (0, "ACCEPT-2026")
    assert [(wave["name"], wave["assets"]) for wave in told["waves"]] == [
        ("canary", ["ws-0"]),
        ("broad", ["ws-1", "ws-2"]),
    ]
    assert [deadline["kept"] for deadline in told["deadlines"]] == ["yes"]
    assert 4 <= len(told["openings"]) <= 5
    assert desk.ask("audit.log", *DEMO)[0] != 0, "there is no log"


def test_the_same_for_a_person_and_as_a_calendar(desk: Desk) -> None:
    page = desk.invoke("patch.plan", *DEMO)
    assert (page.returncode, "canary" in page.stdout, "45.0 d" in page.stdout) == (0, True, True)
    calendar = desk.invoke("patch.plan", *DEMO, "--ical")
    assert (calendar.returncode, calendar.stdout.startswith("BEGIN:VCALENDAR")) == (0, True)
    assert desk.invoke("patch.plan", *DEMO, "--ical", "--json").returncode == 2


def test_timers_are_written_verified_and_compared(desk: Desk, tmp_path: Path) -> None:
    there = ("--into", str(tmp_path))
    code, told = desk.ask("patch.timers", *DEMO, *there, "--check")
    assert (code, len(told["differing"]), list(tmp_path.iterdir())) == (5, 2, [])
    code, told = desk.ask("patch.timers", *DEMO, *there)
    assert (code, told["differing"], told["complaint"]) == (0, [], None)
    assert desk.ask("patch.timers", *DEMO, *there, "--check")[0] == 0
    service = tmp_path / "provisioner-patch-demo.service"
    assert f'Environment="PROVISIONER_STATE={desk.state}"' in service.read_text()
    service.write_text(service.read_text() + "# changed\n")
    assert desk.ask("patch.timers", *DEMO, *there, "--check")[0] == 5


def test_no_file_of_somebody_else_is_written_over(desk: Desk, tmp_path: Path) -> None:
    mine = tmp_path / "provisioner-patch-demo.timer"
    mine.write_text("mine\n")
    done = desk.invoke("patch.timers", *DEMO, "--into", str(tmp_path))
    assert (done.returncode, mine.read_text(), len(list(tmp_path.iterdir()))) == (2, "mine\n", 1)
    assert "was not written by patch.timers" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("patch.plan",),
        ("patch.plan", "--client", "nobody"),
        ("patch.timers", *DEMO, "--into", "/nowhere/at/all"),
        ("patch.status",),
        ("patch.halt", *DEMO, "--reason", "x"),
        ("patch.resume", *DEMO, "--reason", "x"),
        ("patch.run", *DEMO, "--contract-id", "NONE"),
        ("patch.scan", *DEMO, "--host", "nothing"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_a_sentence_with_what_to_do_next(desk: Desk, words: tuple[str, ...]) -> None:
    done = desk.invoke(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and ("\nnext: " in done.stderr or "there are: " in done.stderr)


def test_status_before_the_first_rollout(desk: Desk) -> None:
    code, told = desk.ask("patch.status", *DEMO)
    assert (code, told["rollout"], told["machines"]) == (0, None, [])
