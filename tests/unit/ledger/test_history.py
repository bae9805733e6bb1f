from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import LedgerError
from provisioner.ledger.checkpoint import Signer, sign_checkpoint
from provisioner.ledger.entry import Draft, make_entry, parse_entry
from provisioner.ledger.head import signed_head
from provisioner.ledger.history import (
    COMPROMISE,
    ROTATION,
    KeyHistory,
    first_body,
    read_history,
    rotation_body,
)
from provisioner.ledger.merkle import Frontier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.ledger.checkpoint import Checkpoint
    from provisioner.ledger.entry import Entry

LOG = "provisioner/demo"
AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
SIGNERS = [Signer(LOG, bytes([number]) * 32) for number in range(1, 5)]
PLACES = (0, 3, 4, 9)
"""Entries that bring the keys: one after another at 3 and 4."""


def entry(index: int, body: Mapping[str, object], *, kind: str = "key") -> Entry:
    return make_entry(index, Draft(kind, AT + timedelta(hours=index), "op-1", body))


def chain() -> list[Entry]:
    entries = [entry(0, first_body(SIGNERS[0].verifier))]
    for number, reason in ((1, ROTATION), (2, COMPROMISE), (3, ROTATION)):
        body = rotation_body(PLACES[number], SIGNERS[number - 1], SIGNERS[number].verifier, reason=reason)
        entries.append(entry(PLACES[number], body))
    return entries


def history() -> KeyHistory:
    return read_history(chain(), origin=LOG)


def test_the_chain_says_who_was_in_force_when_and_why_no_more() -> None:
    found = history()
    assert [tenure.key for tenure in found.tenures] == [signer.verifier for signer in SIGNERS]
    assert [(tenure.index, tenure.ended, tenure.state) for tenure in found.tenures] == [
        (0, 3, "retired"),
        (3, 4, "revoked"),
        (4, 9, "retired"),
        (9, None, "in force"),
    ]
    assert found.tenures[0].until == found.tenures[1].since == AT + timedelta(hours=3)
    assert found.newest.until is None
    second = SIGNERS[1].verifier
    assert found.of_fingerprint(second.fingerprint.upper()) == found.of_key(second) == found.tenures[1]
    assert found.of_key(Signer.generate(LOG).verifier) is None


@pytest.mark.parametrize("size", range(1, 13))
def test_a_size_is_signed_by_the_key_in_force_and_the_first_with_a_new_key_by_either(size: int) -> None:
    able = [number for number, signer in enumerate(SIGNERS) if not history().misfit(_signed(size, signer))]
    expected = {4: [0, 1], 5: [1, 2], 10: [2, 3]}
    assert able == expected.get(size, [sum(1 for place in PLACES if place < size) - 1])


def _signed(size: int, *signers: Signer) -> Checkpoint:
    return signed_head(Frontier(size), signers=signers)


def test_a_checkpoint_that_nobody_might_sign_is_named() -> None:
    found = history()
    first, second, third, fourth = SIGNERS
    retired = "the checkpoint of 5 entries was signed by the key {}, retired by entry 3"
    assert found.misfit(_signed(5, first)) == retired.format(first.verifier.id.hex())
    assert found.misfit(_signed(9, second)).endswith(f"the key {second.verifier.id.hex()}, revoked by entry 4")
    assert found.misfit(_signed(4, third)).endswith("which entry 4 brought only later")
    assert "not signed by the key of" in found.misfit(_signed(5, Signer.generate(LOG)))
    assert "is one of provisioner/acme" in found.misfit(
        sign_checkpoint(5, bytes(32), signer=Signer("provisioner/acme", bytes(32)))
    )
    assert not found.misfit(_signed(12, first, fourth)), "one that may is enough"


def test_without_its_first_entry_there_is_no_chain() -> None:
    for entries in (
        [],
        chain()[1:],
        [entry(0, {}, kind="note")],
        [entry(0, first_body(SIGNERS[0].renamed("x").verifier))],
    ):
        with pytest.raises(LedgerError):
            read_history(entries, origin=LOG)
    with pytest.raises(LedgerError, match="entry 0 does not hold the public key of provisioner/acme"):
        read_history(chain(), origin="provisioner/acme")


