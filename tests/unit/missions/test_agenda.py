"""Looking ahead with what a log holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioner.ledger.book import open_book
from provisioner.ledger.entry import Draft
from provisioner.missions.agenda import agenda_of, look_ahead
from provisioner.missions.measuring import Promises
from provisioner.missions.tickets import Desk, enter
from provisioner.model.agenda import ItemKind
from provisioner.model.mission_terms import Allowance, Backup, Missions, WorkstationSetup
from provisioner.model.objective import Metric, Objective
from provisioner.model.record import Membership
from provisioner.model.service_event import TicketEvent, TicketEventKind
from provisioner.model.values import Duration, Period
from provisioner.testing import START, loaded, make_contract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioner.ledger.book import Book
    from provisioner.model.contract import Contract

NOW = int(START.timestamp())
AHEAD = Duration(90, "d")
MEMBERS = Membership(groups={"ws-01": frozenset({"workstations"})})


def terms(**changes: object) -> Contract:
    return make_contract(
        objectives=(Objective(id="fix", metric=Metric.RESOLUTION_TIME, target=Duration(8, "h")),), **changes
    )


def promises(contract: Contract, *, as_of: int = NOW) -> Promises:
    return Promises(contracts=(loaded(contract),), membership=MEMBERS, as_of=as_of)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with open_book(f"sqlite:///{tmp_path}/ledger.db", "demo", state=tmp_path) as opened:
        yield opened


def opened(book: Book, contract: Contract) -> None:
    desk = Desk(contracts=(loaded(contract),), membership=MEMBERS, operator="Camille", at=START)
    enter(book, TicketEvent(NOW, 0, "", TicketEventKind.OPENED, priority="P1", asset="ws-01"), desk)


def test_the_tickets_of_the_log_are_due(book: Book) -> None:
    opened(book, terms())
    found = look_ahead(book, promises(terms()), ahead=AHEAD)
    assert found.recorded
    assert [(item.kind, item.at) for item in found.items if item.at] == [(ItemKind.DUE, NOW + 8 * 3600)]


def test_without_a_log_or_a_ledger_the_contract_alone_is_looked_at(book: Book) -> None:
    by_empty = look_ahead(book, promises(terms(review_every=Duration(1, "mo"))), ahead=AHEAD)
    by_none = look_ahead(None, promises(terms(review_every=Duration(1, "mo"))), ahead=AHEAD)
    assert by_none == by_empty
    assert not by_none.recorded
    assert ItemKind.REVIEW in {item.kind for item in by_none.items}


def test_a_drill_of_the_log_counts(book: Book) -> None:
    contract = terms(missions=Missions(backup=Backup(drill_every=Duration(1, "mo"))))
    opened(book, contract)
    (before,) = [i for i in look_ahead(book, promises(contract), ahead=AHEAD).items if i.kind is ItemKind.DRILL]
    at = START.strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"kind": "drill", "at": at, "asset": "ws-01", "ended": at, "passed": True, "full": False}
    book.append([Draft("drill", START, book.pseudonym("Camille"), body)])
    (after,) = [i for i in look_ahead(book, promises(contract), ahead=AHEAD).items if i.kind is ItemKind.DRILL]
    assert before.overdue
    assert (after.overdue, after.subject) == (False, START.date().isoformat())


def test_what_is_left_of_an_allowance_expires(book: Book) -> None:
    allowance = Allowance(count=10, per=Period.MONTH)
    contract = terms(missions=Missions(workstation_setup=WorkstationSetup(allowance=allowance)))
    opened(book, contract)
    (item,) = [i for i in look_ahead(book, promises(contract), ahead=AHEAD).items if i.kind is ItemKind.EXPIRY]
    assert "10 of 10 assets" in item.text
    rolling = terms(
        missions=Missions(
            workstation_setup=WorkstationSetup(allowance=Allowance(count=10, per=Period.MONTH, rollover=True))
        )
    )
    kinds = {i.kind for i in look_ahead(None, promises(rolling, as_of=NOW), ahead=Duration(1, "d")).items}
    assert ItemKind.EXPIRY not in kinds


def test_clients_are_put_together_as_one_agenda(book: Book) -> None:
    found = look_ahead(None, promises(terms(review_every=Duration(1, "mo"))), ahead=AHEAD)
    agenda = agenda_of([found, found], AHEAD)
    assert agenda.clients == ("demo", "demo")
    assert [item.day for item in agenda.items] == sorted(item.day for item in agenda.items)
    assert agenda.as_of == NOW
