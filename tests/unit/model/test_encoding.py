from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.encoding import from_base64, to_base64


@given(st.binary())
def test_one_text_for_one_sequence_of_bytes(data: bytes) -> None:
    assert from_base64(to_base64(data)) == data


@given(st.text(alphabet="AQgw=+/-_ \n", max_size=12))
def test_a_text_is_taken_only_if_it_is_that_one(text: str) -> None:
    data = from_base64(text)
    assert data == b"" or to_base64(data) == text


@pytest.mark.parametrize("text", ["QR==", "QQ", "QQ==\n", " QQ==", "Q-==", "é", None, 7, b"QQ=="])
def test_what_others_would_let_pass_is_of_no_bytes(text: object) -> None:
    assert from_base64(text) == b""


def test_the_control_a_lax_reader_takes_other_texts_for_the_same() -> None:
    assert base64.b64decode("QR==") == base64.b64decode("QQ==")
