"""Strict YAML: a tree of text with positions, or a sentence; nothing in between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.config.yaml import Bounds, Mark, Node, parse
from provisioner.errors import ConfigurationError


def read(text: str, **bounds: int) -> Node:
    return parse(text.encode(), file="f.yml", bounds=Bounds(**bounds))


def refused(text: str, **bounds: int) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(text, **bounds)
    return str(caught.value)


@pytest.mark.parametrize("text", ["22:30", "NO", "on", "010", "1e3", ".nan", "2026-02-29", "0x10", "1_000", "true"])
def test_every_scalar_is_text(text: str) -> None:
    assert read(f"a: {text}").value == {"a": Node(Mark(1, 4), text)}


@pytest.mark.parametrize(
    ("text", "value"), [("~", None), ("null", None), ("", None), ('"null"', "null"), ("''", ""), ("Null", "Null")]
)
def test_only_plain_nothing_is_nothing(text: str, value: str | None) -> None:
    node = read(f"a: {text}").value
    assert isinstance(node, dict)
    assert node["a"].value == value


def test_values_and_keys_know_their_place() -> None:
    root = read("a: 1\nbé: [x,\n   y]\n")
    assert root.keys == {"a": Mark(1, 1), "bé": Mark(2, 1)}
    assert isinstance(root.value, dict)
    assert root.value["bé"].value == (Node(Mark(2, 6), "x"), Node(Mark(3, 4), "y"))


def test_an_empty_file_is_nothing() -> None:
    assert read("# only a comment\n").value is None


def test_the_bounds_hold_and_what_is_just_inside_passes() -> None:
    assert read("[" * 5 + "]" * 5, depth=5)
    assert refused("[" * 6 + "]" * 6, depth=5) == "f.yml:1:6: nested deeper than 5 levels"
    assert read("[a, b]", nodes=3)
    assert refused("[a, b, c]", nodes=3) == "f.yml:1:8: more than 3 values"
    assert read("a" * 1024, size=1024)
    assert refused("a" * 1025, size=1024) == "f.yml: is longer than the 1 KiB that are allowed"


texts = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=20)
trees = st.recursive(
    texts, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)


def written(tree: object) -> str:
    """A tree as flow YAML with every scalar in single quotes."""
    if isinstance(tree, str):
        return "'" + tree.replace("'", "''") + "'"
    if isinstance(tree, list):
        return "[" + ", ".join(map(written, tree)) + "]"
    assert isinstance(tree, dict)
    return "{" + ", ".join(f"{written(key)}: {written(value)}" for key, value in tree.items()) + "}"


def unmarked(node: Node) -> object:
    if isinstance(node.value, tuple):
        return [unmarked(item) for item in node.value]
    return {key: unmarked(item) for key, item in node.value.items()} if isinstance(node.value, dict) else node.value


@given(trees)
def test_what_is_written_is_read_back(tree: object) -> None:
    assert unmarked(read(written(tree), depth=100)) == tree


@given(st.binary(max_size=200))
def test_any_bytes_are_a_tree_or_a_sentence(data: bytes) -> None:
    try:
        parse(data, file="f.yml", bounds=Bounds())
    except ConfigurationError as error:
        assert str(error).startswith("f.yml")


@given(st.text(alphabet="ab:-[]{},&*!|>'\"#%@?<~ \n\t\\\r\u2028\x85é", max_size=60))
def test_any_punctuation_is_a_tree_or_a_sentence(text: str) -> None:
    try:
        read(text)
    except ConfigurationError as error:
        assert str(error).startswith("f.yml")
