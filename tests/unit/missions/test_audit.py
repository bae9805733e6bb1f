from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import published
from provisioner.ledger.book import open_book
from provisioner.ledger.entry import Draft, make_entry
from provisioner.ledger.verify import Status
from provisioner.missions.audit import Filter, log, refuse_unknown, show, verify_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioner.ledger.book import Book

AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
INTENT = {"intervention": "i-1", "clause": "missions.workstation_setup", "mission": "workstation_setup"}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def book(state: Path, database_url: str) -> Iterator[Book]:
    with open_book(database_url, "demo", state=state) as opened:
        ada, bob = opened.pseudonym("Ada"), opened.pseudonym("Bob")
        found = opened.keep("Ada's home", field="check")
        refused = {**INTENT, "intervention": "i-2", "assets": ["ws-02"], "outcome": "refused", "reasons": []}
        drafts = [
            Draft("opened", AT, ada, {**INTENT, "assets": ["ws-01"], "ticket": "T-1", "simulated": True}),
            Draft(
                "closed", AT + timedelta(minutes=1), ada, {"intervention": "i-1", "outcome": "changed", "assets": []}
            ),
            Draft("refused", AT + timedelta(minutes=2), bob, refused),
            Draft("ticket", AT + timedelta(minutes=3), bob, {"ticket": "T-2", "asset": "srv-01", "person": ada}),
            Draft("closed", AT + timedelta(minutes=4), ada, {"intervention": "i-0", "assets": [{"name": "ws-01"}, 7]}),
            Draft("note", AT + timedelta(minutes=5), "op-unknown", {"checks": [{"found": found}, {"found": "pv-00"}]}),
        ]
        opened.append(drafts)
        opened.sign(AT)
        yield opened


def listed(book: Book, **chosen: object) -> list[int]:
    return [row.index for row in log(book, Filter(**chosen))]  # type: ignore[arg-type]


def test_every_entry_is_a_row_and_a_closing_takes_from_its_opening(book: Book) -> None:
    rows = log(book, Filter())
    assert [(row.index, row.kind) for row in rows[:3]] == [(0, "key"), (1, "opened"), (2, "closed")]
    closed = rows[2]
    assert (closed.mission, closed.hosts, closed.ticket, closed.simulated) == (
        "workstation_setup",
        ("ws-01",),
        "T-1",
        True,
    )
    assert (closed.outcome, closed.person, closed.clause) == ("changed", "Ada", "missions.workstation_setup")
    assert (rows[5].hosts, rows[5].mission, rows[6].person) == (("ws-01",), "", None)


@pytest.mark.parametrize("wanted", ["99", "9" * 18, "9" * 20, "9" * 5000, "i-99"])
def test_an_entry_that_is_not_there_is_a_usage_error(book: Book, wanted: str) -> None:
    with pytest.raises(UsageError, match="has no entry and no intervention"):
        show(book, wanted)


