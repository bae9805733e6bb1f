"""What is typed for a service event: instants on the wall, and flags to events."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from provisioner.cli.typed import event_of, instant_of, length, local
from provisioner.errors import UsageError
from provisioner.model.service_event import AssetEvent, TicketEvent
from provisioner.model.values import Cause, Duration, Party

PARIS = "Europe/Paris"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24T09:12", "2026-11-24T08:12:00"),
        ("2026-11-24 09:12:30", "2026-11-24T08:12:30"),
        ("2026-07-24T09:12", "2026-07-24T07:12:00"),
        ("2026-11-24T09:12Z", "2026-11-24T09:12:00"),
        ("2026-11-24T09:12:00-03:00", "2026-11-24T12:12:00"),
        ("2026-03-29T01:59:59", "2026-03-29T00:59:59"),
        ("2026-03-29T03:00", "2026-03-29T01:00:00"),
        ("2026-10-25T02:30+02:00", "2026-10-25T00:30:00"),
        ("2026-10-25T02:30+01:00", "2026-10-25T01:30:00"),
    ],
)
def test_wall_time_is_that_of_the_zone_and_an_offset_decides(text: str, expected: str) -> None:
    assert datetime.fromtimestamp(instant_of("at", text, zone=PARIS), UTC).isoformat() == f"{expected}+00:00"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-03-29T02:30", r"never showed 2026-03-29 02:30"),
        ("2026-10-25T02:30", r"showed 2026-10-25 02:30 twice"),
        ("2026-11-24", "no instant"),
        ("09:12", "no instant"),
        ("yesterday, at noon", "no instant"),
        ("2026-11-24T09:12:00.5", "no instant"),
        ("2026-02-30T09:12:00", "no instant"),
        ("0001-01-01T00:00:00+01:00", "beyond the years"),
    ],
)
def test_what_names_no_one_instant_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        instant_of("at", text, zone=PARIS)


def test_both_offsets_of_a_repeated_hour_are_named() -> None:
    with pytest.raises(UsageError) as refused:
        instant_of("at", "2026-10-25T02:30", zone=PARIS)
    assert refused.value.hint.endswith("+02:00 or +01:00")


def test_without_one_zone_an_offset_is_needed() -> None:
    with pytest.raises(UsageError, match="several time zones"):
        instant_of("at", "2026-11-24T09:12", zone="")
    assert instant_of("at", "2026-11-24T09:12Z", zone="") == 1795511520


def test_flags_become_the_event_they_say() -> None:
    opened = event_of("opened", {"at": 0, "ticket": "", "priority": "P1", "asset": "", "mission": "", "spent": "45m"})
    assert isinstance(opened, TicketEvent)
    assert (opened.ticket, opened.asset, opened.spent) == ("", None, Duration(45, "m"))
    replied = event_of("replied", {"at": 0, "ticket": "T-1", "by": "client", "spent": ""})
    assert isinstance(replied, TicketEvent) and replied.by is Party.CLIENT
    down = event_of("down", {"at": 0, "asset": "ws-01", "cause": "force_majeure"})
    assert isinstance(down, AssetEvent) and down.cause is Cause.FORCE_MAJEURE


@pytest.mark.parametrize(
    ("kind", "said", "message"),
    [
        ("opened", {}, "--priority is missing"),
        ("opened", {"priority": "high"}, "--priority: expected a priority such as P1"),
        ("opened", {"priority": "P1", "mission": "setup"}, "--mission: expected one of workstation_setup"),
        ("opened", {"priority": "P1", "spent": "0m"}, "--spent: expected time spent"),
        ("opened", {"priority": "P1", "ticket": "a" * 65}, "--ticket: expected the name of a ticket"),
        ("responded", {}, "--ticket is missing"),
        ("replied", {"ticket": "T-1", "by": "us"}, "--by: expected one of client, provider"),
        ("held", {"ticket": "T-1"}, "--cause is missing"),
        ("maintenance", {"asset": "ws-01"}, "--until is missing"),
        ("maintenance", {"asset": "ws-01", "until": 5}, "--until: the maintenance ends before it begins"),
        ("down", {"asset": "WS 01"}, "--asset: expected a host name"),
    ],
)
def test_a_flag_that_is_missing_or_cannot_be_is_named(kind: str, said: dict[str, str | int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        event_of(kind, {"at": 10, **said})


def test_instants_and_lengths_as_people_read_them() -> None:
    assert local(1795511520, PARIS) == "2026-11-24 10:12+01:00"
    assert local(1795511521, "") == "2026-11-24 09:12:01+00:00"
    assert [length(s) for s in (0, 59, 60, 3660, 27000, -5288)] == ["0m", "59s", "1m", "1h 1m", "7h 30m", "-1h 28m 8s"]
