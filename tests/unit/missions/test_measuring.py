"""Measuring: a file and a log that say the same come to the same, and a month of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.errors import ConfigurationError, LedgerError, UsageError
from provisioner.ledger.book import open_book
from provisioner.ledger.checkpoint import Checkpoint
from provisioner.ledger.entry import Draft
from provisioner.ledger.merkle import EMPTY_ROOT, Frontier, extend
from provisioner.missions.measuring import Promises, replay, state
from provisioner.missions.tickets import Desk, enter
from provisioner.model.contract import Holds, Prepaid
from provisioner.model.measurement import State
from provisioner.model.objective import Metric, Objective, Penalty
from provisioner.model.record import Membership
from provisioner.model.service_event import TicketEvent, TicketEventKind
from provisioner.model.values import Cause, Duration, Money, Party, Percentage, Period
from provisioner.testing import START, loaded, make_contract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioner.ledger.book import Book
    from provisioner.model.measurement import Statement

NOW = int(START.timestamp())
DAY = 86400
LATEST = "provisioner.ledger.published.latest"
KIND = TicketEventKind
RESPONSE = Objective(
    id="response",
    metric=Metric.RESPONSE_TIME,
    target=Duration(1, "h"),
    penalty=Penalty(per_breach=Money.parse("50.00")),
)
RESOLUTION = Objective(id="resolution", metric=Metric.RESOLUTION_TIME, target=Duration(30, "d"))
CONTRACT = loaded(make_contract(objectives=(RESPONSE, RESOLUTION), holds=Holds()))
MEMBERS = Membership(groups={"ws-01": frozenset({"all", "workstations"})})
PROMISES = Promises(contracts=(CONTRACT,), membership=MEMBERS, as_of=NOW)
DESK = Desk(contracts=(CONTRACT,), membership=MEMBERS, operator="Camille Operator", at=START)

OCTOBER_31 = NOW - 23 * DAY
"""14:00 UTC on 31 October: opened then, a clock of 30 days runs into November."""

EVENTS = (
    TicketEvent(OCTOBER_31, 0, "T-1", KIND.OPENED, priority="P1", asset="ws-01"),
    TicketEvent(OCTOBER_31 + 2 * 3600, 0, "T-1", KIND.RESPONDED),
    TicketEvent(OCTOBER_31 + 3 * 3600, 0, "T-1", KIND.HELD, cause=Cause.CLIENT),
    TicketEvent(OCTOBER_31 + 5 * 3600, 0, "T-1", KIND.RESUMED),
    TicketEvent(NOW - DAY, 0, "T-2", KIND.OPENED, priority="P1", asset="ws-01"),
    TicketEvent(NOW - DAY + 60, 0, "T-2", KIND.RESOLVED),
)
FILE = """\
{"at": "2026-10-31T14:00:00Z", "ticket": "T-1", "kind": "opened", "priority": "P1", "asset": "ws-01"}
{"at": "2026-10-31T16:00:00Z", "ticket": "T-1", "kind": "responded"}
{"at": "2026-10-31T17:00:00Z", "ticket": "T-1", "kind": "held", "cause": "client"}
{"at": "2026-10-31T19:00:00Z", "ticket": "T-1", "kind": "resumed"}
{"at": "2026-11-22T14:00:00Z", "ticket": "T-2", "kind": "opened", "priority": "P1", "asset": "ws-01"}
{"at": "2026-11-22T14:01:00Z", "ticket": "T-2", "kind": "resolved"}
"""


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with open_book(f"sqlite:///{tmp_path}/ledger.db", "demo", state=tmp_path) as found:
        for event in EVENTS:
            enter(found, event, DESK)
        yield found


def said(statement: Statement) -> list[tuple[Any, ...]]:
    return [(one.ticket, one.objective, one.state, one.due, one.breached_at) for one in statement.measurements]


def test_a_log_and_a_file_that_say_the_same_come_to_the_same(book: Book, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(FILE)
    whole = replay(tmp_path / "events.jsonl", PROMISES)
    stated = state(book, PROMISES, period="2026-11").statement
    assert [row for row in said(whole) if row[1] == "resolution" or row[0] == "T-2"] == said(stated)
    assert whole.held_seconds[Cause.CLIENT] == 7200


def test_a_month_has_what_it_touched_and_its_own_credits(book: Book) -> None:
    october, november = (state(book, PROMISES, period=month).statement for month in ("2026-10", "2026-11"))
    assert [row[:3] for row in said(october)] == [
        ("T-1", "response", State.BREACHED),
        ("T-1", "resolution", State.RUNNING),
    ]
    assert [row[:3] for row in said(november)] == [
        ("T-1", "resolution", State.RUNNING),
        ("T-2", "response", State.MET),
        ("T-2", "resolution", State.MET),
    ]
    assert [str(credit.amount) for credit in october.credits] == ["50.00"]
    assert (list(october.totals), november.credits, dict(november.totals)) == (["2026-10"], (), {})
    assert october.held_seconds[Cause.CLIENT] == november.held_seconds[Cause.CLIENT] == 7200


def test_a_result_by_month_is_in_the_statement_of_its_month(book: Book) -> None:
    availability = Objective(id="availability", metric=Metric.AVAILABILITY, target=Percentage.parse("99%"))
    contract = loaded(make_contract(objectives=(availability,)))
    stated = state(book, replace(PROMISES, contracts=(contract,)), period="2026-10").statement
    assert [one.month for one in stated.measurements if one.objective] == ["2026-10"]


def test_holds_are_added_up_over_the_clocks_of_the_month(book: Book) -> None:
    for event in (
        TicketEvent(NOW - 7200, 0, "T-3", KIND.OPENED, priority="P1"),
        TicketEvent(NOW - 7200, 0, "T-3", KIND.HELD, cause=Cause.CLIENT),
        TicketEvent(NOW - 3600, 0, "T-3", KIND.RESOLVED),
    ):
        enter(book, event, DESK)
    held = {month: state(book, PROMISES, period=month).statement.held_seconds for month in ("2026-10", "2026-11")}
    assert (held["2026-10"][Cause.CLIENT], held["2026-11"][Cause.CLIENT]) == (7200, 7200 + 2 * 3600)


def test_of_two_contracts_the_one_that_was_asked_for_is_measured_by(book: Book) -> None:
    both = replace(PROMISES, contracts=(CONTRACT, loaded(make_contract(id="DEMO-B"), text=b"id: DEMO-B\n")))
    with pytest.raises(UsageError, match="DEMO-2026 and DEMO-B"):
        state(book, both, period="2026-11")
    chosen = state(book, replace(both, contract_id="DEMO-2026"), period="2026-11")
    assert said(chosen.statement) == said(state(book, PROMISES, period="2026-11").statement)
    with pytest.raises(UsageError, match="there is no contract 'DEMO-C'; there is DEMO-2026, DEMO-B"):
        state(book, replace(both, contract_id="DEMO-C"), period="2026-11")


def test_a_month_is_that_of_the_contracts_zone(book: Book) -> None:
    """23:30 UTC on 31 October is November in Paris."""
    late = TicketEvent(OCTOBER_31 + 9 * 3600 + 1800, 0, "T-3", KIND.OPENED, priority="P1")
    enter(book, late, DESK)
    months = {month: state(book, PROMISES, period=month).statement for month in ("2026-10", "2026-11")}
    assert [any(row[0] == "T-3" for row in said(found)) for found in months.values()] == [False, True]


def test_as_of_an_earlier_instant_later_events_do_not_count(book: Book) -> None:
    then = replace(PROMISES, as_of=OCTOBER_31 + 3600)
    assert [row[2] for row in said(state(book, then, period="2026-10").statement)] == [State.RUNNING, State.RUNNING]


def test_a_month_that_has_not_begun_is_refused(book: Book) -> None:
    with pytest.raises(UsageError, match="2026-12 has not begun"):
        state(book, PROMISES, period="2026-12")


def test_the_statement_names_the_log_it_was_made_from(book: Book) -> None:
    stated = state(book, PROMISES, period="2026-11")
    frontier, _ = extend(Frontier(), (entry.hash for entry in book.entries()))
    assert (stated.size, stated.root) == (frontier.size, frontier.root)
    assert stated.size == len(list(book.entries())) == 8
    assert stated.warnings == ()


def test_another_text_of_the_contract_than_the_log_names_is_told(book: Book) -> None:
    other = loaded(CONTRACT.versions[0].contract, text=b"id: DEMO-2026 # edited\n")
    (warning,) = state(book, replace(PROMISES, contracts=(other,)), period="2026-11").warnings
    assert "not the one that entry 7 names" in warning


def test_machines_that_are_gone_are_told(book: Book) -> None:
    stated = state(book, replace(PROMISES, membership=Membership(groups={})), period="2026-11")
    assert stated.warnings == ("no longer in hosts.yml, and so measured as uncovered: ws-01",)


def test_a_log_that_is_not_what_was_signed_is_refused(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = Checkpoint(origin=book.origin, size=5, root=EMPTY_ROOT, note="")
    monkeypatch.setattr(LATEST, lambda _: signed)
    with pytest.raises(LedgerError, match="not those whose checkpoint of 5 was signed"):
        state(book, PROMISES, period="2026-11")
    monkeypatch.setattr(LATEST, lambda _: replace(signed, size=50))
    with pytest.raises(LedgerError, match="checkpoint of 50"):
        state(book, PROMISES, period="2026-11")


def test_a_contradiction_names_its_line_or_its_entry(book: Book, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(FILE + FILE.splitlines()[1].replace("10-31T16", "11-23T10"))
    with pytest.raises(ConfigurationError, match=r"events\.jsonl:7:1: .*first response already"):
        replay(tmp_path / "events.jsonl", PROMISES)
    body = {"at": "2026-11-23T10:00:00Z", "kind": "responded", "ticket": "T-1"}
    book.append([Draft("ticket", START, "op-1", body)])
    with pytest.raises(LedgerError, match="provisioner/demo: entry 8: ticket T-1"):
        state(book, PROMISES, period="2026-11")


def test_a_client_without_a_log_has_no_statement(tmp_path: Path) -> None:
    with (
        open_book(f"sqlite:///{tmp_path}/ledger.db", "demo", state=tmp_path) as empty,
        pytest.raises(UsageError, match="there is no log"),
    ):
        state(empty, PROMISES, period="2026-11")


def test_a_month_says_what_was_drawn_of_the_prepaid_hours_by_its_end(book: Book) -> None:
    hours = Prepaid(hours=Decimal(1), per=Period.MONTH, overage_hourly=Money.parse("90.00"))
    agreed = loaded(make_contract(objectives=(RESPONSE, RESOLUTION), holds=Holds(), prepaid=hours))
    for at, spent in ((NOW - 3600, 90), (NOW - 3500, 15)):
        event = TicketEvent(at, 0, "T-1", KIND.REPLIED, by=Party.PROVIDER, spent=Duration(spent, "m"))
        enter(book, event, replace(DESK, contracts=(agreed,)))
    promises = replace(PROMISES, contracts=(agreed,))
    october, november = (state(book, promises, period=month).balances for month in ("2026-10", "2026-11"))
    assert [(one.last.month, one.used, one.overage) for one in (*october, *november)] == [(10, 0, 0), (11, 3600, 2700)]
    assert str(november[0].overage_amount) == "67.50"
