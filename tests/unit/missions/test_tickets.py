"""Tickets: what enters the log, what is refused with nothing recorded, and two technicians at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger.book import open_book
from provisioner.ledger.entry import Draft
from provisioner.missions.audit import verify_log
from provisioner.missions.ticket_entries import KINDS, record_of
from provisioner.missions.tickets import Desk, Entered, Which, enter, look
from provisioner.model.measurement import State
from provisioner.model.objective import Metric, Objective
from provisioner.model.record import Membership
from provisioner.model.service_event import AssetEvent, AssetEventKind, TicketEvent, TicketEventKind
from provisioner.model.values import Cause, Duration, Party
from provisioner.terms.tickets import measure_tickets
from provisioner.testing import START, loaded, make_contract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioner.ledger.book import Book

NOW = int(START.timestamp())
HOUR = 3600
KIND = TicketEventKind
OBJECTIVES = (
    Objective(id="response", metric=Metric.RESPONSE_TIME, target=Duration(1, "h")),
    Objective(id="resolution", metric=Metric.RESOLUTION_TIME, target=Duration(8, "h")),
)
GROUPS = {"ws-01": frozenset({"all", "workstations"}), "kiosk-01": frozenset({"all", "kiosks"})}
DESK = Desk(
    contracts=(loaded(make_contract(objectives=OBJECTIVES)),),
    membership=Membership(groups=GROUPS),
    operator="Camille Operator",
    at=START,
)


def event(kind: TicketEventKind, ticket: str = "T-1", *, at: int = NOW, **more: Any) -> TicketEvent:
    return TicketEvent(at, 0, ticket, kind, **more)


def opened(ticket: str = "", **more: Any) -> TicketEvent:
    return event(KIND.OPENED, ticket, **{"priority": "P1", **more})


def on_asset(kind: AssetEventKind, *, at: int = NOW, asset: str = "ws-01", **more: Any) -> AssetEvent:
    return AssetEvent(at, 0, asset, kind, at, **more)


def later(hours: float) -> Desk:
    return replace(DESK, at=START + timedelta(hours=hours))


def open_at(folder: Path) -> Book:
    return open_book(f"sqlite:///{folder}/ledger.db", "demo", state=folder)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with open_at(tmp_path) as found:
        yield found


def number(done: Entered) -> str:
    assert isinstance(done.event, TicketEvent)
    return done.event.ticket


def kinds(book: Book) -> list[str]:
    return [entry.kind for entry in book.entries()]


def test_a_ticket_is_recorded_under_its_contract_signed_and_its_clocks_are_told(book: Book) -> None:
    done = enter(book, opened(asset="ws-01", spent=Duration(15, "m")), DESK)
    assert (number(done), done.entry, kinds(book)) == ("T-1", 2, ["key", "contract", "ticket"])
    assert [(clock.objective, clock.state, clock.due) for clock in done.clocks] == [
        ("response", State.RUNNING, NOW + HOUR),
        ("resolution", State.RUNNING, NOW + 8 * HOUR),
    ]
    body = book.entry(2).body  # type: ignore[union-attr]
    assert (body["ticket"], body["spent"], body["contract"]) == ("T-1", "15m", "DEMO-2026")
    assert verify_log(book).status == "OK"


def test_only_the_clocks_that_an_event_changed_are_told(book: Book) -> None:
    enter(book, opened(at=NOW - HOUR), DESK)
    done = enter(book, event(KIND.RESPONDED), DESK)
    assert [(clock.objective, clock.state) for clock in done.clocks] == [("response", State.MET)]
    assert enter(book, event(KIND.REPLIED, by=Party.PROVIDER), DESK).clocks == ()
    assert kinds(book) == ["key", "contract", "ticket", "ticket", "ticket"], "one contract entry for one text"


def test_the_next_free_number_is_above_all_that_there_were(book: Book) -> None:
    numbers = [number(enter(book, opened(name), DESK)) for name in ("", "T-41", "INC 77", "", "T-5", "")]
    assert numbers == ["T-1", "T-41", "INC 77", "T-42", "T-5", "T-43"]


def test_a_changed_text_of_the_contract_is_named_before_the_event(book: Book) -> None:
    enter(book, opened(), DESK)
    amended = replace(DESK, contracts=(loaded(make_contract(objectives=OBJECTIVES), text=b"id: DEMO-2026 # 2\n"),))
    assert enter(book, opened(), amended).entry == 4
    assert kinds(book)[2:] == ["ticket", "contract", "ticket"]


CONTRADICTIONS: list[tuple[list[TicketEvent], TicketEvent, str, str]] = [
    ([], event(KIND.RESUMED), "resumed, and it is not held", "ticket.respond, ticket.reply, ticket.priority, ticket.h"),
    ([], opened("T-1"), "opened already", "ticket.respond"),
    ([event(KIND.RESOLVED)], event(KIND.RESPONDED), "it is resolved", "ticket.reply, ticket.priority, ticket.reopen"),
    ([event(KIND.HELD, cause=Cause.CLIENT)], event(KIND.HELD, cause=Cause.PROVIDER), "held already", "ticket.resume"),
    ([], event(KIND.PRIORITY_CHANGED, priority="P1"), "its priority is P1 already", "ticket.priority"),
    ([event(KIND.RESPONDED)], event(KIND.RESPONDED, at=NOW - 60), "response already", "ticket.hold"),
    ([], event(KIND.RESPONDED, at=NOW - 2 * HOUR), "not opened", "nothing fits"),
]


@pytest.mark.parametrize(("before", "wanted", "said", "hint"), CONTRADICTIONS)
def test_a_contradiction_is_refused_with_what_may_be_typed_instead(
    book: Book, before: list[TicketEvent], wanted: TicketEvent, said: str, hint: str
) -> None:
    enter(book, opened("T-1", at=NOW - HOUR), DESK)
    for one in before:
        enter(book, one, DESK)
    count = len(kinds(book))
    with pytest.raises(UsageError, match="nothing was recorded") as refused:
        enter(book, wanted, DESK)
    assert said in str(refused.value)
    assert hint in refused.value.hint
    assert len(kinds(book)) == count


def test_what_somebody_quicker_recorded_a_moment_later_counts(book: Book) -> None:
    """Typed first and recorded second: between the two another technician answered, at an instant that is later."""
    enter(book, opened(), DESK)
    quicker, slower = (replace(DESK, at=START + timedelta(seconds=after)) for after in (2, 1))
    enter(book, event(KIND.RESPONDED, at=NOW + 2), quicker)
    before = kinds(book)
    with pytest.raises(UsageError, match="it had its first response already"):
        enter(book, event(KIND.RESPONDED, at=NOW + 1), slower)
    assert kinds(book) == before


def test_an_event_that_was_recorded_late_must_fit_what_came_after_it(book: Book) -> None:
    enter(book, opened(at=NOW - 5 * HOUR), DESK)
    enter(book, event(KIND.HELD, at=NOW - HOUR, cause=Cause.CLIENT), DESK)
    done = enter(book, event(KIND.RESPONDED, at=NOW - 4 * HOUR - 1800), DESK)
    assert [(clock.objective, clock.state) for clock in done.clocks] == [("response", State.MET)]
    with pytest.raises(UsageError, match="held already"):
        enter(book, event(KIND.HELD, at=NOW - 2 * HOUR, cause=Cause.CLIENT), DESK)


ODD: list[tuple[TicketEvent | AssetEvent, str]] = [
    (opened(at=NOW + 1), "in the future"),
    (on_asset(AssetEventKind.DOWN, at=NOW + 1), "in the future"),
    (opened(asset="ws-1"), "did you mean ws-01"),
    (on_asset(AssetEventKind.DOWN, asset="nothing"), "no machine is called 'nothing'"),
    (event(KIND.RESPONDED, "T-7"), "there is no ticket 'T-7'"),
    (on_asset(AssetEventKind.MAINTENANCE, at=NOW - 1, until=NOW + HOUR), "begins in the past"),
]


@pytest.mark.parametrize(("wanted", "said"), ODD)
def test_what_cannot_be_is_refused_with_nothing_recorded(
    book: Book, wanted: TicketEvent | AssetEvent, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        enter(book, wanted, DESK)
    assert kinds(book) == []


def test_the_nearest_ticket_is_named(book: Book) -> None:
    enter(book, opened("INC-4711"), DESK)
    with pytest.raises(UsageError, match="did you mean INC-4711"):
        enter(book, event(KIND.RESPONDED, "INC-471"), DESK)


def test_an_uncovered_machine_is_recorded_and_measured_as_nothing(book: Book) -> None:
    done = enter(book, opened(asset="kiosk-01"), DESK)
    assert (done.choice.reason, [clock.reason for clock in done.clocks]) == ("uncovered", ["uncovered"])
    assert kinds(book)[-1] == "ticket"


def test_maintenance_is_announced(book: Book) -> None:
    done = enter(book, on_asset(AssetEventKind.MAINTENANCE, at=NOW, until=NOW + HOUR), DESK)
    (event,) = record_of(book.entries(kinds=KINDS), origin=book.origin).assets
    assert done.entry == 2
    assert event.recorded <= event.at, "it counts"


def test_two_contracts_that_decide_need_a_choice(book: Book) -> None:
    second = loaded(make_contract(id="DEMO-B", objectives=()), text=b"id: DEMO-B\n")
    both = replace(DESK, contracts=(*DESK.contracts, second))
    with pytest.raises(UsageError, match="DEMO-2026 and DEMO-B"):
        enter(book, opened(), both)
    done = enter(book, opened(), replace(both, contract_id="DEMO-B"))
    assert (done.choice.contract.id, [clock.reason for clock in done.clocks]) == ("DEMO-B", ["no objective"])


def test_the_contract_of_an_event_is_that_of_the_opening(book: Book) -> None:
    contracts = (
        loaded(make_contract(id="OLD", ends=date(2026, 11, 22), objectives=OBJECTIVES), text=b"id: OLD\n"),
        loaded(make_contract(id="NEW", starts=date(2026, 11, 23)), text=b"id: NEW\n"),
    )
    desk = replace(DESK, contracts=contracts)
    enter(book, opened(at=NOW - 48 * HOUR), desk)
    assert enter(book, event(KIND.RESPONDED), desk).choice.contract.id == "OLD"


def test_the_list_has_what_waits_and_with_all_the_rest(book: Book) -> None:
    for one in (opened(asset="ws-01"), opened(), event(KIND.RESOLVED, "T-2")):
        enter(book, one, DESK)
    enter(book, event(KIND.HELD, cause=Cause.CLIENT), DESK)
    (waiting,) = look(book, Which(), later(4))
    assert (waiting.opening.ticket, waiting.open, waiting.held_by) == ("T-1", True, Cause.CLIENT)
    assert [clock.state for clock in waiting.clocks] == [State.HELD, State.HELD]
    assert [one.open for one in look(book, Which(resolved=True), DESK)] == [True, False]
    assert [one.opening.ticket for one in look(book, Which(ticket="T-2"), DESK)] == ["T-2"]
    assert [one.opening.ticket for one in look(book, Which(asset="ws-01"), DESK)] == ["T-1"]


@pytest.mark.parametrize(
    ("which", "said"),
    [
        (Which(ticket="T-2"), "no ticket 'T-2'; did you mean T-1"),
        (Which(asset="kiosk-01"), "no ticket is about"),
        (Which(asset="ws-99"), "no machine is called"),
    ],
)
def test_nothing_under_a_name_is_no_success(book: Book, which: Which, said: str) -> None:
    enter(book, opened(), DESK)
    with pytest.raises(UsageError, match=said):
        look(book, which, DESK)


def test_a_client_without_a_log_has_no_list(book: Book) -> None:
    with pytest.raises(UsageError, match="there is no log"):
        look(book, Which(), DESK)


def test_a_log_that_contradicts_itself_is_an_error_of_the_log(book: Book) -> None:
    body = {"at": "2026-11-23T13:00:00Z", "kind": "responded", "ticket": "T-1"}
    enter(book, opened("T-1", at=NOW - HOUR), DESK)
    book.append([Draft("ticket", START, "op-1", body), Draft("ticket", START, "op-1", body)])
    with pytest.raises(LedgerError, match="entry 4: ticket T-1: it had its first response already"):
        look(book, Which(), DESK)


def test_of_many_at_once_one_answers_first_and_no_contradiction_enters(tmp_path: Path) -> None:
    """Eight technicians say at the same moment that T-1 was answered, and each opens a ticket without a number."""
    with open_at(tmp_path) as book:
        enter(book, opened("T-1"), DESK)
    barrier, count = Barrier(8), 8

    def technician(which: int) -> str:
        with open_at(tmp_path) as own:
            barrier.wait(timeout=30)
            done = enter(own, opened(), replace(DESK, operator=f"Technician {which}"))
            with suppress(UsageError):
                enter(own, event(KIND.RESPONDED), DESK)
        return number(done)

    with ThreadPoolExecutor(count) as pool:
        numbers = sorted(pool.map(technician, range(count)))
    assert numbers == [f"T-{which}" for which in range(2, 2 + count)]
    with open_at(tmp_path) as book:
        events = record_of(book.entries(), origin=book.origin).tickets
        assert [one.kind for one in events].count(KIND.RESPONDED) == 1
        assert measure_tickets(events, DESK.chooser, as_of=NOW)
        assert verify_log(book).status == "OK"


def test_the_control_an_append_that_looks_at_no_size_lets_both_in(book: Book) -> None:
    enter(book, opened("T-1"), DESK)
    last = book.last()
    assert last is not None
    draft = Draft("note", START, "op-1", {})
    assert book.append([draft], expected=last.index + 1) != ()
    assert book.append([draft], expected=last.index + 1) == (), "somebody wrote since"
    assert book.append([draft]) != ()
