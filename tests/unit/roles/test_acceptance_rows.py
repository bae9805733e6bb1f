"""The rows of the acceptance table: what is personal says so, what cannot be read fails."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "roles" / "acceptance" / "module_utils"))

import acceptance_rows  # type: ignore[import-not-found]


def read(check: dict[str, object]) -> list[dict[str, object]]:
    return [acceptance_rows.compare(f"account {check['asked']}", "exists", "exists")]


def broken(check: dict[str, object]) -> list[dict[str, object]]:
    raise OSError("no such thing")


READERS = {"account": read, "broken": broken}


def test_the_rows_of_a_personal_check_are_marked() -> None:
    personal, other = (
        acceptance_rows.table([{"name": "n", "kind": "account", "asked": "anne", **more}], READERS)[0]
        for more in ({"personal": True}, {})
    )
    assert personal == {**other, "personal": True}
    assert "personal" not in other


def test_what_cannot_be_read_is_a_failed_row_and_stays_personal() -> None:
    (found,) = acceptance_rows.table([{"name": "n", "kind": "broken", "asked": "anne", "personal": True}], READERS)
    assert (found["result"], found["personal"]) == ("fail", True)
    assert "no such thing" in found["found"]
