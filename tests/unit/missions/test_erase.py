"""Erase: by person and by term, and what is left of a contract's text."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger.entry import Draft
from provisioner.ledger.verify import Status
from provisioner.missions.audit import BLANKED, show, verify_log
from provisioner.missions.erase import Wish, blank_contract, carry_out, finish, look
from provisioner.model.contract import Retention
from provisioner.model.person import ERASED
from provisioner.model.values import Duration
from provisioner.testing import START, loaded, make_contract

if TYPE_CHECKING:
    from pathlib import Path

    from provisioner.model.contract import LoadedContract

JANE = "Jane Doe"
OPERATOR = "Camille Operator"
CONTRACT = b"""# agreed with Jane Doe
client:
  name: Demo
  contacts:
    owner: Jane Doe, +33 1 23 45 67 89
    desk: "Help desk, desk@example.org"
escalation:
  - {objective: reply, at: 50%, to: owner}
"""


def wish(**changes: Any) -> Wish:
    return replace(Wish(at=START, operator=OPERATOR, person=JANE), **changes)


def files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_contact_goes_whole_and_a_name_wherever_it_stands() -> None:
    assert blank_contract(CONTRACT, (JANE,)).decode() == CONTRACT.decode().replace(
        "Jane Doe, +33 1 23 45 67 89", ERASED
    ).replace(JANE, ERASED)
    assert blank_contract(CONTRACT, ("John Roe",)) is CONTRACT


@pytest.mark.parametrize(
    "contact",
    [
        "Jane Doe,\n      +33 1 23 45 67 89",
        '"Jane Doe, +33 1 23 45 67 89"',
        "'Jane Doe, call +33 1 23 45 67 89 (don''t mail)'",
        "JANE DOE, +33 1 23 45 67 89",
    ],
)
def test_a_contact_goes_however_it_is_written(contact: str) -> None:
    left = blank_contract(f"client:\n  contacts:\n    owner: {contact}\n    other: keep\n".encode(), (JANE,))
    assert b"+33" not in left and b"oe" not in left.replace(b"other", b"")
    assert b"other: keep" in left


@pytest.mark.parametrize(
    "text",
    [
        'client: {contacts: {owner: "J\\u0061ne Doe, +33 1"}}',
        'client: {contacts: {owner: "Jane\\\n  \\ Doe, +33 1"}}',
        'client: {contacts: {owner: "Jane Doe, \\"JD\\", +33 1"}}',
        'name: "\\x4aane Doe" # [not YAML',
    ],
)
def test_a_text_that_names_the_person_in_an_escape_goes_whole(text: str) -> None:
    assert blank_contract(text.encode(), (JANE,)) == f"{ERASED}\n".encode()


def test_a_contact_under_the_name_of_the_person_goes() -> None:
    left = blank_contract(b"client: {contacts: {jane: +33 1 23, john: +44}}", ("Jane",))
    assert left == f"client: {{contacts: {{{ERASED}: {ERASED}, john: +44}}}}".encode()


def prepare(desk: Any, *, at: datetime = START) -> str:
    """A log in which Jane acted, is named by a value and by the contract; return the contract's digest."""
    with desk.book() as book:
        jane, value = book.pseudonym(JANE), book.keep("account of Jane Doe", field="check")
        digest = str(book.keep_contract(CONTRACT))
        book.append(
            [Draft("contract", at, jane, {"digest": digest}), Draft("closed", at, jane, {"found": [value], "n": 1})]
        )
        book.sign(at)
    return digest


def test_looking_changes_nothing(desk: Any) -> None:
    digest = prepare(desk)
    with desk.book() as book:
        before = (list(book.entries()), list(book.details()))
        found = look(book, wish())
        assert (list(book.entries()), list(book.details())) == before
    assert sorted((field, value) for _, field, value in found.rows) == [
        ("check", "account of Jane Doe"),
        ("operator", JANE),
    ]
    assert (found.fields, found.blanked) == ({"check": 1, "contract": 1, "operator": 1}, (digest,))
    assert found and not found.unfinished


def test_carried_out_recorded_and_signed(desk: Any) -> None:
    digest = prepare(desk)
    with desk.book() as book:
        index = carry_out(book, wish())
        entry = book.entry(index)
        assert entry is not None and entry.kind == "erase"
        assert book.person(entry.operator) == OPERATOR
        assert verify_log(book).status is Status.OK
        (shown,) = show(book, "1")
        assert shown.known == {digest: BLANKED}
        assert not look(book, wish())
    assert b"Jane" not in files(desk.state)


def test_whoever_erases_themselves_leaves_no_name(desk: Any) -> None:
    prepare(desk)
    with desk.book() as book:
        entry = book.entry(carry_out(book, wish(operator=JANE)))
        assert entry is not None and book.person(entry.operator) is None
    assert b"Jane" not in files(desk.state)


def test_a_pseudonym_is_enough(desk: Any) -> None:
    prepare(desk)
    with desk.book() as book:
        carry_out(book, wish(person=book.pseudonym(JANE)))
    assert b"Jane" not in files(desk.state)


@pytest.mark.parametrize("person", ["John Roe", "op-0123456789abcdef"])
def test_nothing_found_records_nothing(desk: Any, person: str) -> None:
    prepare(desk)
    with desk.book() as book:
        assert not look(book, wish(person=person))
        with pytest.raises(UsageError, match="nothing is left"):
            carry_out(book, wish(person=person))
        assert book.last("erase") is None


