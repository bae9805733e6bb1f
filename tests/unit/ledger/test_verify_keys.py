"""A log that changed its key, under verification: what holds, what does not, and what is only said."""

from __future__ import annotations

import random
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.errors import LedgerError
from provisioner.ledger import keys, published
from provisioner.ledger.checkpoint import Signer, sign_checkpoint
from provisioner.ledger.entry import Draft, make_entry
from provisioner.ledger.history import COMPROMISE, ROTATION, rotation_body
from provisioner.ledger.store import Transaction
from provisioner.ledger.verify import Evidence, Report, Status, verify
from provisioner.ledger.walk import walk_through

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Desk
    from provisioner.ledger.book import Book

LOG = "provisioner/demo"
AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def report(desk: Desk, *, fingerprint: str = "", checkpoints: bool = True) -> Report:
    with desk.open(read_only=True) as book:
        found = published.read_all(book.checkpoint_folder)[0] if checkpoints else ()
        key = keys.load_verifier(book.key_folder)
        return verify(book, Evidence(origin=LOG, checkpoints=found, key=key, fingerprint=fingerprint))


def signer(desk: Desk) -> Signer:
    return keys.load_signer(desk.state / "keys/demo", LOG)


def rotate(desk: Desk, reason: str = ROTATION) -> None:
    with desk.open() as book:
        book.rotate(desk.at, "op-1", reason=reason)


@pytest.fixture
def changed(desk: Desk) -> tuple[Desk, list[Signer]]:
    """A log of 7 with three keys: entry 2 retires the first, entry 4 revokes the second."""
    desk.write("one")
    found = [signer(desk)]
    for reason in (ROTATION, COMPROMISE):
        rotate(desk, reason)
        found.append(signer(desk))
        desk.write("more")
    desk.write("last")
    return desk, found


Changed = tuple["Desk", list[Signer]]


def test_a_log_that_changed_its_key_is_ok(changed: Changed) -> None:
    found = report(changed[0])
    assert (found.status, found.size, found.findings, found.warnings) == (Status.OK, 7, (), ())


def test_any_key_of_the_chain_may_be_compared_with_and_a_revoked_one_warns(changed: Changed) -> None:
    desk, signers = changed
    for number, one in enumerate(signers):
        found = report(desk, fingerprint=one.verifier.fingerprint)
        assert found.status is Status.OK
        assert bool(found.warnings) == (number == 1)
    found = report(desk, fingerprint=signers[1].verifier.fingerprint)
    assert "entry 4 revoked" in found.warnings[0] and signers[2].verifier.fingerprint in found.warnings[0]
    found = report(desk, fingerprint=Signer.generate(LOG).verifier.fingerprint)
    assert (found.status, found.first_bad) == (Status.TAMPERED, 0)


@pytest.mark.parametrize(("number", "state"), [(0, "retired by entry 2"), (1, "revoked by entry 4")])
def test_a_retired_or_revoked_key_that_signs_a_larger_tree_is_named(changed: Changed, number: int, state: str) -> None:
    desk, signers = changed
    newest = published.latest(desk.state / "checkpoints/demo")
    assert newest is not None
    forged = sign_checkpoint(newest.size, newest.root, signer=signers[number])
    published.publish(desk.state / "checkpoints/demo", forged, at=desk.at)
    found = report(desk)
    identity = signers[number].verifier.id.hex()
    assert found.findings == (f"the checkpoint of 7 entries was signed by the key {identity}, {state}",)
    assert (found.status, found.first_bad) == (Status.TAMPERED, None)


@pytest.mark.parametrize("number", [0, 1])
def test_an_older_public_half_in_the_state_folder_is_a_finding(changed: Changed, number: int) -> None:
    desk, signers = changed
    (desk.state / "keys/demo/verifier.key").write_text(signers[number].verifier.render() + "\n")
    found = report(desk)
    assert found.status is Status.TAMPERED and "it is an older copy" in found.findings[0]
    (desk.state / "keys/demo/verifier.key").write_text(Signer.generate(LOG).verifier.render() + "\n")
    assert report(desk).findings == ("the key in entry 4 is not the one in the state folder",)
    (desk.state / "keys/demo/verifier.key").unlink()
    assert report(desk).status is Status.OK


