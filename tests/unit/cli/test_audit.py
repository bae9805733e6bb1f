"""What the flags of audit.* mean."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from provisioner.cli.audit.flags import instant_of
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