def test_one_entry_is_read_alone(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []
    leaves = book.leaves

    def watched(*bounds: int) -> Iterator[tuple[object, object]]:
        for index, leaf in leaves(*bounds):
            read.append(index)
            yield index, leaf

    monkeypatch.setattr(book, "leaves", watched)
    assert show(book, "2")[0].entry.index == 2
    assert read == [0, 2]  # 0 tells that there is a log


@pytest.mark.parametrize("client", ["dmeo", "acme"])
def test_a_log_that_is_not_there_is_named_with_those_that_are(
    state: Path, database_url: str, book: Book, client: str
) -> None:
    hint = "did you mean demo" if client == "dmeo" else ""
    with open_book(database_url, client, state=state, read_only=True) as none:
        assert none.clients() == book.clients() == ("demo",)
        for look in (lambda: log(none, Filter()), lambda: show(none, "0")):
            with pytest.raises(UsageError, match=f"there is no log of '{client}'.*{hint}") as raised:
                look()
            assert raised.value.hint == "there are logs of: demo"
        assert verify_log(none).status is Status.EMPTY


def test_filters(book: Book) -> None:
    assert listed(book, host="ws-01") == [1, 2, 5]
    assert listed(book, host="srv-01") == [4]
    assert listed(book, outcome="refused") == [3]
    assert listed(book, operator="Bob") == [3, 4]
    assert listed(book, operator=book.pseudonym("Bob")) == [3, 4]
    assert listed(book, since=AT + timedelta(minutes=4)) == [5, 6]
    assert listed(book, until=AT + timedelta(minutes=1)) == [0, 1]
    assert listed(book, host="ws-01", outcome="changed", operator="Ada") == [2]
    assert listed(book, host="nowhere") == []


def test_kinds_nobody_knows_are_rows_and_can_be_shown(book: Book, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.ledger.entry.KINDS", {"from-the-future"})
    book.append([Draft("from-the-future", AT, "op-1", {"assets": "not a list", "intervention": 7})])
    assert log(book, Filter())[-1].kind == "from-the-future"
    assert show(book, "7")[0].entry.kind == "from-the-future"


def test_show_gives_an_entry_or_an_intervention_with_what_references_stand_for(book: Book) -> None:
    assert [shown.entry.index for shown in show(book, "i-1")] == [1, 2]
    (shown,) = show(book, "6")
    assert list(shown.known.values()) == ["Ada's home"]
    (ticket,) = show(book, "4")
    assert sorted(ticket.known.values()) == ["Ada", "Bob"]
    for wanted in ("99", "i-9", ""):
        with pytest.raises(UsageError, match="no entry and no intervention"):
            show(book, wanted)


def test_verification_compares_with_what_was_kept_outside(book: Book, state: Path) -> None:
    fingerprint = str(next(book.entries()).body["fingerprint"])
    kept = state / "checkpoints/demo/latest"
    assert verify_log(book).compared_with == "self-consistent; nothing outside was compared"
    found = verify_log(book, kept=kept, fingerprint=fingerprint.upper())
    assert (found.status, found.exit_code, found.warnings) == (Status.OK, 0, ())
    assert verify_log(book, fingerprint="0" * 64).exit_code == 7


def test_what_cannot_be_compared_is_a_usage_error(book: Book, state: Path, database_url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="64 hex digits"):
        verify_log(book, fingerprint="abc")
    with pytest.raises(UsageError, match="not a checkpoint"):
        verify_log(book, kept=tmp_path / "missing")
    with open_book(database_url, "acme", state=state) as other:
        other.append([Draft("note", AT, "op-1", {})])
        other.sign(AT)
    with pytest.raises(UsageError, match="of provisioner/acme, not of provisioner/demo"):
        verify_log(book, kept=state / "checkpoints/acme/latest")


def test_broken_files_beside_the_log_are_tampering_not_a_crash(book: Book, state: Path) -> None:
    (state / "keys/demo/verifier.key").write_text("nonsense")
    (state / "checkpoints/demo/latest").write_text("nonsense")
    found = verify_log(book)
    assert (found.status, found.first_bad, len(found.findings)) == (Status.TAMPERED, None, 2)


@pytest.mark.sqlite("test_postgresql and test_verify do the same on a server")
def test_removed_tripwires_are_a_warning_and_bad_bytes_an_error(book: Book, state: Path) -> None:
    with closing(sqlite3.connect(state / "ledger.db")) as database:
        database.execute("DROP TRIGGER entries_refuse_update")
        database.commit()
        found = verify_log(book)
        assert (found.status, len(found.warnings)) == (Status.OK, 1)
        leaf = make_entry(2, Draft("note", AT, "op-1", {})).leaf
        database.execute('UPDATE entries SET leaf = ? WHERE "index" = 2', (leaf + b" ",))
        database.commit()
    assert verify_log(book).first_bad == 2
    with pytest.raises(LedgerError, match="entry 2: not canonical"):
        log(book, Filter())


def test_auditing_needs_no_key_at_all(book: Book, state: Path, database_url: str) -> None:
    shutil.rmtree(state / "keys")
    with open_book(database_url, "demo", state=state, read_only=True) as auditor:
        assert verify_log(auditor).status is Status.OK
        assert len(log(auditor, Filter())) == 7


def test_a_key_changed_while_the_log_is_read_is_not_taken_for_an_older_copy(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    details = book.details

    def meanwhile() -> Iterator[object]:
        monkeypatch.setattr(book, "details", details)
        book.rotate(AT, "op-1", reason="rotation")
        book.append([Draft("note", AT, "op-1", {})])
        book.sign(AT)
        return details()

    monkeypatch.setattr(book, "details", meanwhile)
    found = verify_log(book)
    assert (found.status, found.size, found.findings) == (Status.OK, 9, ())


def test_a_key_that_is_an_older_copy_stays_one(book: Book) -> None:
    path = book.key_folder / "verifier.key"
    old = path.read_text()
    book.rotate(AT, "op-1", reason="rotation")
    book.append([Draft("note", AT, "op-1", {})])
    book.sign(AT)
    path.write_text(old)
    found = verify_log(book)
    assert (found.status, len(found.findings)) == (Status.TAMPERED, 1)
    assert "it is an older copy" in found.findings[0]


@pytest.mark.sqlite("an adversary's DELETE is the same on a server")
@pytest.mark.parametrize("garbled", [False, True])
def test_a_log_whose_entries_are_gone_is_not_one_that_never_was(book: Book, state: Path, garbled: bool) -> None:
    with closing(sqlite3.connect(state / "ledger.db")) as database:
        database.execute("DROP TRIGGER entries_refuse_delete")
        database.execute("DELETE FROM entries")
        database.commit()
    if garbled:
        for path in (state / "checkpoints/demo").iterdir():
            path.write_text("nonsense")
    why = "cannot be read" if garbled else "7 entries were signed"
    for look in (lambda: log(book, Filter()), lambda: show(book, "0"), lambda: refuse_unknown(book)):
        with pytest.raises(LedgerError, match=f"the log of 'demo' is gone.*{why}") as raised:
            look()
        assert "restore the database" in raised.value.hint and "audit.verify" in raised.value.hint


def test_a_log_that_begins_while_one_looks_for_it_is_there(
    state: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_book(database_url, "demo", state=state) as begun:
        read_all = published.read_all

        def meanwhile(folder: Path) -> object:
            begun.append([Draft("note", AT, "op-1", {})])
            begun.sign(AT)
            return read_all(folder)

        monkeypatch.setattr(published, "read_all", meanwhile)
        refuse_unknown(begun)


@pytest.mark.sqlite("what a leaf says is parsed alike, wherever it lies")
@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_an_entry_at_an_instant_beyond_the_calendar_is_tampering_not_a_crash(book: Book, state: Path, at: str) -> None:
    leaf = make_entry(2, Draft("note", AT, "op-1", {})).leaf
    bad = leaf.replace(b"2026-11-23T14:00:00Z", at.encode())
    assert bad != leaf
    with closing(sqlite3.connect(state / "ledger.db")) as database:
        database.execute("DROP TRIGGER entries_refuse_update")
        database.execute('UPDATE entries SET leaf = ? WHERE "index" = 2', (bad,))
        database.commit()
    found = verify_log(book)
    assert (found.status, found.first_bad, found.exit_code) == (Status.TAMPERED, 2, 7)
    with pytest.raises(LedgerError, match="entry 2"):
        log(book, Filter())
