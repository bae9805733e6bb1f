from __future__ import annotations

import base64
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import LedgerError
from provisioner.ledger import checkpoint as cp
from provisioner.ledger.checkpoint import Signer

if TYPE_CHECKING:
    from collections.abc import Callable

# The example of Go's golang.org/x/mod/sumdb/note, the implementation that C2SP signed-note describes.
GO_SIGNER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_NOTE = (
    GO_TEXT
    + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# The verifier key and note printed in c2sp.org/signed-note, the checkpoint printed in c2sp.org/tlog-checkpoint.
C2SP_VERIFIER = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
C2SP_CHECKPOINT = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)

SIGNER = Signer("provisioner/demo", bytes(range(32)))
ROOT = bytes(range(32))


def test_keys_and_notes_are_those_of_go_byte_for_byte() -> None:
    signer = cp.parse_signer(GO_SIGNER)
    assert signer.render() == GO_SIGNER
    assert signer.verifier.render() == GO_VERIFIER
    assert cp.parse_verifier_key(GO_VERIFIER) == signer.verifier
    assert signer.sign(GO_TEXT) == GO_NOTE
    assert cp.verify_note(cp.parse_note(GO_NOTE), signer.verifier)


def test_the_examples_of_the_specifications_are_read_and_verify() -> None:
    assert cp.verify_note(cp.parse_note(C2SP_NOTE), cp.parse_verifier_key(C2SP_VERIFIER))
    assert not cp.verify_note(
        cp.parse_note(C2SP_NOTE.replace("example m", "exemple m")), cp.parse_verifier_key(C2SP_VERIFIER)
    )
    found = cp.parse_checkpoint(C2SP_CHECKPOINT)
    assert (found.origin, found.size, found.root.hex()[:8]) == ("example.com/behind-the-sofa", 20852163, "0ac5186a")


@given(st.integers(0, 2**60), st.binary(min_size=32, max_size=32))
def test_checkpoints_round_trip(size: int, root: bytes) -> None:
    signed = cp.sign_checkpoint(size, root, signer=SIGNER)
    assert cp.parse_checkpoint(signed.note) == signed
    assert cp.verify_checkpoint(signed, SIGNER.verifier)


def test_a_signature_is_of_one_name_one_key_one_text() -> None:
    signed = cp.sign_checkpoint(7, ROOT, signer=SIGNER)
    assert not cp.verify_checkpoint(signed, Signer("provisioner/demo", bytes(32)).verifier)
    assert not cp.verify_checkpoint(signed, SIGNER.renamed("provisioner/other").verifier)
    assert not cp.verify_checkpoint(cp.parse_checkpoint(signed.note.replace("\n7\n", "\n8\n")), SIGNER.verifier)


def test_lines_of_unknown_keys_are_ignored_and_a_bad_line_of_ours_spoils_the_note() -> None:
    signed = cp.sign_checkpoint(7, ROOT, signer=SIGNER)
    witness = Signer("witness.example", bytes(32)).sign(signed.note.rpartition("\n\n")[0] + "\n").rpartition("\n\n")[2]
    assert cp.verify_checkpoint(cp.parse_checkpoint(signed.note + witness), SIGNER.verifier)
    blob = base64.b64encode(SIGNER.verifier.id + bytes(64)).decode()
    spoiled = cp.parse_checkpoint(f"{signed.note}— provisioner/demo {blob}\n")
    assert not cp.verify_checkpoint(spoiled, SIGNER.verifier)


def test_a_bad_line_under_our_name_and_another_id_is_another_key_s() -> None:
    signed = cp.sign_checkpoint(7, ROOT, signer=SIGNER)
    blob = base64.b64encode(b"xxxx" + bytes(64)).decode()
    other = f"— provisioner/demo {blob}\n"
    assert cp.verify_checkpoint(cp.parse_checkpoint(signed.note + other), SIGNER.verifier)
    assert not cp.verify_checkpoint(cp.parse_checkpoint(signed.note.rpartition("—")[0] + other), SIGNER.verifier)


def test_extension_lines_are_accepted_when_reading() -> None:
    extended = SIGNER.sign(f"provisioner/demo\n7\n{base64.b64encode(ROOT).decode()}\nan extension\n")
    assert cp.verify_checkpoint(cp.parse_checkpoint(extended), SIGNER.verifier)


GOOD = cp.sign_checkpoint(7, ROOT, signer=SIGNER).note


@pytest.mark.parametrize(
    "note",
    [
        "",
        GOOD.replace("\n\n", "\n"),
        GOOD.rstrip("\n"),
        GOOD + "\n",
        GOOD.replace("— ", "- "),
        GOOD.replace("\n7\n", "\n07\n"),
        GOOD.replace("\n7\n", "\n-7\n"),
        GOOD.replace("\n7\n", "\n٧\n"),
        GOOD.replace("\n7\n", "\n7 \n"),
        GOOD.replace("\n7\n", "\n\r7\n"),
        GOOD.replace("\n7\n", "\n" + "9" * 30 + "\n"),
        GOOD.replace("AAECAw", "AAECA"),
        GOOD.replace("Hh8=", "Hh9="),
        GOOD.replace("provisioner/demo\n7", "\n7"),
        GOOD.replace("— provisioner/demo", "— provisioner+demo"),
        GOOD.replace("provisioner/demo\n", "provisioner/demo\n" * 2, 1),
        "x" * cp.NOTE_LIMIT + GOOD,
        "\x00" + GOOD,
    ],
)
def test_what_is_not_exactly_a_checkpoint_is_refused(note: str) -> None:
    with pytest.raises(LedgerError):
        cp.parse_checkpoint(note)


@given(st.text())
def test_any_text_is_refused_or_read(note: str) -> None:
    with suppress(LedgerError):
        assert cp.parse_checkpoint(note).note == note


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a+b+c",
        GO_VERIFIER.replace("c74f20a3", "c74f20a4"),
        GO_VERIFIER[:-4],
        GO_VERIFIER.replace("+ARpc", "+ZRpc"),
        GO_SIGNER,
    ],
)
def test_what_is_not_a_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(LedgerError):
        cp.parse_verifier_key(text)


@pytest.mark.parametrize("text", ["", GO_VERIFIER, GO_SIGNER.replace("c74f20a3", "00000000"), GO_SIGNER[:-4]])
def test_what_is_not_a_signing_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(LedgerError) as caught:
        cp.parse_signer(text)
    assert "AYEKFALV" not in str(caught.value)


@pytest.mark.parametrize("text", [GO_SIGNER, GO_SIGNER[:-4], f" {GO_SIGNER}", cp.Cosigner("w1", bytes(32)).render()])
@pytest.mark.parametrize("parse", [cp.parse_verifier_key, cp.parse_witness_key])
def test_a_private_key_given_for_a_public_one_is_not_repeated(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(LedgerError) as caught:
        parse(text)
    assert text.rpartition("+")[2][:8] not in str(caught.value) + caught.value.hint
    assert "that is a private key" in caught.value.hint


def test_a_private_key_is_not_shown_by_repr() -> None:
    assert repr(SIGNER) == "Signer(name='provisioner/demo')"