@pytest.mark.parametrize("lost", [1, 2])
def test_a_change_of_key_cannot_be_left_out(lost: int) -> None:
    entries = chain()
    del entries[lost]
    with pytest.raises(LedgerError, match=f"entry {PLACES[lost + 1]}"):
        read_history(entries, origin=LOG)


def _bodies() -> dict[str, dict[str, object]]:
    """Bodies for entry 9 that somebody without the third key could write."""
    third, new, thief = SIGNERS[2], SIGNERS[3].verifier, Signer.generate(LOG)
    sound = rotation_body(9, third, new, reason=ROTATION)
    return {
        "another key": {**sound, **first_body(thief.verifier)},
        "another log's key": {**sound, **first_body(Signer.generate("provisioner/acme").verifier)},
        "no key": {**sound, "key": "none"},
        "another fingerprint": {**sound, "fingerprint": thief.verifier.fingerprint},
        "another key before": {**sound, "previous": SIGNERS[1].verifier.fingerprint},
        "no reason": {**sound, "reason": "because"},
        "the new key's own word": {**sound, "note": rotation_body(9, thief, new, reason=ROTATION)["note"]},
        "a revoked key's word": rotation_body(9, SIGNERS[1], new, reason=ROTATION) | {"previous": sound["previous"]},
        "a note for another place": {**sound, "note": rotation_body(8, third, new, reason=ROTATION)["note"]},
        "a note under the log's own name": {**sound, "note": _under(third, LOG, new.render())},
        "a checkpoint": {**sound, "note": sign_checkpoint(9, bytes(32), signer=third).note},
        "no note": {name: value for name, value in sound.items() if name != "note"},
        "a key that was before": rotation_body(9, third, SIGNERS[0].verifier, reason=ROTATION),
        "the same key again": rotation_body(9, third, third.verifier, reason=ROTATION),
    }


def _under(signer: Signer, name: str, key: str) -> str:
    return signer.renamed(name).sign(f"{LOG}/rotation\n9\n{key}\n")


@pytest.mark.parametrize("body", _bodies().values(), ids=_bodies())
def test_a_change_that_the_key_before_did_not_sign_is_refused_at_its_entry(body: dict[str, object]) -> None:
    with pytest.raises(LedgerError, match="entry 9"):
        read_history([*chain()[:3], entry(9, body)], origin=LOG)
    read_history(
        [*chain()[:3], entry(9, rotation_body(9, SIGNERS[2], SIGNERS[3].verifier, reason=ROTATION))], origin=LOG
    )


@given(st.sampled_from([1, 2, 3]), st.sampled_from(["key", "fingerprint", "previous", "note"]), st.data())
def test_no_character_of_a_change_can_be_another(place: int, name: str, data: st.DataObject) -> None:
    entries = chain()
    text = str(entries[place].body[name])
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii", min_codepoint=32).filter(lambda one: one != text[at]))
    changed = {**entries[place].body, name: text[:at] + other + text[at + 1 :]}
    entries[place] = replace(entries[place], body=changed)
    with pytest.raises(LedgerError, match=f"entry {entries[place].index}"):
        read_history(entries, origin=LOG)


def test_the_vector_of_version_1_is_byte_exact() -> None:

    lines = (Path(__file__).parent / "vectors" / "v1.rotation.jsonl").read_bytes().splitlines()
    found = read_history(map(parse_entry, lines), origin=LOG)
    assert [(tenure.index, tenure.state) for tenure in found.tenures] == [(0, "revoked"), (1, "in force")]
    first, second = (parse_entry(line) for line in lines)
    assert dict(first.body) == first_body(SIGNERS[0].verifier)
    assert dict(second.body) == rotation_body(1, SIGNERS[0], SIGNERS[1].verifier, reason=COMPROMISE)
