"""The adversaries of docs/explanation/ledger.md: (a) has the database, (b) the state folder but no key, (c) the key."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import LedgerError
from provisioner.ledger import keys, published
from provisioner.ledger.checkpoint import Signer, sign_checkpoint
from provisioner.ledger.entry import make_entry
from provisioner.ledger.verify import Anchor, Evidence, Report, Status, verify

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Adversary, Desk

    Database = sqlite3.Connection | Adversary

LOG = "provisioner/demo"


def report(desk: Desk, *, kept: Path | None = None, fingerprint: str = "") -> Report:
    with desk.open(read_only=True) as book:
        checkpoints, damaged = published.read_all(book.checkpoint_folder)
        anchors = (Anchor(checkpoint=published.read_checkpoint(kept), name=f"checkpoint {kept.name}"),) if kept else ()
        return verify(
            book,
            Evidence(
                origin=book.origin,
                checkpoints=checkpoints,
                key=keys.load_verifier(book.key_folder),
                anchors=anchors,
                fingerprint=fingerprint,
                damaged=tuple(file.why for file in damaged),
            ),
        )


def leaf(database: Database, index: int) -> bytes:
    return bytes(database.execute('SELECT leaf FROM entries WHERE "index" = ? AND log = ?', (index, LOG)).fetchone()[0])


def put(database: Database, index: int, value: bytes) -> None:
    database.execute('UPDATE entries SET leaf = ? WHERE "index" = ? AND log = ?', (value, index, LOG))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, make_desk: Callable[[Path], Desk]) -> Desk:
    """Key and twelve entries, three to a checkpoint: a log of 13; and another client's log of 9 beside it."""
    desk = make_desk(tmp_path_factory.mktemp("template") / "state")
    for first in range(0, 12, 3):
        desk.write(*(f"caf\u00e9 {number}" for number in range(first, first + 3)))
    desk.write(*"abcdefgh", client="acme")
    return desk


@pytest.fixture
def signed(desk: Desk, template: Desk) -> Desk:
    desk.become(template)
    return desk


def test_a_clean_log_is_ok_and_says_what_it_was_compared_with(signed: Desk) -> None:
    found = report(signed)
    assert (found.status, found.size, found.first_bad, found.findings, found.exit_code) == (Status.OK, 13, None, (), 0)
    assert found.compared_with == "self-consistent; nothing outside was compared"
    kept = signed.state / "checkpoints/demo/latest"
    fingerprint = Signer.generate("x").verifier.fingerprint
    with signed.open(read_only=True) as book:
        fingerprint = str(next(book.entries()).body["fingerprint"])
    found = report(signed, kept=kept, fingerprint=fingerprint)
    assert found.compared_with == f"checkpoint latest of 13 entries; key fingerprint {fingerprint}"
    assert found.status is Status.OK


def test_an_empty_log_is_never_ok(desk: Desk) -> None:
    desk.open().close()
    assert (report(desk).status, report(desk).exit_code) == (Status.EMPTY, 7)
    desk.lose_database()
    with pytest.raises(LedgerError, match=r"there is no ledger|schema revision none"):
        report(desk)


def test_entries_above_the_last_checkpoint_are_unanchored(signed: Desk) -> None:
    signed.write("more", "and more", sign=False)
    found = report(signed)
    assert (found.status, found.exit_code, found.first_bad) == (Status.UNANCHORED, 0, None)
    assert found.findings == ("no checkpoint covers entries 13 to 14",)


def test_a_log_without_checkpoints_is_unanchored(signed: Desk) -> None:
    shutil.rmtree(signed.state / "checkpoints")
    assert report(signed).findings == ("no checkpoint covers entries 0 to 12",)


# Adversary (a), the database only. Each kind of tampering below the last checkpoint, and the first bad entry.


def edit(database: Database, _: Desk) -> None:
    put(database, 5, leaf(database, 5).replace("caf\u00e9".encode(), "tea\u00e9".encode()))


def unicode_edit(database: Database, _: Desk) -> None:
    put(database, 5, leaf(database, 5).replace("\u00e9".encode(), "e\u0301".encode()))


