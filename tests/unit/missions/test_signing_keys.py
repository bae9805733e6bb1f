from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import keys
from provisioner.ledger.book import open_book
from provisioner.ledger.checkpoint import Signer
from provisioner.ledger.entry import Draft
from provisioner.missions.audit import refuse_unknown, verify_log
from provisioner.missions.signing_keys import change_key, signing_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from provisioner.ledger.book import Book
    from provisioner.ledger.history import KeyHistory

AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with open_book(f"sqlite:///{tmp_path}/ledger.db", "demo", state=tmp_path) as opened:
        opened.append([Draft("note", AT, "op-1", {})])
        opened.sign(AT)
        yield opened


def test_a_new_log_has_one_key_and_its_files(book: Book) -> None:
    found = signing_keys(book)
    assert [(tenure.index, tenure.state) for tenure in found.history.tenures] == [(0, "in force")]
    assert (found.private.state, found.public.state, found.problems) == ("present", "present", ())
    assert (found.path, found.unfinished, found.exit_code) == (book.key_folder / "signing.key", False, 0)


def test_a_change_of_key_is_the_operators_by_pseudonym(book: Book) -> None:
    entry = change_key(book, "Ada", at=AT, reason="compromise")
    assert (book.person(entry.operator), entry.index, entry.body["reason"]) == ("Ada", 2, "compromise")
    assert b"Ada" not in entry.leaf
    assert [tenure.state for tenure in signing_keys(book).history.tenures] == ["revoked", "in force"]
    assert verify_log(book).status == "OK"


def _remove(folder: Path) -> None:
    (folder / "signing.key").unlink()


def _expose(folder: Path) -> None:
    (folder / "signing.key").chmod(0o644)


def _garble(folder: Path) -> None:
    (folder / "signing.key").write_text("garbled\n")


def _of_another_log(folder: Path) -> None:
    (folder / "signing.key").write_text(Signer.generate("provisioner/acme").render() + "\n")


def _never_was(folder: Path) -> None:
    (folder / "signing.key").write_text(Signer.generate("provisioner/demo").render() + "\n")


def _put_back(folder: Path) -> None:
    shutil.copy(folder.parent / "old" / "signing.key", folder)


@pytest.mark.parametrize(
    ("damage", "state", "code"),
    [
        (_remove, "missing", 0),
        (_expose, "wrong mode", 7),
        (_garble, "unreadable", 7),
        (_of_another_log, "not this log's", 7),
        (_never_was, "not this log's", 7),
        (_put_back, "retired", 7),
    ],
)
def test_what_is_wrong_with_the_private_half_is_named_and_stops_every_writer(
    book: Book, damage: Callable[[Path], None], state: str, code: int
) -> None:
    shutil.copytree(book.key_folder, book.key_folder.parent / "old")
    change_key(book, "Ada", at=AT, reason="rotation")
    damage(book.key_folder)
    found = signing_keys(book)
    assert (found.private.state, found.exit_code, found.public.state) == (state, code, "present")
    (problem,) = found.problems
    assert str(book.key_folder / "signing.key") in problem.problem and problem.hint
    with pytest.raises(LedgerError) as caught:
        change_key(book, "Ada", at=AT, reason="rotation")
    assert (str(caught.value), caught.value.hint, caught.value.exit_code) == (problem.problem, problem.hint, 7)


@pytest.mark.parametrize(("line", "state"), [("", "unreadable"), (None, "missing")])
def test_what_is_wrong_with_the_public_half_is_named(book: Book, line: str | None, state: str) -> None:
    path = book.key_folder / "verifier.key"
    sound = path.read_text()
    path.unlink() if line is None else path.write_text(line)
    found = signing_keys(book)
    assert (found.public.state, found.exit_code) == (state, 7)
    assert sound.strip() in found.problems[0].hint
    report = verify_log(book)
    assert (report.exit_code == 0) == (line is None)
    assert str(path) in (*report.warnings, *report.findings)[0]


def test_a_change_that_waits_is_shown_as_such(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_: object) -> None:
        raise LedgerError("cut")

    monkeypatch.setattr(keys, "adopt", cut)
    with pytest.raises(LedgerError, match="cut"):
        change_key(book, "Ada", at=AT, reason="rotation")
    found = signing_keys(book)
    assert (found.unfinished, found.path, found.exit_code) == (True, book.key_folder / "next.key", 0)
    assert [tenure.index for tenure in found.history.tenures] == [0, 2]


@pytest.mark.usefixtures("book")
def test_a_client_without_a_log_has_no_keys(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    with open_book(url, "acme", state=tmp_path, read_only=True) as other, pytest.raises(UsageError, match="no log of"):
        refuse_unknown(other)


def test_a_change_of_key_while_one_looks_is_no_problem(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    key_history = book.key_history

    def meanwhile() -> KeyHistory:
        history = key_history()
        monkeypatch.setattr(book, "key_history", key_history)
        change_key(book, "Ada", at=AT, reason="rotation")
        return history

    monkeypatch.setattr(book, "key_history", meanwhile)
    found = signing_keys(book)
    assert (found.problems, found.exit_code) == ((), 0)
    assert [tenure.index for tenure in found.history.tenures] == [0, 2]


def test_a_change_of_key_that_ends_while_one_looks_is_no_problem(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    adopt, look_up = keys.adopt, keys.look_up_signer

    def cut(*_: object) -> None:
        raise LedgerError("cut")

    monkeypatch.setattr(keys, "adopt", cut)
    with pytest.raises(LedgerError, match="cut"):
        change_key(book, "Ada", at=AT, reason="rotation")
    monkeypatch.setattr(keys, "adopt", adopt)

    def meanwhile(folder: Path, name: str) -> keys.KeyFile:
        found = look_up(folder, name)
        monkeypatch.setattr(keys, "look_up_signer", look_up)
        book.sign(AT)
        return found

    monkeypatch.setattr(keys, "look_up_signer", meanwhile)
    found = signing_keys(book)
    assert (found.problems, found.unfinished, found.exit_code) == ((), False, 0)
