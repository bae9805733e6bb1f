"""Many lines at once are read as each by itself, or not at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from provisioner.config.json_lines import plain_objects

texts = st.text(st.sampled_from(['"', ":", ",", "{", "}", "[", "]", " ", "\t", "\\", "a", "b", "1"]), max_size=14)
values = st.one_of(texts, st.integers(0, 9), st.booleans(), st.none(), st.dictionaries(texts, texts, max_size=2))
objects = st.dictionaries(texts, values, max_size=3).map(json.dumps)
lines = st.lists(st.one_of(objects, texts, texts.map(lambda text: "{" + text)), min_size=1, max_size=4)


def number(text: str) -> str:
    return f"number {text}"


def alone(line: str) -> dict[str, object]:
    """What a line is by itself; ValueError for none, for a key twice and for what is no object."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("a key twice")
        return dict(pairs)

    found = json.loads(line, object_pairs_hook=once, parse_int=number, parse_float=number, parse_constant=number)
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


@settings(max_examples=1500)
@given(lines)
@example(['{"a": 1', '"b": 2},{"c": 3}'])
@example(['{"a": [{}', "{}]}, {}"])
@example(['{"a": "', '"}, {"b": "c"}'])
@example(['{"a" : 1, "a": 2}'])
@example(['{"a"  : 1, "a": 2}', '{"b": "\\":"}'])
@example(['{"a": {"b": 1, "b": 2}}'])
def test_what_is_read_at_once_is_what_is_read_alone(given_lines: list[str]) -> None:
    found = plain_objects(given_lines, number=number)
    if found is not None:
        assert found == [alone(line) for line in given_lines]


def test_plain_lines_are_read_at_once() -> None:
    plain = [f'{{"at": "2026-11-02T09:00:0{n}Z", "ticket": "T-{n}", "kind": "resolved", "n": {n}}}' for n in range(9)]
    found = plain_objects(plain, number=number)
    assert found is not None
    assert found[3] == {"at": "2026-11-02T09:00:03Z", "ticket": "T-3", "kind": "resolved", "n": "number 3"}


@pytest.mark.parametrize(
    "line",
    ['{"a": "b", "a": "c"}', '{"a" : "b"}', '{"a": ["b"]}', "", '{"a": {"b": "c"}}', '{"a": "b"} x', "[1]", "7"],
)
def test_the_control_what_is_not_plain_is_looked_at_closer(line: str) -> None:
    assert plain_objects(['{"a": "b"}', line], number=number) is None