def backdate(database: Database, _: Desk) -> None:
    put(database, 5, leaf(database, 5).replace(b"2026-11-23", b"2026-11-22"))


def reformat(database: Database, _: Desk) -> None:
    put(database, 5, leaf(database, 5).replace(b'{"at":', b'{"at": '))


def not_bytes_of_an_entry(database: Database, _: Desk) -> None:
    put(database, 5, b"\xff")


def delete(database: Database, _: Desk) -> None:
    database.execute('DELETE FROM entries WHERE "index" = 5')


def close_the_gap(database: Database, desk: Desk) -> None:
    delete(database, desk)
    database.execute('UPDATE entries SET "index" = "index" - 1 WHERE "index" > 5')


def truncate(database: Database, _: Desk) -> None:
    database.execute('DELETE FROM entries WHERE "index" >= 5')


def truncate_everything(database: Database, _: Desk) -> None:
    for table in ("entries", "nodes", "pending"):
        database.execute(f"DELETE FROM {table}")


def swap(database: Database, _: Desk) -> None:
    five, eight = leaf(database, 5), leaf(database, 8)
    put(database, 5, eight)
    put(database, 8, five)


def duplicate(database: Database, _: Desk) -> None:
    put(database, 5, leaf(database, 4))


def insert(database: Database, desk: Desk) -> None:
    for index in range(12, 4, -1):
        database.execute('UPDATE entries SET "index" = ? WHERE "index" = ?', (index + 1, index))
    database.execute("INSERT INTO entries VALUES (?, 5, ?)", (LOG, make_entry(5, desk.draft("x")).leaf))


def insert_before_the_first(database: Database, desk: Desk) -> None:
    database.execute("INSERT INTO entries VALUES (?, -1, ?)", (LOG, make_entry(0, desk.draft("x")).leaf))


def splice(database: Database, desk: Desk) -> None:
    """The same index of another client's log."""
    query = "SELECT leaf FROM entries WHERE \"index\" = 5 AND log = 'provisioner/acme'"
    put(database, 5, database.execute(query).fetchone()[0])


def rewrite_with_nodes(database: Database, desk: Desk) -> None:
    """Edit, and make the cache agree: then only the range between two checkpoints can be named."""
    edit(database, desk)
    database.execute("DELETE FROM nodes")


def shorten_with_nodes(database: Database, desk: Desk) -> None:
    """An edit of entry 5 does not hide behind a log that ends with 6 entries."""
    rewrite_with_nodes(database, desk)
    database.execute('DELETE FROM entries WHERE "index" >= 6 AND log = ?', (LOG,))


def fork(database: Database, desk: Desk) -> None:
    """Everything from entry 5 on is another history, in the right places."""
    for index in range(5, 13):
        put(database, index, make_entry(index, desk.draft(f"fork {index}")).leaf)


def resign(database: Database, desk: Desk) -> None:
    """Another key in entry 0, whose owner signed the rest."""
    verifier = Signer.generate(LOG).verifier
    put(database, 0, leaf(database, 0).replace(b"key", b"KEY", 0).replace(_vkey(desk), verifier.render().encode()))


def _vkey(desk: Desk) -> bytes:
    return (desk.state / "keys/demo/verifier.key").read_bytes().strip()


TAMPERING: list[tuple[Callable[[Database, Desk], None], int]] = [
    (edit, 5),
    (unicode_edit, 5),
    (backdate, 5),
    (reformat, 5),
    (not_bytes_of_an_entry, 5),
    (delete, 5),
    (close_the_gap, 5),
    (truncate, 5),
    (truncate_everything, 0),
    (swap, 5),
    (duplicate, 5),
    (insert, 5),
    (insert_before_the_first, 0),
    (splice, 5),
    (fork, 5),
    (resign, 0),
    (rewrite_with_nodes, 4),
    (shorten_with_nodes, 4),
]


