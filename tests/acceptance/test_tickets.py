"""`ticket.*` and `sla.*` as people type them, over an order that ends in a statement."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from tests.acceptance.conftest import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.conftest import Desk

CLIENT = ("--client", "demo")
OBJECTIVES = [
    {
        "id": "response-p1",
        "metric": "response_time",
        "priority": "P1",
        "target": "1h",
        "penalty": {"per_breach": "50.00"},
    },
    {"id": "resolution", "metric": "resolution_time", "target": "8h"},
]


def hours_ago(hours: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def desk(new_desk: Callable[[], Desk]) -> Desk:
    desk = new_desk()
    desk.contract["language"] = "fr"
    desk.contract["objectives"] = OBJECTIVES
    desk.contract["escalation"] = [{"objective": "resolution", "at": "50%", "to": "technician"}]
    desk.contract["provider"]["contacts"] = {"technician": "n1@example.org"}
    desk.add("workstations", "ws-01", 9)
    desk.write()
    return desk


def states(document: dict[str, Any]) -> dict[str, str]:
    return {clock["objective"]: clock["state"] for clock in document["clocks"]}


def test_from_the_opening_to_the_statement(desk: Desk) -> None:
    opened, answered = hours_ago(3), hours_ago(1.5)
    code, document = desk.ask("ticket.open", *CLIENT, "--priority", "P1", "--host", "ws-01", "--at", opened)
    assert (code, document["event"]["ticket"], document["event"]["at"]) == (0, "T-1", opened)
    assert states(document) == {"response-p1": "breached", "resolution": "running"}

    told = desk.invoke("ticket.respond", *CLIENT, "--ticket", "T-1", "--at", answered, "--spent", "45m")
    assert told.returncode == 0
    assert "T-1: responded at" in told.stdout and "(Europe/Paris), entry 3" in told.stdout
    assert "objectives.response-p1" in told.stdout and "breached" in told.stdout

    twice = desk.invoke("ticket.respond", *CLIENT, "--ticket", "T-1")
    assert (twice.returncode, twice.stdout) == (2, "")
    assert "first response already; nothing was recorded" in twice.stderr
    assert "ticket.resolve" in twice.stderr and "ticket.respond" not in twice.stderr

    code, listed = desk.ask("ticket.list", *CLIENT)
    (ticket,) = listed["tickets"]
    assert (code, ticket["ticket"], ticket["asset"], ticket["held_by"]) == (0, "T-1", "ws-01", None)
    clock = ticket["clocks"][1]
    assert clock["objective"] == "resolution" and 0 < clock["left_seconds"] <= 5 * 3600
    assert clock["next_level"]["to"] == "technician"

    late = datetime.fromisoformat(document["clocks"][0]["breached_at"])
    period = f"{late.astimezone(ZoneInfo('Europe/Paris')):%Y-%m}"  # in which the credit is due, whenever this runs
    code, stated = desk.ask("sla.statement", *CLIENT, "--period", period)
    assert (code, stated["client"], stated["log"]["size"], stated["warnings"]) == (0, "demo", 4, [])
    assert {one["objective"]: one["state"] for one in stated["measurements"]} == {
        "response-p1": "breached",
        "resolution": "running",
    }
    assert [credit["amount"] for credit in stated["credits"]] == ["50.00"]

    desk.contract["monthly_fee"] = "101.00"
    desk.write()
    page = desk.invoke("sla.statement", *CLIENT, "--period", period)
    assert "the text of" in page.stderr and "is not the one that entry" in page.stderr
    assert "MANQUÉ" in page.stdout and stated["log"]["root"] in page.stdout


def test_the_same_events_in_a_file_need_no_state_folder(desk: Desk) -> None:
    events = desk.folder / "events.jsonl"
    lines = [
        {"at": "2026-11-02T09:00:00+01:00", "ticket": "T-1", "kind": "opened", "priority": "P1", "asset": "ws-01"},
        {"at": "2026-11-02T10:30:00+01:00", "ticket": "T-1", "kind": "responded"},
    ]
    events.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    contract = ("--contract", str(desk.client / "contract.yml"), "--events", str(events))
    before = sorted(desk.state.rglob("*"))
    code, document = desk.ask("sla.replay", *contract, "--as-of", "2026-11-30T23:59", "--language", "en")
    assert (code, document["as_of"], document["coverage"]) == (0, "2026-11-30T22:59:00Z", "hosts")
    assert document["total"]["2026-11"]["after_cap"] == "50.00"
    assert document["measurements"][0]["trace"]

    events.write_text(events.read_text() + events.read_text().splitlines()[1] + "\n")
    wrong = desk.invoke("sla.replay", *contract, "--as-of", "2026-11-30T23:59")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "events.jsonl:3:1: ticket T-1: it had its first response already" in wrong.stderr
    assert sorted(desk.state.rglob("*")) == before


def test_what_is_not_there_is_no_success(new_desk: Callable[[], Desk]) -> None:
    desk = new_desk()
    early = desk.invoke("ticket.list", *CLIENT)
    assert (early.returncode, early.stdout) == (2, "") and "nothing was recorded of demo yet" in early.stderr
    uncovered = desk.invoke("ticket.down", "--host", "kiosk-01")
    assert uncovered.returncode == 0, "a fact is recorded whoever pays for it"
    assert "nothing is measured (uncovered)" in uncovered.stdout
    assert desk.invoke("ticket.list", *CLIENT).stdout.startswith("no ticket of demo is open")
    assert desk.invoke("ticket.list", *CLIENT, "--ticket", "T-1").returncode == 2
    assert desk.kinds() == ["key", "contract", "ticket"]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_of_several_people_who_answer_at_once_one_is_recorded(
    new_desk: Callable[[], Desk], database: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a process; all read the ticket as unanswered, and the log takes one of them."""
    desk = new_desk()
    if database == "postgresql":
        server = request.getfixturevalue("postgresql")
        name = server.create()
        request.addfinalizer(lambda: server.drop(name))
        monkeypatch.setenv("PROVISIONER_DATABASE_URL", server.tcp_url(name))
    desk.contract["objectives"] = OBJECTIVES
    desk.add("workstations", "ws-01", 9)
    desk.write()
    assert desk.invoke("ticket.open", *CLIENT, "--priority", "P1", "--host", "ws-01").returncode == 0
    command, environment = desk.command("ticket.respond", *CLIENT, "--ticket", "T-1")
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    people = [subprocess.Popen(command, env=environment, cwd=CHECKOUT, **pipes) for _ in range(4)]  # type: ignore[call-overload]
    told = [person.communicate(timeout=300)[1] for person in people]
    assert sorted(person.returncode for person in people) == [0, 2, 2, 2], told
    assert sum("it had its first response already" in said for said in told) == 3, told
    assert [row["kind"] for row in desk.ask("audit.log", *CLIENT)[1]["entries"]].count("ticket") == 2
    assert desk.invoke("audit.verify", *CLIENT).returncode == 0
