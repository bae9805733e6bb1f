from __future__ import annotations

import base64
import shutil
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import merkle, published
from provisioner.ledger.checkpoint import (
    Signer,
    parse_checkpoint,
    parse_verifier_key,
    sign_checkpoint,
    verify_checkpoint,
)
from provisioner.ledger.entry import Draft, make_entry
from provisioner.ledger.store import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Desk


def texts(desk: Desk, client: str = "demo") -> list[object]:
    with desk.open(client, read_only=True) as book:
        return [entry.body.get("text") for entry in book.entries(since=1)]


def test_the_first_append_makes_the_key_and_entry_0(desk: Desk) -> None:
    with desk.open() as book:
        (first,) = book.append([desk.draft("one")])
        second, third = book.append([desk.draft("two"), desk.draft("three")])
        assert book.append([]) == ()
        key, *rest = book.entries()
    assert (key.kind, rest) == ("key", [first, second, third])
    assert [entry.index for entry in rest] == [1, 2, 3]
    verifier = parse_verifier_key(str(key.body["key"]))
    assert (verifier.name, verifier.fingerprint) == ("provisioner/demo", key.body["fingerprint"])
    assert (desk.state / "keys/demo/verifier.key").read_text().strip() == verifier.render()


def test_entries_can_be_read_from_an_index_and_by_kind(desk: Desk) -> None:
    desk.write("one", '"kind":"opened"')
    with desk.open() as book:
        book.append([Draft("opened", desk.at, "op-1", {"intervention": "i-1"})])
        assert [entry.index for entry in book.entries(since=2)] == [2, 3]
        assert [entry.index for entry in book.entries(kinds=("opened", "closed"))] == [3]
        assert [entry.index for entry in book.entries(kinds={"key"})] == [0]