@pytest.mark.parametrize(("tamper", "first_bad"), TAMPERING, ids=lambda value: getattr(value, "__name__", None))
def test_tampering_below_the_last_checkpoint_is_named(
    signed: Desk, tamper: Callable[[Database, Desk], None], first_bad: int
) -> None:
    with signed.attack() as database:
        tamper(database, signed)
    found = report(signed)
    assert (found.status, found.exit_code, found.first_bad) == (Status.TAMPERED, 7, first_bad), found.findings
    assert found.findings


@pytest.mark.sqlite("a column of a server keeps its type")
def test_an_index_that_is_no_number_is_tampered(signed: Desk) -> None:
    with signed.attack() as database:
        database.execute("CREATE TABLE other AS SELECT * FROM entries")
        database.execute("DROP TABLE entries")
        database.execute("ALTER TABLE other RENAME TO entries")
        database.execute('UPDATE entries SET "index" = \'five\' WHERE "index" = 5')
    assert (report(signed).status, report(signed).first_bad) == (Status.TAMPERED, 5)


def test_a_rolled_back_database_is_tampered_from_where_it_ends(signed: Desk, template: Desk) -> None:
    signed.write("later")
    signed.take_database(template)
    found = report(signed)
    assert (found.status, found.first_bad) == (Status.TAMPERED, 13)


@pytest.mark.sqlite("a server keeps its write-ahead log to itself")
def test_a_dropped_write_ahead_log_is_tampered(signed: Desk) -> None:
    with signed.open() as book:
        book.append([signed.draft("later")])
        book.sign(signed.at)
        copy = signed.state / "copy.db"
        shutil.copy(signed.database, copy)
    copy.replace(signed.database)
    found = report(signed)
    assert (found.status, found.first_bad) == (Status.TAMPERED, 13)


def test_entries_appended_by_others_are_unanchored_and_garbage_is_tampered(signed: Desk) -> None:
    with signed.attack() as database:
        database.execute("INSERT INTO entries VALUES (?, 13, ?)", (LOG, make_entry(13, signed.draft("x")).leaf))
    assert report(signed).findings == ("no checkpoint covers entries 13 to 13",)
    with signed.attack() as database:
        database.execute("INSERT INTO entries VALUES (?, 15, x'00')", (LOG,))
    assert (report(signed).status, report(signed).first_bad) == (Status.TAMPERED, 14)


@pytest.mark.parametrize(("index", "inside", "first_bad"), [(14, 14, 13), (13, 5, 13), (13, 14, 13), (14, 13, 13)])
def test_rows_above_the_checkpoint_must_be_a_log_too(signed: Desk, index: int, inside: int, first_bad: int) -> None:
    with signed.attack() as database:
        entry = make_entry(inside, signed.draft("x"))
        database.execute("INSERT INTO entries VALUES (?, ?, ?)", (LOG, index, entry.leaf))
    assert (report(signed).status, report(signed).first_bad) == (Status.TAMPERED, first_bad)


