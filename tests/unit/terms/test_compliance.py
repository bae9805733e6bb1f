"""Deadlines for updates: what the last scan of a machine proves, and what it does not."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.advisory import Severity, Unaged
from provisioner.model.compliance import Compliance
from provisioner.model.mission_terms import Deadlines
from provisioner.model.service_event import Scan
from provisioner.model.values import Duration
from provisioner.terms.compliance import compliance

DAY = 86_400
DEADLINES = Deadlines(critical=Duration(21, "d"), other=Duration(45, "d"))
NOW = 1_800_000_000
SCANNED = NOW - DAY


def scan(at: int = SCANNED, reason: Unaged | None = None, **days: int) -> Scan:
    """A scan; `days` are how long, at the scan, the oldest update of a severity was known."""
    oldest = {severity: at - age * DAY for severity, age in days.items()}
    dated = date(2026, 11, 1) if reason is Unaged.STALE_ADVISORIES else None
    return Scan(at, 1, "ws-01", None if reason else oldest, reason, dated)


def state(one: Scan | None, *, at: int = NOW, deadlines: Deadlines = DEADLINES) -> tuple[Compliance, str]:
    (found,) = compliance(deadlines, ["ws-01"], {"ws-01": one} if one else {}, at=at)
    return found.state, found.reason


WITHIN, PAST = (Compliance.WITHIN, ""), (Compliance.PAST, "")
CASES: list[tuple[str, Scan | None, tuple[Any, str]]] = [
    ("nothing is missing", scan(), WITHIN),
    ("known for twenty days", scan(critical=19, other=40), WITHIN),
    ("on the day itself", scan(NOW, critical=21, other=45), WITHIN),
    ("critical is late", scan(critical=22), PAST),
    ("other is late", scan(critical=1, other=46), PAST),
    ("what is late as critical is not as other", scan(other=22), WITHIN),
    ("never scanned", None, (Compliance.NOT_EVALUABLE, "never_scanned")),
    ("no advisories", scan(reason=Unaged.NO_ADVISORIES), (Compliance.NOT_EVALUABLE, "no_advisories")),
    ("stale ones", scan(reason=Unaged.STALE_ADVISORIES), (Compliance.NOT_EVALUABLE, "stale_advisories")),
    ("another release", scan(reason=Unaged.OTHER_RELEASE), (Compliance.NOT_EVALUABLE, "other_release")),
    ("not read whole", scan(reason=Unaged.INCOMPLETE), (Compliance.NOT_EVALUABLE, "incomplete")),
    ("in time at the scan, late by now", scan(NOW - 3 * DAY, critical=19), (Compliance.NOT_EVALUABLE, "scan_too_old")),
    ("a scan of two months ago", scan(NOW - 60 * DAY), (Compliance.NOT_EVALUABLE, "scan_too_old")),
    ("late at a scan of two months ago", scan(NOW - 60 * DAY, critical=22), PAST),
]


@pytest.mark.parametrize(("title", "one", "expected"), CASES, ids=[case[0] for case in CASES])
def test_a_machine_under_the_deadlines(title: str, one: Scan | None, expected: tuple[Compliance, str]) -> None:
    assert state(one) == expected, title


def test_a_contract_without_deadlines_and_with_one() -> None:
    assert state(scan(critical=99), deadlines=Deadlines()) == (Compliance.NOT_EVALUABLE, "no_deadlines")
    only = Deadlines(critical=Duration(21, "d"))
    assert state(scan(other=99), deadlines=only) == WITHIN
    assert state(scan(critical=22), deadlines=only) == PAST


def test_every_machine_once_and_when_it_is_due() -> None:
    found = compliance(DEADLINES, ["ws-02", "ws-01"], {"ws-01": scan(critical=5), "ws-09": scan()}, at=NOW)
    assert [(one.asset, one.state) for one in found] == [("ws-02", "not_evaluable"), ("ws-01", "within")]
    assert (found[1].scanned, found[1].due) == (SCANNED, {Severity.CRITICAL: SCANNED + 16 * DAY})


ages = st.dictionaries(st.sampled_from(["critical", "other"]), st.integers(0, 100))


@given(ages, st.integers(0, 100))
def test_within_is_said_only_where_nothing_can_be_late(known: dict[str, int], ago: int) -> None:
    found, _ = state(scan(NOW - ago * DAY, **known))
    limits = {"critical": 21, "other": 45}
    late_then = any(age > limits[severity] for severity, age in known.items())
    assert (found is Compliance.PAST) == late_then
    if found is Compliance.WITHIN:
        assert all(age + ago <= limits[severity] for severity, age in known.items()) and ago <= 21
    elif not late_then:
        assert ago > 21 or any(age + ago > limits[severity] for severity, age in known.items())