def test_the_newest_entry_of_a_kind_is_found_from_the_end(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk.open() as book:
        assert book.last("contract") is None
        book.append([Draft("contract", desk.at, "op-1", {"digest": "old"}), desk.draft("one")])
        book.append([Draft("contract", desk.at, "op-1", {"digest": "new"}), desk.draft('"kind":"contract"')])
        book.append([Draft("closed", desk.at, "op-1", {"text": "two"})])
        read: list[int] = []
        leaves = Transaction.leaves
        monkeypatch.setattr(
            Transaction, "leaves", lambda self, **how: (read.append(row[0]) or row for row in leaves(self, **how))
        )
        newest = book.last("contract")
        assert newest is not None and newest.body == {"digest": "new"}
        assert read == [5, 4, 3], "no further back than it has to"
        either = book.last("contract", "closed")
        assert either is not None and either.index == 5
        assert book.last("halt") is None


def test_a_damaged_entry_of_the_kind_asked_for_is_not_passed_over(desk: Desk) -> None:
    desk.write("one")
    with desk.attack() as connection:
        connection.execute("UPDATE entries SET leaf = CAST(leaf || ' ' AS BLOB) WHERE \"index\" = 1")
    with desk.open(read_only=True) as book:
        assert [entry.index for entry in book.entries(kinds=("key",))] == [0]
        for look in (lambda: book.last("note"), lambda: list(book.entries(kinds=("note",)))):
            with pytest.raises(LedgerError, match="entry 1"):
                look()


def test_a_checkpoint_covers_the_log_and_is_signed_once(desk: Desk) -> None:
    desk.write("one", "two", sign=False)
    with desk.open() as book:
        signed = book.sign(desk.at)
        assert book.sign(desk.at) == signed == published.latest(book.checkpoint_folder)
        frontier, _ = merkle.extend(merkle.Frontier(), [entry.hash for entry in book.entries()])
        key = parse_verifier_key((book.key_folder / "verifier.key").read_text().strip())
        assert (signed.size, signed.root) == (3, frontier.root)
        assert verify_checkpoint(signed, key)
        assert len(list(book.checkpoint_folder.iterdir())) == 2


def test_an_empty_log_is_not_signed(desk: Desk) -> None:
    with desk.open() as book, pytest.raises(LedgerError, match="is empty"):
        book.sign(desk.at)


def test_a_naive_instant_is_refused_and_nothing_recorded(desk: Desk) -> None:
    naive = datetime(2026, 11, 23)  # noqa: DTZ001
    with desk.open() as book:
        with pytest.raises(LedgerError, match="no time zone"):
            book.append([desk.draft("one"), Draft("note", naive, "op-1", {})])
        assert list(book.entries()) == []
        book.append([desk.draft("one")])
        with pytest.raises(LedgerError, match="no time zone"):
            book.sign(naive)
        assert published.latest(book.checkpoint_folder) is None


def test_clients_share_a_database_and_nothing_else(desk: Desk) -> None:
    desk.write("one")
    desk.write("uno", client="acme")
    assert (texts(desk), texts(desk, "acme")) == (["one"], ["uno"])
    assert (desk.state / "keys/demo/signing.key").read_text() != (desk.state / "keys/acme/signing.key").read_text()
    with desk.open() as demo, desk.open("acme") as acme:
        assert acme.person(demo.pseudonym("Ada")) is None
        assert acme.contract_text(demo.keep_contract(b"text")) is None


@pytest.mark.parametrize("client", ["", "../x", "a/b", ".hidden", "a b", "a+b", "x" * 65, "é"])
def test_a_client_id_that_is_no_folder_name_is_refused(desk: Desk, client: str) -> None:
    with pytest.raises(UsageError, match="not a client id"):
        desk.open(client)
    assert not desk.state.exists()


def test_pseudonyms_are_random_and_one_a_person(desk: Desk) -> None:
    with desk.open() as book:
        ada, bob = book.pseudonym("Ada"), book.pseudonym("Bob")
        assert (book.pseudonym("Ada"), book.person(ada), book.person(bob)) == (ada, "Ada", "Bob")
        assert ada.startswith("op-") and len(ada) == 19 and ada != bob
        assert book.person("op-0") is None


def test_personal_values_are_kept_outside_and_salted(desk: Desk) -> None:
    with desk.open() as book:
        one, other = book.keep("+33 1", field="phone"), book.keep("+33 1", field="phone")
        assert one != other
        assert (book.reveal(one), book.reveal(other), book.reveal("pv-0")) == ("+33 1", "+33 1", None)
        assert (book.person(one), book.reveal(book.pseudonym("Ada"))) == (None, None)
        for taken in ("operator", "contract"):
            with pytest.raises(LedgerError, match="is taken"):
                book.keep("x", field=taken)


def test_a_contract_is_kept_once_under_its_digest(desk: Desk) -> None:
    with desk.open() as book:
        digest = book.keep_contract(b"text")
        assert digest == "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"
        assert (book.keep_contract(b"text"), book.contract_text(digest)) == (digest, b"text")
        assert (book.contract_text("0"), book.contract_text(book.keep("x", field="phone"))) == (None, None)


def test_an_auditor_reads_without_the_signing_key_and_writes_nothing(desk: Desk) -> None:
    desk.write("one")
    (desk.state / "keys/demo/signing.key").unlink()
    assert texts(desk) == ["one"]
    with desk.open(read_only=True) as book, pytest.raises(LedgerError, match=r"readonly|is missing"):
        book.append([desk.draft("two")])


def test_a_log_without_its_signing_key_takes_nothing_more(desk: Desk) -> None:
    desk.write("one")
    (desk.state / "keys/demo/signing.key").unlink()
    with desk.open() as book, pytest.raises(LedgerError, match="signing key of provisioner/demo is missing") as caught:
        book.append([desk.draft("two")])
    assert caught.value.exit_code == 7
    assert texts(desk) == ["one"]


def test_an_append_does_not_read_the_log_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.write(*map(str, range(100)))
    read: list[object] = []
    leaves = Transaction.leaves
    monkeypatch.setattr(
        Transaction, "leaves", lambda self, *span: (read.append(row) or row for row in leaves(self, *span))
    )
    desk.write("one more")
    assert [index for index, _ in read] == [100], "the last one alone, in case it changed the key"
    read.clear()
    with desk.open() as book:
        assert len(list(book.entries())) == len(read) == 102


# What our own process left behind: the next command goes on.


def test_a_crash_between_append_and_signature_does_not_stop_the_next_command(desk: Desk) -> None:
    desk.write("one")
    desk.write("two", "three", sign=False)
    desk.write("four")
    with desk.open() as book:
        latest = published.latest(book.checkpoint_folder)
    assert latest is not None and latest.size == 5
    assert texts(desk) == ["one", "two", "three", "four"]


def test_a_crash_before_the_first_signature_does_not_either(desk: Desk) -> None:
    desk.write("one", sign=False)
    desk.write("two")
    assert texts(desk) == ["one", "two"]


def test_a_crash_between_key_and_first_entry_does_not_either(desk: Desk) -> None:
    desk.write("one")
    key = (desk.state / "keys/demo/signing.key").read_bytes()
    desk.lose_database()
    for path in (desk.state / "checkpoints/demo").iterdir():
        path.unlink()
    desk.write("one")
    assert (desk.state / "keys/demo/signing.key").read_bytes() == key


def test_another_writer_in_between_is_seen(desk: Desk) -> None:
    with desk.open() as book:
        book.append([desk.draft("one")])
        desk.write("two")
        book.append([desk.draft("three")])
        assert book.sign(desk.at).size == 4
    assert texts(desk) == ["one", "two", "three"]


@pytest.mark.parametrize(
    "damage", ["DELETE FROM nodes", "UPDATE nodes SET hash = zeroblob(32)", "DELETE FROM nodes WHERE level > 0"]
)
def test_a_damaged_node_cache_is_filled_anew_from_the_leaves(desk: Desk, damage: str) -> None:
    desk.write(*map(str, range(20)))
    with desk.attack() as database:
        before = database.execute("SELECT * FROM nodes ORDER BY level, position").fetchall()
        database.execute(damage)
    desk.write("more", sign=False)
    with desk.attack() as database:
        after = database.execute(
            "SELECT * FROM nodes WHERE position >> (6 - level) = 0 ORDER BY level, position"
        ).fetchall()
        assert set(before) <= set(after)
    desk.write("and more")
    assert len(texts(desk)) == 22


# What an adversary with the database left behind: nothing is signed on top of it.

SPAN = 'SELECT max("index") + 1 FROM entries'


def forge(desk: Desk, *, with_note: bool) -> None:
    """Append an entry as the writer would, with everything but its key."""
    with desk.attack() as database:
        (size,) = database.execute(SPAN).fetchone()
        leaf = make_entry(size, desk.draft("forged")).leaf
        database.execute("INSERT INTO entries VALUES ('provisioner/demo', ?, ?)", (size, leaf))
        database.execute("INSERT INTO nodes VALUES ('provisioner/demo', 0, ?, ?)", (size, merkle.leaf_hash(leaf)))
        if with_note:
            (note,) = database.execute("SELECT note FROM pending").fetchone()
            leaves = database.execute('SELECT leaf FROM entries ORDER BY "index"').fetchall()
            frontier, _ = merkle.extend(merkle.Frontier(), [merkle.leaf_hash(row[0]) for row in leaves])
            signer = parse_checkpoint(note)
            text = f"{signer.origin}\n{frontier.size}\n{base64.b64encode(frontier.root).decode()}\n"
            database.execute("UPDATE pending SET note = ?", (text + "\n" + note.partition("\n\n")[2],))


@pytest.mark.parametrize("with_note", [False, True])
@pytest.mark.parametrize("unsigned", [0, 2])
def test_an_entry_that_this_key_did_not_write_is_never_signed(desk: Desk, with_note: bool, unsigned: int) -> None:
    desk.write("one")
    if unsigned:
        desk.write(*["own"] * unsigned, sign=False)
    forge(desk, with_note=with_note)
    before = sorted((desk.state / "checkpoints/demo").iterdir())
    for act in ("append", "sign"):
        with desk.open() as book, pytest.raises(LedgerError, match="not written with this log's key") as caught:
            book.append([desk.draft("two")]) if act == "append" else book.sign(desk.at)
        assert caught.value.exit_code == 7
    assert sorted((desk.state / "checkpoints/demo").iterdir()) == before


def test_the_control_without_a_forged_entry_is_signed(desk: Desk) -> None:
    desk.write("one")
    desk.write("own", "own", sign=False)
    desk.write("two")


def test_entries_forged_into_a_log_that_was_never_signed_are_refused(desk: Desk) -> None:
    desk.write("one", sign=False)
    forge(desk, with_note=False)
    with desk.open() as book, pytest.raises(LedgerError, match="entries 2 to 2 were not written"):
        book.sign(desk.at)


def test_a_log_rolled_back_below_its_checkpoint_is_not_continued(
    desk: Desk, make_desk: Callable[[Path], Desk], tmp_path: Path
) -> None:
    desk.write("one")
    old = make_desk(tmp_path / "old")
    old.become(desk)
    desk.write("two")
    desk.take_database(old)
    with desk.open() as book, pytest.raises(LedgerError, match="holds 2 entries, but 3 were signed"):
        book.append([desk.draft("fork")])


def test_own_unsigned_entries_that_vanished_are_missed(desk: Desk) -> None:
    desk.write("one")
    desk.write("two", "three", sign=False)
    with desk.attack() as database:
        database.execute('DELETE FROM entries WHERE "index" = 3')
    with desk.open() as book, pytest.raises(LedgerError, match="holds 3 entries, but 4 were written"):
        book.sign(desk.at)


@pytest.mark.parametrize(
    "statement", ['DELETE FROM entries WHERE "index" = 2', "UPDATE entries SET leaf = x'00' WHERE \"index\" = 2"]
)
def test_own_unsigned_entries_that_changed_are_not_signed(desk: Desk, statement: str) -> None:
    desk.write("one")
    desk.write("two", "three", sign=False)
    with desk.attack() as database:
        database.execute(statement)
    with desk.open() as book, pytest.raises(LedgerError, match="not signing"):
        book.sign(desk.at)


def test_changed_entries_and_a_cache_to_match_are_not_signed(desk: Desk) -> None:
    desk.write("one")
    with desk.attack() as database:
        leaf = make_entry(1, desk.draft("ONE")).leaf
        database.execute('UPDATE entries SET leaf = ? WHERE "index" = 1', (leaf,))
        database.execute("DELETE FROM nodes")
    with desk.open() as book, pytest.raises(LedgerError, match="not those that were signed"):
        book.append([desk.draft("two")])


def test_a_checkpoint_of_another_key_is_no_ground_to_build_on(desk: Desk) -> None:
    desk.write("one")
    desk.write("uno", client="acme")
    for name in ("acme", "demo"):
        shutil.copy(desk.state / "checkpoints/acme/latest", desk.state / f"checkpoints/{name}/copy")
    (desk.state / "checkpoints/demo/copy").replace(desk.state / "checkpoints/demo/latest")
    with desk.open() as book, pytest.raises(LedgerError, match="was not signed by the key of provisioner/demo"):
        book.append([desk.draft("two")])
    forged = sign_checkpoint(2, bytes(32), signer=Signer.generate("provisioner/demo"))
    published.publish(desk.state / "checkpoints/demo", forged, at=desk.at)
    with desk.open() as book, pytest.raises(LedgerError, match="was not signed by the key of provisioner/demo"):
        book.append([desk.draft("two")])
