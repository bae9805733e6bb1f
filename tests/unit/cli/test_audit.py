"""What the flags of audit.* mean."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from provisioner.cli.audit.flags import filled, instant_of
from provisioner.cli.audit.reading import log, verify
from provisioner.errors import UsageError


@pytest.mark.parametrize(
    ("text", "whole_day", "expected"),
    [
        ("", True, None),
        ("2026-11-23", False, datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-23", True, datetime(2026, 11, 24, tzinfo=UTC)),
        ("9999-12-31", True, None),
        ("9999-12-31", False, datetime(9999, 12, 31, tzinfo=UTC)),
        ("2026-11-23T14:00:00Z", True, datetime(2026, 11, 23, 14, tzinfo=UTC)),
    ],
)
def test_a_day_ends_where_the_next_one_begins(text: str, whole_day: bool, expected: datetime | None) -> None:
    assert instant_of("until", text, whole_day=whole_day) == expected


@pytest.mark.parametrize("text", ["2026-02-30", "yesterday", "2026-11-23T14:00:00"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--since"):
        instant_of("since", text, whole_day=False)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_an_instant_beyond_the_calendar_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match=r"--since .* is beyond the years 1 to 9999"):
        instant_of("since", text, whole_day=False)
    with pytest.raises(Exit) as ended:
        log(Context(), client="demo", since=text)
    assert ended.value.code == 2
    assert "--since" in capsys.readouterr().err


def test_a_flag_that_was_not_typed_is_empty_and_one_that_was_has_a_value() -> None:
    assert filled("witness", None) == ""
    assert filled("witness", "w1,") == "w1,"
    for empty in ("", " ", ",", " , "):
        with pytest.raises(UsageError, match="--witness was given, but is empty"):
            filled("witness", empty)


@pytest.mark.parametrize("where", [{"client": "demo"}, {"bundle": "bundle.tar.gz"}], ids=["client", "bundle"])
@pytest.mark.parametrize(
    ("flag", "value"), [("checkpoint", ""), ("key_fingerprint", ""), ("witness", ","), ("time_authority", "")]
)
def test_verification_compares_with_something_or_does_not_begin(
    capsys: pytest.CaptureFixture[str], where: dict[str, str], flag: str, value: str
) -> None:
    with pytest.raises(Exit) as ended:
        verify(Context(), **where, **{flag: value})
    assert ended.value.code == 2
    assert f"--{flag.replace('_', '-')} was given, but is empty" in capsys.readouterr().err


def test_a_log_and_a_bundle_are_not_verified_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exit) as ended:
        verify(Context(), client="demo", bundle="bundle.tar.gz")
    assert ended.value.code == 2
    assert "--client and --bundle were both given" in capsys.readouterr().err
