"""Erasure: what belongs to a person goes, in one transaction with the entry that says so, and no proof breaks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.errors import LedgerError
from provisioner.ledger import names
from provisioner.ledger.entry import Draft, make_entry
from provisioner.ledger.erasure import Erasure, Reason, of_age, of_person
from provisioner.ledger.store import Detail
from provisioner.ledger.verify import Status
from provisioner.missions.audit import verify_log

if TYPE_CHECKING:
    from provisioner.ledger.book import Book
    from provisioner.ledger.verify import Report

TEXT = b"contacts: {owner: Jane Doe}\n"
LEFT = b"contacts: {owner: [erased]}\n"


def detail(field: str, value: str, reference: str = "") -> Detail:
    return Detail(reference or f"pv-{value.encode().hex():0<64}"[:67], field, bytes(16), value.encode())


def nothing_to_blank(text: bytes, _names: tuple[str, ...]) -> bytes:
    return text


JANE = detail("operator", "Jane Doe", "op-0000000000000001")
ROWS = (
    JANE,
    detail("operator", "Jane Doering", "op-0000000000000002"),
    detail("check", "administrator JANE  doe"),
    detail("check", "janet doe"),
    detail("phone", "+33 1 (Jane Doe)"),
    detail("contract", "owner: Jane Doe", "c" * 64),
)


@pytest.mark.parametrize("person", ["Jane Doe", "jane  DOE", JANE.reference])
def test_what_belongs_to_a_person(person: str) -> None:
    asked: list[tuple[str, ...]] = []

    def blank(text: bytes, known: tuple[str, ...]) -> bytes:
        asked.append(known)
        return text.replace(b"Jane Doe", b"-")

    found = of_person(ROWS, person, blank=blank)
    assert found.rows == (ROWS[0], ROWS[2], ROWS[4])
    assert found.blanked == (Detail("c" * 64, "contract_redacted", b"", b"owner: -"),)
    assert found.fields == {"check": 1, "contract": 1, "operator": 1, "phone": 1}
    assert "Jane Doe" in asked[0] and JANE.reference not in asked[0]


@pytest.mark.parametrize("person", ["Nobody", "op-ffffffffffffffff", "Doering", "c" * 64])
def test_nothing_belongs_to_nobody(person: str) -> None:
    assert not of_person(ROWS[:2], person, blank=nothing_to_blank)


def test_what_only_old_entries_cite(desk: Any) -> None:
    old, new = desk.at, desk.at + timedelta(days=400)
    value, both, orphan = (detail("check", text) for text in ("one", "two", "three"))
    operators = [detail("operator", name, f"op-{name * 16}") for name in "abc"]
    drafts = [
        Draft(
            "closed", old, operators[0].reference, {"checks": [{"found": value.reference}, {"found": both.reference}]}
        ),
        Draft("closed", new, operators[1].reference, {"checks": {"found": both.reference}}),
        Draft("note", old, operators[1].reference, {"by": operators[2].reference}),
    ]
    entries = [make_entry(index, draft) for index, draft in enumerate(drafts)]
    contract = detail("contract", "text", "c" * 64)
    found = of_age([value, both, orphan, *operators, contract], entries, is_over=lambda at: at < new)
    assert found == Erasure(rows=(value, operators[0], operators[2]))


def test_the_body_names_nobody() -> None:
    body = of_person(ROWS, "Jane Doe", blank=lambda text, _: text[:5]).body(Reason.REQUEST)
    assert set(body) == {"reason", "references", "fields", "blanked"}
    assert "Jane" not in str(body) and body["reason"] == "request"
    assert body["blanked"] == {"c" * 64: names.contract_digest(b"owner")}


def report(desk: Any) -> Report:
    with desk.open(read_only=True) as book:
        return verify_log(book)


def fill(book: Book, desk: Any) -> tuple[str, str]:
    """A log that cites Jane, a value of hers, and a contract that names her; return her pseudonym and the digest."""
    jane, value, digest = book.pseudonym("Jane Doe"), book.keep("of Jane Doe", field="check"), book.keep_contract(TEXT)
    book.append(
        [Draft("contract", desk.at, jane, {"digest": digest}), Draft("closed", desk.at, jane, {"found": value})]
    )
    book.sign(desk.at)
    return jane, digest


def erase(book: Book, desk: Any) -> None:
    erasure = of_person(book.details(), "Jane Doe", blank=lambda text, _: text.replace(b"Jane Doe", b"[erased]"))
    book.erase(erasure, Draft("erase", desk.at, "op-9", erasure.body(Reason.REQUEST)))
    book.sign(desk.at)
    book.wipe()


def test_it_is_gone_and_recorded_and_every_proof_holds(desk: Any) -> None:
    with desk.open() as book:
        jane, digest = fill(book, desk)
        kept = book.sign(desk.at)
        erase(book, desk)
        assert (book.person(jane), book.contract_text(digest), book.is_blanked(digest)) == (None, None, True)
        assert [row.value for row in book.details()] == [LEFT]
        last = book.last("erase")
        assert last is not None and last.index == 3
        assert last.body["fields"] == {"check": 1, "contract": 1, "operator": 1}
        assert jane in last.body["references"]
        assert not book.unwiped.exists()
    found = report(desk)
    assert (found.status, found.size) == (Status.OK, 4)
    assert found.warnings == (
        f"the text of the contract {digest} was blanked by an erasure: its digest can no longer be shown",
    )
    with desk.open() as book:
        assert verify_log(book, kept=book.checkpoint_folder / "latest").exit_code == 0
        assert kept.size == 3


def test_the_same_person_gets_another_pseudonym_and_a_blanked_text_is_not_put_back(desk: Any) -> None:
    with desk.open() as book:
        jane, digest = fill(book, desk)
        erase(book, desk)
        assert book.pseudonym("Jane Doe") != jane
        assert book.keep_contract(TEXT) == digest
        assert book.contract_text(digest) is None


def test_a_row_that_is_gone_already_stops_all_of_it(desk: Any) -> None:
    with desk.open() as book:
        jane, _ = fill(book, desk)
        gone = detail("check", "never kept")
        erasure = Erasure(rows=(Detail(jane, "operator", b"", b""), gone))
        with pytest.raises(LedgerError, match="nothing was erased"):
            book.erase(erasure, Draft("erase", desk.at, "op-9", erasure.body(Reason.REQUEST)))
        assert (book.person(jane), book.last("erase")) == ("Jane Doe", None)
    assert report(desk).status is Status.OK


def test_a_blanked_text_that_no_entry_tells_of_is_tampering(desk: Any) -> None:
    with desk.open() as book:
        fill(book, desk)
    with desk.attack() as connection:
        connection.execute(
            "UPDATE details SET field = 'contract_redacted', value = ? WHERE field = 'contract'", (LEFT,)
        )
    found = report(desk)
    assert (found.status, found.exit_code) == (Status.TAMPERED, 7)
    assert "contract_redacted" in found.findings[0]


@pytest.mark.parametrize(
    ("change", "value"),
    [("value", b"contacts: {owner: [erased]} # at no cost\n"), ("value", b""), ("salt", b"\x00")],
)
def test_what_is_left_of_a_text_cannot_be_changed_further(desk: Any, change: str, value: bytes) -> None:
    with desk.open() as book:
        fill(book, desk)
        erase(book, desk)
    assert report(desk).status is Status.OK, "the control"
    with desk.attack() as connection:
        connection.execute(f"UPDATE details SET {change} = ? WHERE field = 'contract_redacted'", (value,))
    assert report(desk).status is Status.TAMPERED


def test_a_value_may_not_be_kept_under_a_field_with_a_meaning(desk: Any) -> None:
    with desk.open() as book:
        for field in ("operator", "contract", "contract_redacted"):
            with pytest.raises(LedgerError, match="is taken"):
                book.keep("x", field=field)


def test_who_reads_meanwhile_keeps_the_bytes_and_a_later_wipe_removes_them(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provisioner.ledger.sqlite.WIPE_SECONDS", 0)
    monkeypatch.setattr("provisioner.ledger.postgresql.WIPE_SECONDS", 1)
    with desk.open() as book, desk.open(read_only=True) as reader:
        fill(book, desk)
        reading = reader.leaves()
        next(reading)
        with pytest.raises(LedgerError):
            erase(book, desk)
        assert book.unwiped.exists()
        reading.close()
        book.wipe()
        assert not book.unwiped.exists()
    assert report(desk).status is Status.OK


@pytest.mark.sqlite("it reads the bytes of the file")
def test_no_byte_is_left_in_the_file_and_its_log(desk: Any) -> None:
    with desk.open() as book:
        fill(book, desk)
        assert b"Jane Doe" in files(desk), "the control"
        erase(book, desk)
        assert b"Jane" not in files(desk)


@pytest.mark.sqlite("it reads the bytes of the file")
def test_a_wipe_removes_what_was_deleted_without_care(desk: Any) -> None:
    with desk.open() as book:
        fill(book, desk)
        with desk.attack() as connection:
            connection.execute("PRAGMA secure_delete = 0")
            connection.execute("DELETE FROM details")
        assert b"Jane Doe" in files(desk), "the control"
        book.wipe()
        assert b"Jane" not in files(desk)


def files(desk: Any) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(desk.state.rglob("*")) if path.is_file())
