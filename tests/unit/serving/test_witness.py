"""The statuses of C2SP tlog-witness, and the promise: no two cosigned trees of which one does not extend the other."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.serving.conftest import START, Ticking, Tree, open_witness

from provisioner.errors import LedgerError
from provisioner.ledger import checkpoint as cp
from provisioner.ledger import merkle
from provisioner.ledger.checkpoint import Signer
from provisioner.ledger.keys import write_durably
from provisioner.model.witnessing import SIZE_TYPE, Answer
from provisioner.serving.memory import Memory, digest
from provisioner.serving.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LOG = digest("provisioner/demo")


def cosigned(witness: Witness, tree: Tree, old: int, new: int) -> str:
    """Submit, and return the cosigned note: the answer must be 200."""
    answer = witness.add_checkpoint(tree.body(old, new))
    assert answer.status == 200, answer.body
    return cp.with_signatures(tree.checkpoint(new).note, cp.parse_signatures(answer.body.decode()))


def test_a_log_that_grows_is_cosigned_and_each_answer_verifies(witness: Witness, tree: Tree) -> None:
    for old, new in ((0, 3), (3, 3), (3, 8), (8, 21)):
        note = cosigned(witness, tree, old, new)
        at = cp.verify_cosignature(cp.parse_note(note), witness.key)
        assert at is not None and at > START
        served = witness.checkpoint(LOG)
        assert (served.status, served.body.decode()) == (200, note), "the newest, with the log's line and ours"


def test_the_first_checkpoint_may_be_of_any_size_even_none(witness: Witness, tree: Tree) -> None:
    cosigned(witness, tree, 0, 0)
    cosigned(witness, tree, 0, 7)


def spoilt_root(tree: Tree, size: int) -> bytes:
    return (
        tree.submission(0, size)
        .render()
        .replace(
            cp.sign_checkpoint(size, tree.grow(size).root, signer=tree.signer).note.encode(),
            cp.sign_checkpoint(size, bytes(32), signer=tree.signer).note.encode(),
        )
    )


STRANGER = Signer("provisioner/demo", bytes(32))
REFUSALS: dict[str, tuple[int, Callable[[Tree, Tree], bytes]]] = {
    "not a submission": (400, lambda tree, fork: b"old x\n\n"),
    "not a checkpoint": (400, lambda tree, fork: b"old 8\n\nprovisioner/demo\n"),
    "an old size beyond the new one: a rollback": (400, lambda tree, fork: tree.body(8, 8).replace(b"old 8", b"old 9")),
    "a smaller checkpoint from the size it has: a rollback": (
        400,
        lambda tree, fork: replace(tree.submission(0, 7), old=8).render(),
    ),
    "a log it does not know": (404, lambda tree, fork: Tree(signer=Signer("provisioner/acme", bytes(32))).body(8, 9)),
    "another key under the log's name": (403, lambda tree, fork: Tree(signer=STRANGER).body(8, 9)),
    "a line of the log's key that is bad": (
        403,
        lambda tree, fork: tree.body(8, 9).replace(b"\n9\n", b"\n10\n"),
    ),
    "a good line beside a bad one": (
        403,
        lambda tree, fork: (
            tree.body(8, 9) + cp.Signature("provisioner/demo", tree.signer.verifier.id, bytes(64)).render().encode()
        ),
    ),
    "a size it has not": (409, lambda tree, fork: tree.body(7, 9)),
    "a smaller checkpoint from a smaller size": (409, lambda tree, fork: tree.body(3, 7)),
    "an empty tree with a root": (409, lambda tree, fork: spoilt_root(tree, 0)),
    "the same size, another root: a fork": (422, lambda tree, fork: fork.body(8, 8)),
    "a longer fork with its own proof": (422, lambda tree, fork: fork.body(8, 12)),
    "no proof": (422, lambda tree, fork: replace(tree.submission(8, 9), proof=()).render()),
    "a proof of nothing, to the same size": (
        422,
        lambda tree, fork: replace(tree.submission(8, 8), proof=(bytes(32),)).render(),
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_refused_gets_the_status_of_the_specification(
    witness: Witness, tree: Tree, fork: Tree, name: str
) -> None:
    before = cosigned(witness, tree, 0, 8)
    status, body = REFUSALS[name]
    answer = witness.add_checkpoint(body(tree, fork))
    assert answer.status == status, answer.body
    if status == 409:
        assert (answer.content_type, answer.body) == (SIZE_TYPE, b"8\n")
    assert witness.checkpoint(LOG).body.decode() == before, "a refusal changes nothing"
    cosigned(witness, tree, 8, 9)


@pytest.mark.parametrize(
    "body",
    [lambda tree: replace(tree.submission(0, 8), proof=(bytes(32),)).render(), lambda tree: spoilt_root(tree, 0)],
)
def test_from_nothing_a_proof_or_a_root_of_nothing_is_refused(
    witness: Witness, tree: Tree, body: Callable[[Tree], bytes]
) -> None:
    assert witness.add_checkpoint(body(tree)).status == 422
    assert witness.checkpoint(LOG).status == 404


def test_a_validly_signed_fork_is_kept_with_what_it_contradicts_once(
    witness: Witness, tree: Tree, fork: Tree, folder: Path
) -> None:
    before = cosigned(witness, tree, 0, 8)
    assert witness.add_checkpoint(fork.body(0, 8)).status == 409
    assert len(list((folder / "refused").glob("*.request"))) == 1, (
        "the same size, another root: whatever was asked from"
    )
    for body in (fork.body(8, 8), fork.body(8, 12), fork.body(8, 12)):
        assert witness.add_checkpoint(body).status in (409, 422)
    requests = sorted((folder / "refused").glob("*.request"))
    assert {path.read_bytes().partition(b"\n\n")[2].decode() for path in requests} == {
        fork.checkpoint(8).note,
        fork.checkpoint(12).note,
    }
    assert [path.with_suffix(".kept").read_text() for path in requests] == [before, before]


def test_what_nobody_signed_is_no_evidence(witness: Witness, tree: Tree, folder: Path) -> None:
    cosigned(witness, tree, 0, 8)
    witness.add_checkpoint(Tree(signer=STRANGER, fork_at=2).body(8, 8))
    assert not (folder / "refused").exists()


def test_two_logs_do_not_mix(witness: Witness, tree: Tree, folder: Path) -> None:
    acme = Tree(signer=Signer("provisioner/acme", bytes([7]) * 32), fork_at=0)
    Memory(folder, write=write_durably).trust(acme.signer.verifier)
    cosigned(witness, tree, 0, 8)
    cosigned(witness, acme, 0, 3)
    cosigned(witness, tree, 8, 9)
    assert [(log.origin, log.size) for log in witness.logs()] == [("provisioner/acme", 3), ("provisioner/demo", 9)]
    assert acme.checkpoint(3).note in witness.checkpoint(digest("provisioner/acme")).body.decode()


def test_a_rotated_key_is_a_second_key_of_the_log_and_both_lines_are_served(
    witness: Witness, tree: Tree, folder: Path
) -> None:
    new = Tree(signer=Signer("provisioner/demo", bytes([9]) * 32))
    cosigned(witness, tree, 0, 8)
    assert witness.add_checkpoint(new.body(8, 9)).status == 403
    assert Memory(folder, write=write_durably).trust(new.signer.verifier)
    note = cp.with_signatures(tree.checkpoint(9).note, cp.parse_note(new.checkpoint(9).note).signatures)
    assert witness.add_checkpoint(replace(tree.submission(8, 9), note=note).render()).status == 200
    served = cp.parse_note(witness.checkpoint(LOG).body.decode())
    assert cp.verify_note(served, tree.signer.verifier) and cp.verify_note(served, new.signer.verifier)
    cosigned(witness, new, 9, 10)


def test_of_two_keys_of_a_log_a_bad_line_of_either_spoils_the_note(witness: Witness, tree: Tree, folder: Path) -> None:
    new = Signer("provisioner/demo", bytes([9]) * 32)
    Memory(folder, write=write_durably).trust(new.verifier)
    bad = cp.Signature("provisioner/demo", new.verifier.id, bytes(64)).render().encode()
    assert witness.add_checkpoint(tree.body(0, 8) + bad).status == 403
    assert witness.add_checkpoint(tree.body(0, 8)).status == 200


def test_lines_of_strangers_are_ignored_and_not_kept(witness: Witness, tree: Tree) -> None:
    line = cp.Signature("somebody.example", b"abcd", bytes(64)).render().encode()
    assert witness.add_checkpoint(tree.body(0, 8) + line).status == 200
    assert b"somebody" not in witness.checkpoint(LOG).body


def test_what_was_kept_outlives_the_witness(witness: Witness, tree: Tree, fork: Tree, folder: Path) -> None:
    cosigned(witness, tree, 0, 8)
    again = open_witness(folder)
    assert again.add_checkpoint(fork.body(8, 12)).status == 422
    assert again.add_checkpoint(tree.body(0, 12)).body == b"8\n"
    cosigned(again, tree, 8, 12)


@pytest.mark.parametrize("damage", ["", "x", "another key's", "another log's"])
def test_a_kept_checkpoint_that_was_damaged_is_not_taken_for_none(
    witness: Witness, tree: Tree, folder: Path, damage: str
) -> None:
    note = cosigned(witness, tree, 0, 8)
    path = folder / "kept" / f"{LOG}.checkpoint"
    if damage == "another log's":
        path = path.with_name(f"{digest('provisioner/acme')}.checkpoint")
        Memory(folder, write=write_durably).trust(Signer("provisioner/acme", bytes(32)).verifier)
        tree = Tree(signer=Signer("provisioner/acme", bytes(32)))
        damage = note
    path.write_text(tree.checkpoint(8).note if damage == "another key's" else damage)
    with pytest.raises(LedgerError, match=r"kept checkpoint|not the checkpoint"):
        witness.add_checkpoint(tree.body(0, 9))


def test_a_cosignature_leaves_only_when_it_is_durable(witness: Witness, tree: Tree, folder: Path) -> None:
    """Killed, or out of space, between the check and the write: nothing was cosigned, the other history may come."""

    def full(path: Path, text: str, *, mode: int) -> None:
        raise LedgerError("no space")

    broken = Witness(Memory(folder, write=full), now=Ticking())
    with pytest.raises(LedgerError, match="no space"):
        broken.add_checkpoint(tree.body(0, 8))
    assert witness.checkpoint(LOG).status == 404


def test_of_many_at_once_each_cosigned_tree_extends_the_one_before(witness: Witness, tree: Tree, fork: Tree) -> None:
    answers: list[tuple[int, Answer]] = []
    cosigned(witness, tree, 0, 5)

    def submit(kind: Tree, size: int) -> None:
        answers.append((size, witness.add_checkpoint(kind.body(5, size))))

    for kind in (tree, fork):
        kind.grow(40)
    threads = [Thread(target=submit, args=(kind, size)) for kind in (tree, fork) for size in range(6, 14)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for _, answer in answers) == [200] + [409] * 15


def test_who_comes_while_another_is_decided_waits_for_it(
    witness: Witness, tree: Tree, fork: Tree, folder: Path
) -> None:
    cosigned(witness, tree, 0, 5)
    late: list[int] = []
    rival = Thread(target=lambda: late.append(witness.add_checkpoint(fork.body(5, 12)).status))

    def write(path: Path, text: str, /, *, mode: int) -> None:
        """Between the check and the write: the other history comes in."""
        rival.start()
        rival.join(timeout=0.3)
        write_durably(path, text, mode=mode)

    first = Witness(Memory(folder, write=write), now=Ticking())
    assert first.add_checkpoint(tree.body(5, 8)).status == 200
    rival.join(timeout=10)
    assert late == [409]


MOVES = st.lists(
    st.tuples(st.sampled_from([0, 1, 2]), st.integers(0, 24), st.integers(0, 24), st.booleans()), max_size=14
)
"""Which history, the size asked from (or what the witness says it has), the size asked for."""

HISTORIES = (Tree(), Tree(fork_at=5), Tree(fork_at=0))
NODES = {(which, size): tree.grow(size).root for which, tree in enumerate(HISTORIES) for size in range(25)}


def play(moves: Sequence[tuple[int, int, int, bool]], *, forgets: bool) -> list[tuple[int, int]]:
    """Submit each move to one witness, opened anew each time; return (history, size) of what it cosigned, in order."""
    taken = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "witness"
        for which, old, new, ask in moves:
            witness = open_witness(folder)
            tree = HISTORIES[which]
            if ask:
                old = next(log.size or 0 for log in witness.logs())
            if old <= new and witness.add_checkpoint(tree.body(old, new)).status == 200:
                taken.append((which, new))
            if forgets:
                shutil.rmtree(folder / "kept", ignore_errors=True)
    return taken


def contradictions(taken: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The cosigned trees that do not extend the one cosigned before, by their roots as computed from entries."""
    wrong = []
    for (before, small), (after, large) in pairwise(taken):
        if large < small or NODES[after, small] != NODES[before, small]:
            wrong.append((after, large))
    return wrong


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_no_sequence_of_submissions_yields_cosignatures_over_two_histories(
    moves: list[tuple[int, int, int, bool]],
) -> None:
    assert contradictions(play(moves, forgets=False)) == []


def test_the_control_a_witness_that_forgets_cosigns_two_histories() -> None:
    moves = [(0, 0, 9, False), (2, 0, 9, False), (1, 0, 7, False)]
    assert contradictions(play(moves, forgets=True)) == [(2, 9), (1, 7)]
    assert contradictions(play(moves, forgets=False)) == []


def test_the_histories_of_the_property_are_what_they_say() -> None:
    assert NODES[0, 5] == NODES[1, 5] != NODES[2, 5]
    assert NODES[0, 6] != NODES[1, 6]
    assert NODES[0, 0] == merkle.EMPTY_ROOT
