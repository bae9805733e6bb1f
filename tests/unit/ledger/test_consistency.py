from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import LedgerError
from provisioner.ledger import merkle, published
from provisioner.ledger.checkpoint import Checkpoint
from provisioner.ledger.consistency import Consistency, prove_consistency

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Desk


@pytest.fixture
def heads(desk: Desk) -> list[Checkpoint]:
    for number in range(12):
        desk.write(str(number))
    return list(published.read_all(desk.state / "checkpoints/demo")[0])


def test_every_kept_head_leads_to_every_later_one(desk: Desk, heads: list[Checkpoint]) -> None:
    assert [head.size for head in heads] == list(range(2, 14))
    with desk.open(read_only=True) as book:
        for old in heads:
            for new in (head for head in heads if head.size >= old.size):
                found = prove_consistency(book, old, new)
                assert merkle.extends((old.size, old.root), (new.size, new.root), proof=found.proof)
                assert (found.old, found.new, found.stale) == (old.size, new.size, False)


@pytest.mark.parametrize("damage", ["DELETE FROM nodes", "UPDATE nodes SET hash = zeroblob(32)"])
def test_wrong_cached_nodes_are_made_anew_from_the_entries(desk: Desk, heads: list[Checkpoint], damage: str) -> None:
    with desk.open(read_only=True) as book:
        sound = prove_consistency(book, heads[3], heads[-1])
    with desk.attack() as database:
        database.execute(damage)
    with desk.open(read_only=True) as book:
        found = prove_consistency(book, heads[3], heads[-1])
    assert (found.proof, found.stale) == (sound.proof, True)


def test_a_head_of_another_history_is_led_to_by_nothing(desk: Desk, heads: list[Checkpoint]) -> None:
    old, new = heads[3], heads[-1]
    fork = Checkpoint(old.origin, old.size, bytes(32), old.note)
    none = Checkpoint(old.origin, 0, merkle.EMPTY_ROOT, old.note)
    with desk.open(read_only=True) as book:
        for wrong in ((fork, new), (new, old), (none, new)):
            with pytest.raises(LedgerError, match=r"does not extend|there is no proof") as caught:
                prove_consistency(book, *wrong)
            assert caught.value.exit_code == 7


def test_a_proof_is_said_in_words_and_given_in_base64() -> None:
    proof = Consistency(old=8, new=10, proof=(bytes(32),))
    assert proof.sentence == "consistency proof of 1 hash from 8 to 10 entries"
    assert proof.document() == {"old": 8, "new": 10, "proof": [base64.b64encode(bytes(32)).decode()]}
    assert Consistency(old=8, new=8, proof=()).sentence == "consistency proof of 0 hashes from 8 to 8 entries"


def test_the_head_in_a_proof_of_one_entry_can_be_kept_too(tmp_path: Path, desk: Desk, heads: list[Checkpoint]) -> None:
    path = tmp_path / "3.tlog-proof"
    path.write_text(f"c2sp.org/tlog-proof@v1\nindex 3\n{base64.b64encode(bytes(32)).decode()}\n\n{heads[5].note}")
    assert published.read_checkpoint(path) == heads[5]
    path.write_text("c2sp.org/tlog-proof@v1\nindex 3\n")
    with pytest.raises(LedgerError, match=r"3\.tlog-proof: not a checkpoint"):
        published.read_checkpoint(path)