@pytest.mark.parametrize("person", ["", " ", "J"])
def test_a_name_that_is_none_is_refused(desk: Any, person: str) -> None:
    prepare(desk)
    with desk.book() as book, pytest.raises(UsageError, match="too short"):
        look(book, wish(person=person))


def test_a_client_without_a_log_is_refused(desk: Any) -> None:
    with desk.book() as book, pytest.raises(UsageError, match="there is no log"):
        look(book, wish())


def test_the_next_onboarding_does_not_put_a_blanked_contract_back(desk: Any) -> None:
    desk.text = CONTRACT
    desk.perform()
    with desk.book() as book:
        carry_out(book, wish())
    desk.perform()
    with desk.book() as book:
        assert verify_log(book).exit_code == 0
    assert desk.kinds().count("contract") == 1 and desk.kinds().count("closed") == 2
    assert b"Jane" not in files(desk.state)


def test_the_next_onboarding_of_an_erased_operator_gives_another_pseudonym(desk: Any) -> None:
    desk.perform()
    with desk.book() as book:
        before = book.pseudonym(OPERATOR)
        carry_out(book, wish(person=OPERATOR, operator="Somebody Else"))
    desk.perform()
    operators = [entry.operator for entry in desk.entries() if entry.kind == "closed"]
    assert operators[0] == before != operators[1]


def test_an_erasure_that_left_bytes_is_finished_later(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.ledger.sqlite.WIPE_SECONDS", 0)
    prepare(desk)
    with desk.book() as book, closing(sqlite3.connect(desk.state / "ledger.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM details").fetchone()
        with pytest.raises(LedgerError, match="their bytes may still lie") as raised:
            carry_out(book, wish())
        assert "type it again" in raised.value.hint and raised.value.exit_code == 7
        assert verify_log(book).status is Status.OK
        found = look(book, wish())
        assert not found and found.unfinished
        assert b"Jane" in files(desk.state), "the control"
        reader.rollback()
        finish(book)
        assert not look(book, wish()).unfinished
    assert b"Jane" not in files(desk.state)


def term(text: str | None) -> LoadedContract:
    return loaded(make_contract(retention=Retention(details=Duration.parse(text) if text else None)))


EXPIRED = Wish(at=datetime(2026, 8, 31, 12, tzinfo=UTC), operator=OPERATOR)


@pytest.mark.parametrize(
    ("cited", "goes"),
    [
        (datetime(2026, 2, 27, 12, tzinfo=UTC), True),
        (datetime(2026, 2, 28, 22, 59, tzinfo=UTC), True),
        (datetime(2026, 2, 28, 23, 0, tzinfo=UTC), False),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), False),
    ],
)
def test_the_term_is_of_calendar_months_in_the_zone_of_the_contract(desk: Any, cited: datetime, goes: bool) -> None:
    """Six months after 28 February is 28 August; after 1 March in Paris (23:00 UTC the day before), 1 September."""
    prepare(desk, at=cited)
    with desk.book() as book:
        found = look(book, replace(EXPIRED, contracts=(term("6mo"),)))
    assert bool(found) is goes
    assert found.blanked == ()
    assert found.fields == ({"check": 1, "operator": 1} if goes else {})


@pytest.mark.parametrize(("day", "goes"), [(1, True), (2, False)])
def test_a_term_of_days_is_over_on_its_last_day(desk: Any, day: int, goes: bool) -> None:
    prepare(desk, at=datetime(2026, 8, day, 12, tzinfo=UTC))
    with desk.book() as book:
        assert bool(look(book, replace(EXPIRED, contracts=(term("30d"),)))) is goes


def test_what_is_cited_anew_stays_and_so_does_whoever_asks(desk: Any) -> None:
    prepare(desk, at=START - timedelta(days=1000))
    with desk.book() as book:
        book.append([Draft("note", START - timedelta(days=1000), book.pseudonym(OPERATOR), {})])
        book.append([Draft("note", START, book.pseudonym(JANE), {})])
        expired = Wish(at=START, operator=OPERATOR, contracts=(term("30d"),))
        assert look(book, expired).fields == {"check": 1}
        entry = book.entry(carry_out(book, expired))
        assert entry is not None and entry.body["reason"] == "retention"
        assert {row.field for row in book.details()} == {"operator", "contract"}
        assert not look(book, expired)
        assert verify_log(book).status is Status.OK


def test_of_several_contracts_in_force_the_longest_term_keeps_and_one_that_is_over_does_not_count(desk: Any) -> None:
    prepare(desk, at=datetime(2026, 7, 1, 12, tzinfo=UTC))
    over = loaded(make_contract(ends=date(2026, 8, 1), retention=Retention(details=None)))
    with desk.book() as book:
        assert look(book, replace(EXPIRED, contracts=(term("30d"), over)))
        assert not look(book, replace(EXPIRED, contracts=(term("30d"), term("6mo"))))
        with pytest.raises(UsageError, match="promises no term"):
            look(book, replace(EXPIRED, contracts=(over,)))


def test_no_term_is_no_promise(desk: Any) -> None:
    prepare(desk)
    with desk.book() as book, pytest.raises(UsageError, match="promises no term"):
        look(book, Wish(at=START, operator=OPERATOR, contracts=(term(None),)))
