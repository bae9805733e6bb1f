from __future__ import annotations

import shutil
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import LedgerError
from provisioner.ledger import keys, published
from provisioner.ledger.checkpoint import Signer, VerifierKey, parse_note, verify_checkpoint, verify_note
from provisioner.ledger.entry import Draft, make_entry
from provisioner.ledger.folders import sync_folder
from provisioner.ledger.history import COMPROMISE, ROTATION, rotation_body
from provisioner.ledger.store import Store, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from conftest import Desk
    from provisioner.ledger.book import Book


def rotate(desk: Desk, reason: str = ROTATION) -> None:
    with desk.open() as book:
        book.rotate(desk.at, "op-1", reason=reason)


def folder(desk: Desk) -> Path:
    return desk.state / "keys/demo"


def ids(desk: Desk) -> list[str]:
    with desk.open(read_only=True) as book:
        return [tenure.key.id.hex() for tenure in book.key_history().tenures]


def goes_on(desk: Desk) -> list[int]:
    """Append, sign, and return the index of each `key` entry; the log must verify from its entries alone."""
    desk.write("later")
    with desk.open(read_only=True) as book:
        history = book.key_history()
        checkpoints, damaged = published.read_all(book.checkpoint_folder)
        assert not damaged and not any(history.misfit(checkpoint) for checkpoint in checkpoints)
        assert keys.load_verifier(book.key_folder) == history.newest.key
        assert keys.load_signer(book.key_folder, book.origin).verifier == history.newest.key
    assert sorted(path.name for path in folder(desk).iterdir()) == ["signing.key", "verifier.key"]
    return [tenure.index for tenure in history.tenures]


def test_a_new_key_is_in_force_and_the_old_private_half_is_gone(desk: Desk) -> None:
    desk.write("one")
    old = keys.load_signer(folder(desk), "provisioner/demo")
    with desk.open() as book:
        entry = book.rotate(desk.at, "op-1", reason=ROTATION)
        history = book.key_history()
        checkpoint = published.latest(book.checkpoint_folder)
    new = keys.load_signer(folder(desk), "provisioner/demo")
    assert (entry.index, entry.kind, entry.operator, entry.body["reason"]) == (2, "key", "op-1", "rotation")
    assert [tenure.key for tenure in history.tenures] == [old.verifier, new.verifier]
    assert keys.load_verifier(folder(desk)) == new.verifier
    assert checkpoint is not None and checkpoint.size == 3
    assert verify_checkpoint(checkpoint, old.verifier) and verify_checkpoint(checkpoint, new.verifier)
    assert stat.S_IMODE((folder(desk) / "signing.key").stat().st_mode) == 0o600
    seed = old.render().encode()
    assert not any(seed in path.read_bytes() for path in desk.state.rglob("*") if path.is_file())
    assert goes_on(desk) == [0, 2]


def test_the_entry_is_vouched_for_by_both_keys_until_the_checkpoint_is_out(desk: Desk) -> None:
    desk.write("one")
    old = keys.load_signer(folder(desk), "provisioner/demo").verifier
    rotate(desk)
    new = keys.load_signer(folder(desk), "provisioner/demo").verifier
    with desk.attack() as database:
        (note,) = database.execute("SELECT note FROM pending").fetchone() or ("",)
    for key in (old, new):
        assert verify_note(parse_note(note), VerifierKey("provisioner/demo/pending", key.public))


def test_the_next_checkpoint_is_the_new_keys_alone(desk: Desk) -> None:
    desk.write("one")
    old = keys.load_signer(folder(desk), "provisioner/demo").verifier
    rotate(desk)
    desk.write("two")
    newest = published.latest(desk.state / "checkpoints/demo")
    assert newest is not None and newest.size == 4 and not verify_checkpoint(newest, old)


def test_keys_can_follow_one_another_at_once_and_over_unsigned_entries(desk: Desk) -> None:
    desk.write("one")
    rotate(desk)
    rotate(desk, COMPROMISE)
    desk.write("two", sign=False)
    rotate(desk)
    assert goes_on(desk) == [0, 2, 3, 5]
    with desk.open(read_only=True) as book:
        states = [tenure.state for tenure in book.key_history().tenures]
    assert states == ["retired", "revoked", "retired", "in force"]


def test_a_reason_that_no_reader_knows_changes_nothing(desk: Desk) -> None:
    desk.write("a")
    before = ids(desk)
    with pytest.raises(LedgerError, match="no reason to change a key"):
        rotate(desk, "whim")
    desk.write("b")
    assert ids(desk) == before and not (folder(desk) / keys.NEXT_KEY).exists()


def test_a_log_without_entries_has_no_key_to_change(desk: Desk) -> None:
    with desk.open() as book, pytest.raises(LedgerError, match="is empty"):
        book.rotate(desk.at, "op-1", reason=ROTATION)
    assert not folder(desk).exists()


def test_a_book_that_was_open_all_along_goes_on_with_the_new_key(desk: Desk) -> None:
    with desk.open() as book:
        book.append([desk.draft("one")])
        rotate(desk)
        book.append([desk.draft("two")])
        rotate(desk)
        assert book.sign(desk.at).size == 5
        book.rotate(desk.at, "op-1", reason=ROTATION)
    assert goes_on(desk) == [0, 2, 4, 5]


