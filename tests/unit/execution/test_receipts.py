"""The receipt's file: one vector byte for byte, a round trip, and nothing else is taken for one."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.execution.ports import Receipt
from provisioner.execution.receipts import parse_receipt, receipt_variables, render_receipt
from provisioner.ledger import canonical
from provisioner.testing import make_receipt

A1, B2 = "a1" * 32, "b2" * 32
VECTOR = (
    f'{{"client":"demo","digest":"{A1}","entry":41,"intervention":"iv-0011223344556677",'
    f'"log":"provisioner/demo","plan_digest":"{B2}","v":1}}\n'
)

ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
receipts = st.builds(
    lambda client, **fields: Receipt(log=f"provisioner/{client}", client=client, **fields),
    client=ids,
    intervention=ids,
    entry=st.integers(0, 2**53 - 1),
    digest=digests,
    plan_digest=digests,
)


def test_version_1_byte_for_byte() -> None:
    receipt = make_receipt(intervention="iv-0011223344556677", entry=41, digest=A1, plan_digest=B2)
    assert render_receipt(receipt) == VECTOR
    assert parse_receipt(VECTOR) == receipt


@given(receipts)
def test_a_receipt_survives_its_file_which_is_canonical(receipt: Receipt) -> None:
    text = render_receipt(receipt)
    assert parse_receipt(text) == receipt
    assert canonical.encode(json.loads(text)).decode() + "\n" == text
    assert len(text) <= 1024


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\n", ""),
        ("\n", "\n\n"),
        ('"v":1', '"v":2'),
        ('"entry":41', '"entry":041'),
        ('"entry":41', '"entry":-1'),
        ('"entry":41', '"entry":4.1'),
        (",", ", "),
        ("iv-00", "../00"),
        ("iv-00", "\x1b[31m"),
        ("a1a1", "A1A1"),
        ("demo", "d\\u0065mo"),
        ('"log":"provisioner/demo"', '"log":"provisioner/other"'),
        ("demo", "d\u00e9mo"),
        ('"client"', '"name":"Anne","client"'),
        ("{", "[" * 900 + "{"),
    ],
)
def test_anything_else_is_no_receipt(before: str, after: str) -> None:
    with pytest.raises(ValueError, match="not a receipt of version 1"):
        parse_receipt(VECTOR.replace(before, after, 1))


@given(st.text(max_size=400))
def test_no_text_is_taken_for_one_by_chance(text: str) -> None:
    with pytest.raises(ValueError, match="not a receipt"):
        parse_receipt(text)


def test_the_inputs_of_the_role_are_the_name_and_the_file() -> None:
    receipt = make_receipt()
    inputs = receipt_variables(receipt)
    assert inputs == {
        "intervention_receipt_intervention": "iv-1",
        "intervention_receipt_text": render_receipt(receipt),
    }
    assert sha256(b"leaf").hexdigest() in str(inputs)