@pytest.mark.sqlite("a server keeps its files to itself")
def test_a_damaged_file_is_never_ok(signed: Desk) -> None:
    with signed.attack() as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(signed.database.read_bytes())
    place = data.index("caf\u00e9 3".encode())
    data[place : place + 3] = b"tea"
    signed.database.write_bytes(data)
    assert (report(signed).status, report(signed).first_bad) == (Status.TAMPERED, 4)
    signed.database.write_bytes(data[: len(data) // 2])
    try:
        assert report(signed).status is Status.TAMPERED
    except LedgerError as error:
        assert error.exit_code == 7


def test_details_are_checked_against_their_references_but_people_are_not(signed: Desk) -> None:
    with signed.open() as book:
        book.pseudonym("Ada"), book.keep("+33 1", field="phone"), book.keep_contract(b"the contract")
    assert report(signed).status is Status.OK
    for field in ("operator", "phone", "contract"):
        with signed.attack() as database:
            database.execute("UPDATE details SET value = CAST('forged' AS BLOB) WHERE field = ?", (field,))
        assert (report(signed).status is Status.OK) == (field == "operator")
    assert report(signed).first_bad is None
    with signed.attack() as database:
        database.execute("DELETE FROM details")
    assert report(signed).status is Status.OK


@pytest.mark.parametrize(
    "change",
    [
        "field = 'operator', value = CAST('forged' AS BLOB)",
        "salt = substr(salt, 1, 12), value = CAST(substr(salt, 13) || value AS BLOB)",
        "salt = CAST(salt || substr(value, 1, 2) AS BLOB), value = substr(value, 3)",
    ],
)
def test_a_personal_value_cannot_pass_for_a_name_nor_take_bytes_from_its_salt(signed: Desk, change: str) -> None:
    with signed.open() as book:
        reference = book.keep("+33 1", field="phone")
    with signed.attack() as database:
        assert database.execute(f"UPDATE details SET {change} WHERE reference = ?", (reference,)).rowcount == 1
    assert report(signed).status is Status.TAMPERED


# Adversary (b), the state folder without the key, or an older copy of it.


def test_an_older_copy_of_everything_is_seen_only_with_a_kept_checkpoint(
    signed: Desk, template: Desk, tmp_path: Path
) -> None:
    signed.write("later")
    kept = tmp_path / "kept"
    shutil.copy(signed.state / "checkpoints/demo/latest", kept)
    signed.become(template)
    assert report(signed).status is Status.OK  # not detected: nothing outside was compared
    found = report(signed, kept=kept)
    assert (found.status, found.first_bad) == (Status.TAMPERED, 0)  # nothing that is left can be compared with it
    assert found.findings == ("entries 0 to 13 are not those that were signed; the log ends with 13 entries",)


def test_a_log_made_anew_is_seen_only_with_a_kept_checkpoint_or_fingerprint(signed: Desk, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    shutil.copy(signed.state / "checkpoints/demo/0000000004-20261123T140000Z.checkpoint", kept)
    with signed.open(read_only=True) as book:
        fingerprint = str(next(book.entries()).body["fingerprint"])
    shutil.rmtree(signed.state)
    signed.lose_database()
    signed.write(*"abcdefghijkl")
    assert report(signed).status is Status.OK  # not detected: nothing outside was compared
    assert (report(signed, kept=kept).status, report(signed, kept=kept).first_bad) == (Status.TAMPERED, 0)
    found = report(signed, fingerprint=fingerprint)
    assert (found.status, found.first_bad) == (Status.TAMPERED, 0)


def test_foreign_and_unreadable_checkpoints_are_tampering(signed: Desk) -> None:
    folder = signed.state / "checkpoints/demo"
    with signed.open(read_only=True) as book:
        root = published.read_all(book.checkpoint_folder)[0][-1].root
    other = Signer.generate(LOG)
    published.publish(folder, sign_checkpoint(13, root, signer=other), at=signed.at)
    assert report(signed).findings == ("the checkpoint of 13 entries was not signed by the key of provisioner/demo",)
    (folder / "latest").write_text("torn")
    assert report(signed).status is Status.TAMPERED


# Adversary (c), who holds the key.


def test_a_rewrite_with_the_key_is_seen_only_with_a_kept_checkpoint(signed: Desk, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    shutil.copy(signed.state / "checkpoints/demo/latest", kept)
    signed.lose_database()
    shutil.rmtree(signed.state / "checkpoints")
    signed.write(*(f"rewritten {number}" for number in range(12)))
    assert report(signed).status is Status.OK  # not detected: nothing outside was compared
    found = report(signed, kept=kept)
    assert (found.status, found.first_bad) == (Status.TAMPERED, 0)


def test_a_checkpoint_left_to_be_contradicted_does_not_lead_away_from_the_rewrite(signed: Desk, tmp_path: Path) -> None:
    genuine = (signed.state / "checkpoints/demo/latest").read_text()
    kept = tmp_path / "kept"
    kept.write_text(genuine)
    signed.lose_database()
    shutil.rmtree(signed.state / "checkpoints")
    for first in range(0, 12, 3):
        signed.write(*(f"rewritten {number}" for number in range(first, first + 3)))
    (signed.state / "checkpoints/demo/0000000013-20261101T000000Z.checkpoint").write_text(genuine)
    assert (report(signed).status, report(signed).first_bad) == (Status.TAMPERED, 10)
    assert report(signed, kept=kept).first_bad == 0  # nothing published vouches for what the kept one contradicts
