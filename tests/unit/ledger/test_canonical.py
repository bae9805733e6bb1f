from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import LedgerError
from provisioner.ledger import canonical

text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers(-canonical.INTEGER_LIMIT, canonical.INTEGER_LIMIT) | text
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)


class Colour(StrEnum):
    RED = "red"


@given(values)
def test_bytes_are_those_of_an_outside_rfc_8785(value: object) -> None:
    assert canonical.render(value) == rfc8785.dumps(value)


@given(values)
def test_parse_is_the_inverse_of_render(value: object) -> None:
    line = canonical.render(value)
    assert canonical.parse(line) == value
    assert canonical.render(canonical.parse(line)) == line


def test_keys_sort_by_utf_16_code_units() -> None:
    # U+1F600 is D83D DE00 in UTF-16: before U+FB33, though after it as a code point (RFC 8785, section 3.2.3).
    assert canonical.render({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


@pytest.mark.parametrize(
    "value",
    [
        0.5,
        1.0,
        float("nan"),
        2**53,
        -(2**53),
        b"bytes",
        {1: "a"},
        {"a": {"b": [0.1]}},
        {"\ud800": 1},
        "\udfff",
        object(),
    ],
)
def test_what_json_has_no_exact_word_for_is_refused(value: object) -> None:
    with pytest.raises(LedgerError):
        canonical.render(value)


def test_a_refusal_names_the_path() -> None:
    with pytest.raises(LedgerError, match=r"\.assets\[0\]\.seconds: 0\.5"):
        canonical.render({"assets": [{"seconds": 0.5}]})


def test_enumerations_tuples_and_aware_instants_become_text_and_lists() -> None:
    at = datetime(2026, 11, 23, 15, 0, tzinfo=timezone(timedelta(hours=1)))
    assert canonical.render({"a": Colour.RED, "b": (1, at)}) == b'{"a":"red","b":[1,"2026-11-23T14:00:00Z"]}'


@pytest.mark.parametrize(
    "line",
    [
        b'{"b":1,"a":2}',
        b'{"a":1,"a":2}',
        b'{"a": 1}',
        b'{"a":1}\n',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":-0}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":9007199254740992}',
        b'"\\u0061"',
        b'"\\/"',
        b'"\\u000A"',
        b'"\\ud800"',
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b"",
        b"{",
        b"[" * 100_000,
    ],
)
def test_lines_that_are_not_canonical_are_refused(line: bytes) -> None:
    with pytest.raises(LedgerError):
        canonical.parse(line)


def test_text_is_not_normalised() -> None:
    assert canonical.parse(canonical.render("e\u0301")) == "e\u0301"
    assert canonical.render("e\u0301") != canonical.render("\u00e9")


@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_round_trip(at: datetime) -> None:
    assert canonical.parse_instant(canonical.instant(at)) == at


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(LedgerError, match="no time zone"):
        canonical.instant(datetime(2026, 11, 23))  # noqa: DTZ001
    with pytest.raises(LedgerError, match="no time zone"):
        canonical.render({"at": datetime(2026, 11, 23)})  # noqa: DTZ001


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-23",
        "2026-11-23T14:00:00",
        "2026-11-23T14:00:00+00:00",
        "2026-11-23T14:00:00.5Z",
        "20261123T140000Z",
        "x",
    ],
)
def test_an_instant_has_one_form(written: str) -> None:
    with pytest.raises(LedgerError):
        canonical.parse_instant(written)


@pytest.mark.parametrize("written", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_an_instant_beyond_the_calendar_is_refused(written: str) -> None:
    with pytest.raises(LedgerError, match="beyond the years 1 to 9999"):
        canonical.parse_instant(written)
    with pytest.raises(LedgerError, match="beyond the years 1 to 9999"):
        canonical.instant(datetime.fromisoformat(written))