def test_a_change_that_waits_to_be_finished_is_said_and_is_no_tampering(desk: Desk) -> None:
    desk.write("one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "adopt", _fail)
        with pytest.raises(LedgerError, match="cut"):
            rotate(desk)
    found = report(desk)
    assert (found.status, found.size, found.findings) == (Status.OK, 3, ())
    assert found.warnings[0].startswith("the state folder still has the key before entry 2")
    desk.write("more")
    assert (report(desk).status, report(desk).warnings) == (Status.OK, ())


def _fail(*_: object) -> None:
    raise LedgerError("cut")


def test_a_key_entry_that_somebody_else_appended_is_tampering_at_its_index(changed: Changed) -> None:
    desk, signers = changed
    thief = Signer.generate(LOG)
    for old in (thief, signers[0], signers[1]):
        leaf = make_entry(7, Draft("key", desk.at, "op-1", rotation_body(7, old, thief.verifier, reason=ROTATION))).leaf
        with desk.attack() as database:
            database.execute('DELETE FROM entries WHERE "index" = 7')
            database.execute("INSERT INTO entries VALUES (?, 7, ?)", (LOG, leaf))
        found = report(desk)
        assert (found.status, found.first_bad) == (Status.TAMPERED, 7)
        assert found.findings[0].startswith("entry 7")


@pytest.mark.parametrize("place", [2, 4])
@pytest.mark.parametrize("checkpoints", [True, False])
def test_any_tampering_with_a_key_entry_is_named(changed: Changed, place: int, checkpoints: bool) -> None:
    """Also without a checkpoint: the chain alone tells, but for what the note does not say (reason, instant, salt)."""
    desk, _ = changed
    chance = random.Random(place)
    with desk.open(read_only=True) as book:
        sound = book.entry(place)
    assert sound is not None
    for name in ("key", "fingerprint", "previous", "note"):
        text = str(sound.body[name])
        at = chance.randrange(len(text))
        other = chance.choice([one for one in "abcdef0123" if one != text[at]])
        body = {**sound.body, name: text[:at] + other + text[at + 1 :]}
        _put(desk, place, make_entry(place, Draft("key", sound.at, sound.operator, body)).leaf)
        found = report(desk, checkpoints=checkpoints)
        assert (found.status, found.first_bad) == (Status.TAMPERED, place), (name, found.findings)
    _put(desk, place, sound.leaf)
    assert report(desk).status is Status.OK


def _put(desk: Desk, place: int, leaf: bytes) -> None:
    with desk.attack() as database:
        database.execute('UPDATE entries SET leaf = ? WHERE "index" = ? AND log = ?', (leaf, place, LOG))


def test_a_log_rolled_back_behind_a_change_of_key_blames_the_entries_that_lack(changed: Changed) -> None:
    desk, _ = changed
    with desk.attack() as database:
        database.execute('DELETE FROM entries WHERE "index" >= 4')
    found = report(desk)
    assert (found.status, found.first_bad) == (Status.TAMPERED, 4)
    assert not any("not signed by" in sentence for sentence in found.findings)


def test_a_walk_keeps_what_was_asked_for_and_no_more() -> None:
    first = Signer.generate(LOG).verifier
    rows = [make_entry(0, Draft("key", AT, "op-1", {"key": first.render(), "fingerprint": first.fingerprint}))]
    rows += [make_entry(index, Draft("note", AT, "op-1", {})) for index in range(1, 2500)]
    walk = walk_through(((row.index, row.leaf) for row in rows), origin=LOG, sizes={7, 2000, 9999})
    assert (walk.frontier.size, sorted(walk.anchors), walk.broken) == (2500, [0, 7, 2000], "")
    assert walk.anchors[2000].size == 2000 and walk.keys is not None and walk.keys.newest.key == first


# Whatever is appended, signed, changed and cut short, by two books that stay open or are opened anew: it verifies.

DEEDS = st.lists(st.sampled_from(["append", "sign", "rotate", "revoke", "reopen", "cut"]), min_size=1, max_size=8)


class Cut(BaseException):
    """The process is gone."""


@pytest.mark.sqlite("a database for each of many examples; what differs is in the tests above")
@settings(deadline=None, max_examples=12)
@given(DEEDS, st.randoms(use_true_random=False))
def test_any_history_of_writers_and_keys_verifies(
    make_desk: Callable[[Path], Desk], deeds: list[str], chance: random.Random
) -> None:
    state = Path(tempfile.mkdtemp())
    desk = make_desk(state / "state")
    desk.write("first")
    books = [desk.open(), desk.open()]
    try:
        for deed in deeds:
            number = chance.randrange(2)
            books[number] = _do(desk, books[number], deed, chance)
            assert report(desk).exit_code == 0
    finally:
        for book in books:
            book.close()
    desk.write("last")
    found = report(desk, fingerprint=signer(desk).verifier.fingerprint)
    assert (found.status, found.findings, found.warnings) == (Status.OK, (), ())
    shutil.rmtree(state)


def _do(desk: Desk, book: Book, deed: str, chance: random.Random) -> Book:
    if deed == "append":
        book.append([desk.draft("x")] * chance.randrange(1, 4))
    elif deed == "sign":
        book.sign(desk.at)
    elif deed == "cut":
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Cut):
            where, name = chance.choice([(Transaction, "add"), (published, "publish"), (keys, "adopt")])
            patch.setattr(where, name, _cut)
            book.rotate(desk.at, "op-1", reason=ROTATION)
    elif deed == "reopen":
        book.close()
        return desk.open()
    else:
        book.rotate(desk.at, "op-1", reason=COMPROMISE if deed == "revoke" else ROTATION)
    return book


def _cut(*_: object, **__: object) -> None:
    raise Cut
