from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import LedgerError
from provisioner.ledger.proof import Proof, parse_proof

NOTE = "provisioner/demo\n5\nAslnaoFk2aAkh8Fsy0vSc5BZKtywajlwisI19xHVOms=\n\n— provisioner/demo 7r5k8ncGcYo=\n"

# The form of the specification's own example (its base64 is elided there, so lines of ours stand in it).
VECTOR = f"c2sp.org/tlog-proof@v1\nextra ZXh0cmE=\nindex 73894\n{'A' * 43}=\n{'//' * 21}8=\n\n{NOTE}"

PROOFS = st.builds(
    Proof,
    st.integers(0, 10**18),
    st.lists(st.binary(min_size=32, max_size=32), max_size=60).map(tuple),
    st.text(),
    st.none() | st.binary(),
)


@given(PROOFS)
def test_a_proof_is_parsed_as_it_was_rendered(proof: Proof) -> None:
    assert parse_proof(proof.render()) == proof


def test_the_form_of_the_specification() -> None:
    proof = parse_proof(VECTOR)
    assert (proof.index, proof.extra, proof.note) == (73894, b"extra", NOTE)
    assert proof.path == (bytes(32), b"\xff" * 32)
    assert proof.render() == VECTOR


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v1",
        "c2sp.org/tlog-proof@v1\n\n" + NOTE,
        "c2sp.org/tlog-proof@v2\nindex 0\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nindex 01\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nindex -1\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nindex 0",
        "c2sp.org/tlog-proof@v1\nindex 0\nextra ZXh0cmE=\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nindex 0\n" + "A" * 42 + "B=\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\r\nindex 0\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nextra !\nindex 0\n\n" + NOTE,
    ],
)
def test_what_the_specification_refuses_is_refused(text: str) -> None:
    with pytest.raises(LedgerError, match="not a tlog-proof"):
        parse_proof(text)
