"""No known secret survives in any form; what is no secret is not touched."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from provisioner.model.asset import HIDDEN
from provisioner.model.redaction import REDACTED, SHORT, forms, redacted, redactor, secrets_of
from provisioner.testing import make_asset

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = 'h"nter/2 é+='

letters = st.characters(exclude_categories=["Cs"], exclude_characters=REDACTED)
texts = st.text(letters, max_size=40)
secrets = st.text(letters, min_size=SHORT, max_size=24).filter(lambda text: len(text.strip()) >= SHORT)


def as_base64(secret: str, before: bytes = b"") -> str:
    return b64encode(before + secret.encode()).decode()


WAYS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "base64": as_base64,
    "base64, urlsafe": lambda secret: urlsafe_b64encode(secret.encode()).decode(),
    "url": lambda secret: quote(secret, safe=""),
    "url, slashes kept": quote,
    "url, in lower case": lambda secret: re.sub("%..", lambda found: found[0].lower(), quote(secret, safe="")),
    "a form": quote_plus,
    "hex": lambda secret: secret.encode().hex(),
    "HEX": lambda secret: secret.encode().hex().upper(),
    "json": lambda secret: json.dumps(secret)[1:-1],
    "json in UTF-8": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "python": lambda secret: repr(secret)[1:-1],
}


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_found_in_each_form(way: str) -> None:
    written = WAYS[way](SECRET)
    text = f"cannot join: {written}; next"
    assert redactor(["another"])(text) == text, "the control"
    assert redactor([SECRET])(text) == f"cannot join: {REDACTED}; next"


@pytest.mark.parametrize("before", [b"", b"u", b"us", b"technician:"])
def test_a_secret_inside_a_longer_encoded_text_is_found(before: bytes) -> None:
    text = f"Authorization: Basic {as_base64('correct horse', before)}"
    assert REDACTED in redactor(["correct horse"])(text)
    assert as_base64("correct horse")[4:-4] not in redactor(["correct horse"])(text)


@given(texts, st.lists(secrets, min_size=1, max_size=4), texts, st.sampled_from(sorted(WAYS)))
def test_no_secret_survives_in_any_form(before: str, known: list[str], after: str, way: str) -> None:
    hidden = redactor(known)(before + WAYS[way](known[0]) + after + known[-1])
    for secret in known:
        for form in forms(secret):
            assert form not in hidden


@given(texts, texts, texts)
def test_text_without_a_secret_is_unchanged(before: str, after: str, secret: str) -> None:
    text = before + after
    assume(len(secret) >= SHORT and not any(form in text for form in forms(secret)))
    assert redactor([secret, ""])(text) == text


@given(st.lists(secrets, max_size=3), texts)
def test_the_order_of_the_secrets_does_not_matter(known: list[str], text: str) -> None:
    whole = text.join(known)
    assert redactor(known)(whole) == redactor(known[::-1])(whole)


def test_of_secrets_that_overlap_nothing_is_left() -> None:
    assert redactor(["abcd", "cdef"])("abcdef") == REDACTED
    assert redactor(["abc", "abcdef"])("abcdef") == REDACTED
    assert redactor(["bcd", "abcdef"])("abcdef") == REDACTED
    assert redactor(["hunter2"])("hunter2hunter2") == REDACTED


def test_a_short_secret_is_hidden_as_a_word_of_its_own() -> None:
    assert redactor(["12"])("the PIN is 12, of 1200 tries") == f"the PIN is {REDACTED}, of 1200 tries"
    assert redactor(["x"])("x, y: text x") == f"{REDACTED}, y: text {REDACTED}"


def test_a_secret_with_blank_space_is_hidden_without_it() -> None:
    assert redactor(["hunter2\n"])("is hunter2.") == f"is {REDACTED}."
    assert redactor(["two  words"])("says two words.") == f"says {REDACTED}."


def test_every_text_of_a_structure_but_the_names() -> None:
    body = {
        "assets": [{"name": "canary", "checks": [{"name": "of canary", "asked": None}]}],
        "ticket": "canary-7",
        "simulated": True,
        "ok": 3,
    }
    assert redacted(body, redactor(["canary"]), names=frozenset({"assets[].name"})) == {
        "assets": [{"name": "canary", "checks": [{"name": f"of {REDACTED}", "asked": None}]}],
        "ticket": f"{REDACTED}-7",
        "simulated": True,
        "ok": 3,
    }


WIFI = [{"name": "office", "password": "hunter2"}, {"name": "guest"}]
HIDDEN_WIFI = [{"name": "office", "password": HIDDEN}, {"name": "guest"}]
KEYFILE = "[wireguard]\nprivate-key=0123456789abcdef=\n[peer]\n"


def test_the_secrets_of_an_asset_are_those_of_its_connection_and_of_its_roles() -> None:
    asset = make_asset(
        secrets={"become_password": "b3come", "password": ""},
        variables={"wifi": HIDDEN_WIFI, "vpn": HIDDEN, "files": HIDDEN, "flag": HIDDEN},
        confidential={"wifi": WIFI, "vpn": KEYFILE, "files": {"ca.pem": ["deep"], "pin": 4711}, "flag": True},
    )
    assert secrets_of(asset) == (
        "b3come",
        "hunter2",
        KEYFILE,
        "[wireguard]",
        "private-key=0123456789abcdef=",
        "0123456789abcdef=",
        "deep",
        "4711",
    )


def test_what_is_not_known_to_be_shown_is_a_secret() -> None:
    asset = make_asset(variables={"wifi": HIDDEN_WIFI[:1]}, confidential={"wifi": WIFI, "alone": "secret"})
    assert {"hunter2", "guest", "secret"} <= set(secrets_of(asset))
