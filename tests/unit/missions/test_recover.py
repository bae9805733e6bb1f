"""After a crash the next command closes every open intent once, truthfully."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.errors import LedgerError, StillRunning, UsageError
from provisioner.ledger.entry import Draft
from provisioner.missions.bodies import Admission, intent_body
from provisioner.missions.recover import KINDS, last_task, recover
from provisioner.model.event import Event, EventKind
from provisioner.testing import START, raising

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.ledger.book import Book

LEFT = (
    Event(kind=EventKind.TASK, role="host_identity", task="Set the hostname"),
    Event(kind=EventKind.CHANGED, host="ws-01", role="host_identity", task="Set the hostname"),
    Event(kind=EventKind.TASK, role="software_set", task="Install the packages"),
)


def die(desk: Any, intervention: str = "iv-dead", **changes: object) -> None:
    """Leave what a controller leaves that died after it opened."""
    body = {**intent_body(intervention, desk.request(), Admission(clause="missions.workstation_setup")), **changes}
    with desk.book() as book:
        book.append([Draft("opened", START, book.pseudonym("somebody"), body)])
    desk.executor.remains[intervention] = LEFT


def start(desk: Any) -> None:
    with desk.book() as book:
        recover(book, "demo", desk.services())


def test_an_open_intent_is_closed_as_interrupted_with_the_last_task_seen(desk: Any) -> None:
    die(desk)
    start(desk)
    (closed,) = desk.bodies("closed")
    assert closed["outcome"] == "interrupted" and closed["recovered"] is True
    assert closed["last_task"] == "software_set : Install the packages"
    (asset,) = closed["assets"]
    assert (asset["name"], asset["outcome"], asset["ok"], asset["changed"]) == ("ws-01", "interrupted", 1, 1)
    assert asset["reason"]["code"] == "controller_died"
    assert any("iv-dead as interrupted" in text for _, text in desk.progress.told)


def test_it_is_closed_exactly_once(desk: Any) -> None:
    die(desk)
    start(desk)
    start(desk)
    desk.perform()
    assert [body["intervention"] for body in desk.bodies("closed")] == ["iv-dead", "iv-1"]
    assert desk.executor.salvaged == ["iv-dead"]


def test_one_that_left_nothing_is_closed_too(desk: Any) -> None:
    die(desk)
    desk.executor.remains.clear()
    start(desk)
    assert desk.bodies("closed")[0]["last_task"] is None


def test_what_the_run_left_is_kept_until_the_closing_entry_is_durable(desk: Any) -> None:
    die(desk)

    @contextmanager
    def full(client: str) -> Iterator[Book]:
        with desk.book(client) as book:
            book.append = raising(LedgerError("no space left"))
            yield book

    desk.open_book = full
    with pytest.raises(LedgerError, match="no space left"):
        desk.perform()
    assert "iv-dead" in desk.executor.remains
    desk.open_book = None
    start(desk)
    assert desk.bodies("closed")[0]["last_task"] == "software_set : Install the packages"
    assert desk.executor.remains == {}


def test_what_a_closed_run_left_is_removed(desk: Any) -> None:
    """A command may die after the closing entry and before it removed the run's folder, secrets included."""
    desk.perform()
    desk.executor.remains["iv-1"] = LEFT
    start(desk)
    assert desk.executor.remains == {}


def test_a_controller_that_dies_while_the_next_command_begins_is_recovered_before_anything_is_opened(desk: Any) -> None:
    die(desk)
    plain, tries = desk.leases.hold, []

    def hold(client: str, asset: str) -> Any:
        tries.append(asset)
        if len(tries) == 1:
            raise UsageError("the controller lives")
        return plain(client, asset)

    desk.leases.hold = hold
    desk.perform()
    kinds = [(entry.kind, entry.body.get("intervention")) for entry in desk.entries() if entry.kind in KINDS]
    assert kinds == [("opened", "iv-dead"), ("closed", "iv-dead"), ("opened", "iv-1"), ("closed", "iv-1")]


def test_every_open_intent_is_closed_and_closed_ones_are_not(desk: Any) -> None:
    desk.perform()
    die(desk, "iv-a")
    die(desk, "iv-b")
    start(desk)
    assert [body["intervention"] for body in desk.bodies("closed")] == ["iv-1", "iv-a", "iv-b"]


def test_the_intent_of_a_living_controller_is_left_alone(desk: Any) -> None:
    die(desk)
    desk.leases.held.add(("demo", "ws-01"))
    start(desk)
    assert (desk.bodies("closed"), desk.executor.salvaged) == ([], [])
    desk.leases.held.clear()
    start(desk)
    assert len(desk.bodies("closed")) == 1, "the control"


def test_one_that_its_controller_closed_meanwhile_is_not_closed_again(desk: Any) -> None:
    """Between reading the log and holding the lease, the controller may have ended by itself."""
    die(desk)
    plain = desk.leases.hold

    @contextmanager
    def hold(client: str, asset: str) -> Iterator[None]:
        with plain(client, asset):
            if not desk.bodies("closed"):
                with desk.book() as book:
                    book.append([Draft("closed", START, "op-1", {"intervention": "iv-dead", "outcome": "changed"})])
            yield

    desk.leases.hold = hold
    start(desk)
    assert [body["outcome"] for body in desk.bodies("closed")] == ["changed"]


def test_nothing_starts_while_a_process_of_the_dead_run_lives(desk: Any) -> None:
    die(desk)
    desk.executor.salvage = raising(StillRunning("still alive"))
    with pytest.raises(StillRunning, match="still alive"):
        desk.perform()
    assert (desk.bodies("closed"), desk.probe.reached) == ([], [])


@pytest.mark.parametrize(
    "changes",
    [
        {"intervention": "../../etc"},
        {"intervention": "/etc"},
        {"intervention": ""},
        {"intervention": None},
        {"assets": ["../x"]},
        {"assets": "ws-01"},
        {"assets": [7]},
    ],
)
def test_names_that_could_reach_other_files_are_refused(desk: Any, changes: dict[str, object]) -> None:
    die(desk, **changes)
    with pytest.raises(LedgerError, match="under names that provisioner does not give"):
        start(desk)
    assert desk.executor.salvaged == []


def test_the_recovered_use_counts_for_no_allowance_and_the_log_says_who_closed_it(desk: Any) -> None:
    die(desk)
    start(desk)
    opened, closed = (next(entry for entry in desk.entries() if entry.kind == kind) for kind in ("opened", "closed"))
    assert opened.operator != closed.operator
    with desk.book() as book:
        assert book.person(closed.operator) == "Camille Operator"


def test_a_busy_machine_does_not_keep_others_from_being_closed(desk: Any) -> None:
    die(desk, "iv-busy", assets=["ws-09"])
    die(desk)
    desk.leases.held.add(("demo", "ws-09"))
    start(desk)
    assert [body["intervention"] for body in desk.bodies("closed")] == ["iv-dead"]


def test_the_last_task() -> None:
    assert last_task(()) is None
    assert last_task(LEFT) == "software_set : Install the packages"
    assert last_task((Event(kind=EventKind.TASK, task="Gather facts"),)) == "Gather facts"