# A crash at each durable write of a change of key: the next command finishes it or discards it.


class Killed(BaseException):
    """The process is gone."""


def steps(monkeypatch: pytest.MonkeyPatch, at: int) -> list[str]:
    """Be killed at the tick number `at`: there is one before and one after each durable write. Returns the ticks."""
    ticks: list[str] = []

    def tick(name: str) -> None:
        ticks.append(name)
        if len(ticks) == at:
            raise Killed

    def killing(name: str, write: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object, **named: object) -> object:
            tick(f"before {name}")
            done = write(*arguments, **named)
            tick(f"after {name}")
            return done

        return step

    write = killing("write", keys.write_durably)
    for module in (keys, published):
        monkeypatch.setattr(module, "write_durably", write)
    monkeypatch.setattr(keys, "sync_folder", killing("sync", sync_folder))
    monkeypatch.setattr(Transaction, "add", killing("add", Transaction.add))
    monkeypatch.setattr(Store, "writing", committed(lambda: tick("after commit")))
    return ticks


def committed(step: Callable[[], None]) -> Callable[[Store], AbstractContextManager[Transaction]]:
    writing = Store.writing

    @contextmanager
    def wrapped(store: Store) -> Iterator[Transaction]:
        with writing(store) as tables:
            yield tables
        step()

    return wrapped


def cut_short(desk: Desk, at: int) -> tuple[list[str], bool]:
    """Change the key and be killed at step `at`; return the steps done, and whether it came that far."""
    with pytest.MonkeyPatch.context() as patch:
        seen = steps(patch, at)
        try:
            rotate(desk)
        except Killed:
            return seen, True
    return seen, False


@pytest.mark.sqlite("the steps are those of files; what a server adds is one commit, as in all other tests")
@pytest.mark.parametrize("unsigned", [False, True])
def test_a_change_of_key_cut_short_at_any_step_is_finished_or_never_was(
    tmp_path: Path, make_desk: Callable[[Path], Desk], unsigned: bool
) -> None:
    outcomes = []
    for at in range(1, 100):
        desk = make_desk(tmp_path / str(at))
        desk.write("one")
        desk.write("two", sign=not unsigned)
        seen, killed = cut_short(desk, at)
        outcomes.append(goes_on(desk))
        if not killed:
            break
    assert outcomes[0] == [0] and outcomes[-1] == [0, 3], "discarded at first, finished at last"
    assert outcomes == sorted(outcomes), "once recorded, it is finished"
    assert len(outcomes) == len(seen) + 1 > 15


@pytest.mark.sqlite("what is kept between the steps is files; the database is asked the same in the test above")
def test_a_change_of_key_cut_short_twice_is_finished(tmp_path: Path, make_desk: Callable[[Path], Desk]) -> None:
    for first in range(7, 30, 4):
        for second in range(1, 15, 4):
            desk = make_desk(tmp_path / f"{first}-{second}")
            desk.write("one")
            cut_short(desk, first)
            with pytest.MonkeyPatch.context() as patch:
                steps(patch, second)
                with suppress(Killed):
                    desk.write("two")
            assert goes_on(desk) in ([0], [0, 2])
            rotate(desk)
            goes_on(desk)


def test_another_writer_between_the_two_halves_finishes_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk.open() as other:
        other.append([desk.draft("one")])
        writing, turns = Store.writing, []

        def between(store: Store) -> AbstractContextManager[Transaction]:
            turns.append(store)
            if len(turns) == 2:
                other.append([desk.draft("two")])
            return writing(store)

        monkeypatch.setattr(Store, "writing", between)
        rotate(desk)
        monkeypatch.undo()
        assert len(turns) == 3
        other.append([desk.draft("three")])
    assert goes_on(desk) == [0, 2]


# Files of the key that are not what they should be.


@pytest.mark.parametrize(("reason", "state"), [(ROTATION, "retired"), (COMPROMISE, "revoked")])
@pytest.mark.parametrize("later", [False, True])
def test_an_old_key_from_a_backup_signs_nothing_more(
    desk: Desk, tmp_path: Path, reason: str, state: str, later: bool
) -> None:
    desk.write("one")
    shutil.copytree(folder(desk), tmp_path / "backup")
    rotate(desk, reason)
    if later:
        desk.write("more")
    newest = keys.load_signer(folder(desk), "provisioner/demo").verifier
    shutil.copytree(folder(desk), tmp_path / "newest")
    shutil.copytree(tmp_path / "backup", folder(desk), dirs_exist_ok=True)
    for act in ("append", "sign", "rotate"):
        refused(desk, act, f"{state} by entry 2: it is an older copy", hint=newest.fingerprint)
    shutil.copytree(tmp_path / "newest", folder(desk), dirs_exist_ok=True)
    assert goes_on(desk) == [0, 2]


