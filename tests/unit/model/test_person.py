"""A person's name in texts: every way to type it, and no other word."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.person import ERASED, blanked, occurrences, same_name
from provisioner.model.person import _folded as folded
from provisioner.model.person import _places as places


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("call Jane Doe today", "jane doe"),
        ("JANE\n  DOE", "Jane Doe"),
        (normalize("NFD", "René Müller"), "René Müller"),
        ("René Müller", normalize("NFD", "rené müller")),
        ("Frau STRASSER", "straßer"),
        ("d\u2019Aubigné", "D'AUBIGNÉ"),
        ("'Jane O''Neil'", "Jane O'Neil"),
        ("<jane.doe@example.org>", "jane.doe@example.org"),
        ("联系人王小明电话", "王小明"),
        ("(Jane)", "Jane"),
        ("Jane", " Jane "),
    ],
)
def test_found(text: str, name: str) -> None:
    assert len(occurrences(text, name)) == 1
    assert ERASED in blanked(text, [name])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Janet Doering", "Jane"),
        ("Mary-Jane2", "Jane"),
        ("Jane\u0301", "Jane"),
        ("jane_doe", "jane"),
        ("Jane", ""),
        ("Jane", "  "),
        ("", "Jane"),
        ("a.b", "aXb"),
        ("aXb", "a.b"),
    ],
)
def test_not_found(text: str, name: str) -> None:
    assert occurrences(text, name) == []
    assert blanked(text, [name]) == text


def test_what_is_blanked_is_the_name_with_its_accents_and_nothing_else() -> None:
    text = "to: " + normalize("NFD", "José") + ", José; and josé."
    assert blanked(text, ["JOSÉ"]) == f"to: {ERASED}, {ERASED}; and {ERASED}."
    assert blanked("Jane Doe, +33 1, Jane", ["jane", "Jane Doe, +33 1"]) == f"{ERASED}, {ERASED}"


def test_the_same_name() -> None:
    assert same_name("Jane  Doe", "JANE doe") and same_name("É", normalize("NFD", "é"))
    assert not same_name("Jane", "Jane Doe")


names = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Mn", "Nd"]), min_size=1, max_size=12)
texts = st.text(max_size=40)
forms = st.sampled_from(
    [str.upper, str.casefold, lambda text: normalize("NFC", text), lambda text: normalize("NFD", text)]
)


@given(texts, names, texts, forms)
def test_no_name_is_left_in_whatever_form(before: str, name: str, after: str, form: object) -> None:
    assert callable(form)
    left = blanked(f"{before} {name} | {form(name.casefold())} {after}", [name])
    assert occurrences(left.replace(ERASED, "|"), name) == []


@given(texts, names)
def test_a_text_without_the_name_is_unchanged(text: str, name: str) -> None:
    assert (blanked(text, [name]) == text) == (occurrences(text, name) == [])


@given(texts)
def test_each_folded_character_has_a_place(text: str) -> None:
    assert len(places(text)) == len(folded(text))
