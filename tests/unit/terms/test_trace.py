"""The trace of a measurement: each stretch of time, whether it counted and why (not); holidays used (rule 14)."""

from __future__ import annotations

from datetime import date

from tests.unit.terms._tickets import at, measured, objective, terms

RESOLUTION = objective("resolution", "resolution_time", "8h", calendar="office")


def test_every_stretch_says_why() -> None:
    lines = [
        "2026-11-10 17:00 opened P2",
        "2026-11-12 09:00 held client",
        "2026-11-12 10:00 resumed",
        "2026-11-12 10:30 held third_party",
        "2026-11-12 11:00 resolved",
        "2026-11-12 11:30 reopened",
    ]
    (found,) = measured(terms(RESOLUTION), lines, "2026-11-12 12:00", traced=True).values()
    assert found.trace == tuple(
        (at(start), at(end), counted, why, detail)
        for start, end, counted, why, detail in (
            ("2026-11-10 17:00", "2026-11-10 18:00", True, "service", ""),
            ("2026-11-10 18:00", "2026-11-11 00:00", False, "closed", ""),
            ("2026-11-11 00:00", "2026-11-12 00:00", False, "holiday", "Armistice Day"),
            ("2026-11-12 00:00", "2026-11-12 08:00", False, "closed", ""),
            ("2026-11-12 08:00", "2026-11-12 09:00", True, "service", ""),
            ("2026-11-12 09:00", "2026-11-12 10:00", False, "hold", "client"),
            ("2026-11-12 10:00", "2026-11-12 10:30", True, "service", ""),
            ("2026-11-12 10:30", "2026-11-12 11:00", True, "hold", "third_party"),
            ("2026-11-12 11:00", "2026-11-12 11:30", False, "resolved", ""),
            ("2026-11-12 11:30", "2026-11-12 12:00", True, "service", ""),
        )
    )
    assert [one.day for one in found.holidays] == [date(2026, 11, 11)]


def test_a_holiday_that_only_the_due_instant_rests_on_is_listed_too() -> None:
    lines = ["2026-11-10 16:00 opened P2", "2026-11-10 17:00 resolved"]
    (found,) = measured(terms(RESOLUTION), lines, "2026-11-10 18:00", traced=True).values()
    assert found.due == at("2026-11-12 16:00")
    assert [one.day for one in found.holidays] == [date(2026, 11, 11)]


def test_without_being_asked_for_there_is_no_trace() -> None:
    (found,) = measured(terms(RESOLUTION), ["2026-11-10 16:00 opened P2"], "2026-11-12 18:00").values()
    assert (found.trace, found.holidays) == ((), ())