def refused(desk: Desk, act: str, match: str, *, hint: str) -> None:
    acts: dict[str, Callable[[Book], object]] = {
        "append": lambda book: book.append([desk.draft("no")]),
        "sign": lambda book: book.sign(desk.at),
        "rotate": lambda book: book.rotate(desk.at, "op-1", reason=ROTATION),
    }
    with desk.open() as book, pytest.raises(LedgerError, match=match) as caught:
        acts[act](book)
    assert caught.value.exit_code == 7
    assert str(desk.state / "keys/demo") in str(caught.value) and hint in caught.value.hint


def test_a_key_that_never_was_one_of_the_log_signs_nothing(desk: Desk) -> None:
    desk.write("one")
    newest = keys.load_signer(folder(desk), "provisioner/demo").verifier
    stranger = Signer.generate("provisioner/demo")
    (folder(desk) / "signing.key").write_text(stranger.render() + "\n")
    (folder(desk) / "verifier.key").write_text(stranger.verifier.render() + "\n")
    refused(desk, "append", "was never one of provisioner/demo", hint=newest.fingerprint)
    stranger = Signer.generate("provisioner/acme")
    (folder(desk) / "signing.key").write_text(stranger.render() + "\n")
    refused(desk, "append", "is the key of provisioner/acme, not of provisioner/demo", hint="restore it")


def test_a_missing_or_wrong_public_half_is_named(desk: Desk) -> None:
    desk.write("one")
    line = (folder(desk) / "verifier.key").read_text()
    (folder(desk) / "verifier.key").unlink()
    refused(desk, "append", "verifier.key: the public half of the log's key is missing", hint=line.strip())
    (folder(desk) / "verifier.key").write_text(Signer.generate("provisioner/demo").verifier.render() + "\n")
    refused(desk, "rotate", "the public half of the key .*, not of the key in force", hint=line.strip())
    (folder(desk) / "verifier.key").write_text(line)
    assert goes_on(desk) == [0]


def test_a_staged_key_of_a_log_that_was_rolled_back_is_not_thrown_away(
    desk: Desk, tmp_path: Path, make_desk: Callable[[Path], Desk]
) -> None:
    desk.write("one")
    old = make_desk(tmp_path / "old")
    old.become(desk)
    for at in range(1, 100):
        _, killed = cut_short(desk, at)
        newest = published.latest(desk.state / "checkpoints/demo")
        assert killed and newest is not None
        if newest.size > 2:
            break
    desk.take_database(old)
    with desk.open() as book, pytest.raises(LedgerError, match="holds 2 entries, but 3 were signed"):
        book.append([desk.draft("no")])
    assert (folder(desk) / "next.key").exists()


def test_a_key_entry_that_somebody_else_appended_changes_nothing(desk: Desk) -> None:
    desk.write("one")
    theirs = Signer.generate("provisioner/demo")
    body = rotation_body(2, theirs, theirs.verifier, reason=ROTATION)
    leaf = make_entry(2, Draft("key", desk.at, "op-1", body)).leaf
    with desk.attack() as database:
        database.execute("INSERT INTO entries VALUES ('provisioner/demo', 2, ?)", (leaf,))
    with desk.open() as book, pytest.raises(LedgerError, match="not written with this log's key"):
        book.append([desk.draft("no")])
    keys.stage(folder(desk), theirs)
    with desk.open() as book, pytest.raises(LedgerError):
        book.append([desk.draft("no")])


def put_back(desk: Desk) -> list[Path]:
    """Write, change the key, write; then put the `latest` of before the change back. Return the numbered files."""
    desk.write("one")
    old = (desk.state / "checkpoints/demo/latest").read_bytes()
    rotate(desk)
    desk.write("two")
    (desk.state / "checkpoints/demo/latest").write_bytes(old)
    return sorted((desk.state / "checkpoints/demo").glob("*.checkpoint"))


def test_an_older_latest_of_the_key_before_does_not_hold_the_log_up(desk: Desk) -> None:
    put_back(desk)
    assert goes_on(desk) == [0, 2]
    newest = published.latest(desk.state / "checkpoints/demo")
    assert newest is not None and newest.size == 5


def test_an_older_latest_does_not_hide_entries_that_were_taken_away(
    desk: Desk, tmp_path: Path, make_desk: Callable[[Path], Desk]
) -> None:
    desk.write("one")
    before = (desk.state / "checkpoints/demo/latest").read_bytes()
    rotate(desk)
    old = make_desk(tmp_path / "old")
    old.become(desk)
    desk.write("two")
    (desk.state / "checkpoints/demo/latest").write_bytes(before)
    desk.take_database(old)
    with desk.open() as book, pytest.raises(LedgerError, match="holds 3 entries, but 4 were signed"):
        book.append([desk.draft("no")])


@pytest.mark.parametrize("kept", [0, -1])
def test_a_latest_of_another_key_that_no_numbered_file_explains_is_refused(desk: Desk, kept: int) -> None:
    """Without the numbered file of `latest` it would be lost; without a larger one of our key there is no other."""
    numbered = put_back(desk)
    if kept == 0:
        for path in numbered[1:]:
            path.unlink()
    else:
        numbered[0].unlink()
    with desk.open() as book, pytest.raises(LedgerError, match="newest checkpoint was not signed by the key"):
        book.append([desk.draft("no")])
