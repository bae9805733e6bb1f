"""C2SP tlog-cosignature, the Ed25519 form: what a witness says about a checkpoint, and when."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import checkpoint as cp
from provisioner.ledger.checkpoint import Cosigner, Signer, WitnessKey

AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
LOG = Signer("provisioner/demo", bytes(range(32)))
WITNESS = Cosigner("w1.example", bytes(range(1, 33)))
SIGNED = cp.sign_checkpoint(7, bytes(32), signer=LOG)

# The note printed in c2sp.org/tlog-cosignature. The page prints no keys, so its signatures cannot be checked there.
C2SP_COSIGNED = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
OPENSSL = (
    "01422ab28ee26d4ba9fc3a5fcea9ebd24d3c9ae2c591ee9633e677efc52b4938"
    "aa5d095fe11e9b6f94c0f466117e6ec6417c910bcf7e7b7370a3a1357b543c02"
)


def cosigned(at: datetime = AT, *, by: Cosigner = WITNESS) -> str:
    return cp.with_signatures(SIGNED.note, [cp.cosign(SIGNED, cosigner=by, at=at)])


def test_the_example_of_the_specification_has_the_layout_that_we_read() -> None:
    note = cp.parse_note(C2SP_COSIGNED)
    line = note.signatures[1]
    assert (line.name, len(line.value)) == ("witness.example.com/w1", 8 + 64)
    assert int.from_bytes(line.value[:8]) == 1679315147, "the time of the page's signed message"
    assert "".join(signature.render() for signature in note.signatures) in C2SP_COSIGNED
    assert cp.verify_cosignature(note, WitnessKey("witness.example.com/w1", bytes(32))) is None


def test_a_cosignature_is_byte_for_byte_what_openssl_makes_of_the_specification() -> None:
    """OPENSSL is what `openssl pkeyutl -sign -rawin` made of `cosignature/v1`, `time 1795442400`, and the text."""
    value = cp.cosign(SIGNED, cosigner=WITNESS, at=AT).value
    assert value.hex() == (1795442400).to_bytes(8, "big").hex() + OPENSSL


def test_the_key_of_a_witness_is_a_vkey_of_type_4() -> None:
    key = WITNESS.key
    name, identity, material = key.render().split("+", 2)
    assert (name, base64.b64decode(material)) == ("w1.example", b"\x04" + key.public)
    assert identity == key.id.hex()
    assert cp.parse_witness_key(key.render()) == key
    assert cp.parse_cosigner(WITNESS.render()) == WITNESS
    assert repr(WITNESS) == "Cosigner(name='w1.example')"


@pytest.mark.parametrize("text", ["", LOG.verifier.render(), WITNESS.render(), WITNESS.key.render()[:-4]])
def test_what_is_not_a_witness_s_key_is_refused(text: str) -> None:
    with pytest.raises(LedgerError):
        cp.parse_witness_key(text)


def test_the_two_kinds_of_key_do_not_pass_for_each_other() -> None:
    for parse, text in (
        (cp.parse_verifier_key, WITNESS.key.render()),
        (cp.parse_signer, WITNESS.render()),
        (cp.parse_cosigner, LOG.render()),
    ):
        with pytest.raises(LedgerError) as caught:
            parse(text)
        assert "AQEC" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "a\u2003b", "a\x01b"])
def test_a_name_that_no_line_could_carry_makes_no_key(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a key"):
        Cosigner.generate(name)


@given(st.integers(1, 2**33), st.binary(min_size=32, max_size=32))
def test_a_cosignature_gives_its_instant_back(seconds: int, seed: bytes) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    witness = Cosigner("w", seed)
    note = cp.parse_note(cosigned(at, by=witness))
    assert cp.verify_cosignature(note, witness.key) == at
    assert cp.verify_note(note, LOG.verifier), "the log's own line still counts"


def test_of_several_instants_the_earliest_counts_and_the_fraction_is_dropped() -> None:
    later = cp.cosign(SIGNED, cosigner=WITNESS, at=AT.replace(hour=15))
    note = cp.with_signatures(cosigned(AT.replace(microsecond=999_999)), [later])
    assert cp.verify_cosignature(cp.parse_note(note), WITNESS.key) == AT


def changed(value: bytes) -> str:
    return cp.with_signatures(SIGNED.note, [cp.Signature(WITNESS.name, WITNESS.key.id, value)])


VALUE = cp.cosign(SIGNED, cosigner=WITNESS, at=AT).value
SPOILED = {
    "another text": cosigned().replace("\n7\n", "\n8\n"),
    "another instant": changed((1795442401).to_bytes(8) + VALUE[8:]),
    "no instant": changed(bytes(8) + VALUE[8:]),
    "an instant beyond all calendars": changed(bytes([255]) * 8 + VALUE[8:]),
    "a bit of the signature": changed(VALUE[:-1] + bytes([VALUE[-1] ^ 1])),
    "cut short": changed(VALUE[:40]),
    "a second line that is bad": cp.with_signatures(
        cosigned(), [cp.Signature(WITNESS.name, WITNESS.key.id, bytes(72))]
    ),
    "a plain signature by the same key": changed(
        bytes(8)
        + cp.parse_note(Signer("w", WITNESS.seed).sign(SIGNED.note.partition("\n\n")[0] + "\n")).signatures[0].value
    ),
    "no line of the witness": SIGNED.note,
}


@pytest.mark.parametrize("name", SPOILED)
def test_what_the_witness_did_not_say_has_no_instant(name: str) -> None:
    note = cp.parse_note(SPOILED[name])
    assert cp.verify_cosignature(note, WITNESS.key) is None
    assert cp.carries_line_of(note, WITNESS.key) is (name != "no line of the witness")


def test_a_time_of_zero_is_no_time_even_when_signed() -> None:
    note = cosigned(datetime.fromtimestamp(0, UTC))
    assert cp.verify_cosignature(cp.parse_note(note), WITNESS.key) is None


def test_a_line_is_added_once() -> None:
    once = cosigned()
    assert cp.with_signatures(once, [cp.cosign(SIGNED, cosigner=WITNESS, at=AT)] * 2) == once


@pytest.mark.parametrize(
    "text", ["", "\n", "— a\n", "— a !!\n", "— a AAAA\n", "— a AAAAAAA=", "x\n\n— a AAAAAAA=\n", "— a\x01 AAAAAAA=\n"]
)
def test_what_is_not_signature_lines_is_refused(text: str) -> None:
    with pytest.raises(LedgerError):
        cp.parse_signatures(text)
