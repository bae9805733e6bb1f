from __future__ import annotations

import json

import pytest

from provisioner.config.contacts import contacts


def test_the_contacts_of_both_parties_and_of_amendments() -> None:
    text = b"""client:
  contacts:
    owner: Jane Doe,
      +33 1 23 45 67 89
provider: {name: P, contacts: {duty: "J\\u00e9r\\xf4me <j@example.org>", none: ~}}
amendments:
  - {effective: 2026-02-01, set: {client: {contacts: {owner: John Roe}}}}
"""
    assert contacts(text) == (
        ("owner", "Jane Doe, +33 1 23 45 67 89"),
        ("duty", "Jérôme <j@example.org>"),
        ("owner", "John Roe"),
    )


@pytest.mark.parametrize("text", [b"", b"contacts: [", b"contacts: words", b"\xff", json.dumps([1]).encode()])
def test_a_text_without_any(text: bytes) -> None:
    assert contacts(text) == ()
