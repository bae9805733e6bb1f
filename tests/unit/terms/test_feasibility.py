"""Rule 15: deadlines that windows, waves and freezes cannot keep, and an rpo that no interval keeps."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from provisioner.model.mission_terms import Backup, BackupTerms, Deadlines, Missions, SoftwareUpdates, Wave
from provisioner.model.values import NO_TIME, Duration, parse_time
from provisioner.model.window import Freeze, Window
from provisioner.terms.feasibility import Unkept, unkept
from provisioner.testing import make_contract

WEEKLY = "FREQ=WEEKLY;BYDAY=TU"


def promised(critical: str, *, soaks: tuple[str, ...] = (), rrule: str | None = WEEKLY, **more: Any) -> list[Unkept]:
    windows = [] if rrule is None else [rrule]
    updates = SoftwareUpdates(
        windows=tuple(
            Window(name="w", rrule=rule, start=parse_time("22:00"), duration=Duration(4, "h")) for rule in windows
        ),
        waves=tuple(
            Wave(name=f"wave-{n}", count=1, soak=Duration.parse(soak) if soak else NO_TIME)
            for n, soak in enumerate([*soaks, ""])
        ),
        deadlines=Deadlines(critical=Duration.parse(critical)),
        **more,
    )
    contract = make_contract(missions=Missions(software_updates=updates))
    found = list(unkept(contract))
    assert all(one.path == ("missions", "software_updates", "deadlines", "critical") for one in found)
    return found


@pytest.mark.parametrize(
    ("critical", "soaks", "refused"),
    [
        ("1h", (), False),  # one wave: what is known as a window opens is done in it
        ("167h", ("24h",), False),  # the next window is a week later, in the week of the spring night 167 hours
        ("166h", ("24h",), True),
        ("335h", ("24h", "24h"), False),
        ("334h", ("24h", "24h"), True),
        ("1h", ("1h",), False),  # the soak is over while the window is still open
        ("59m", ("1h",), True),
        ("7d", ("4h",), False),  # it is over as the window closes: too late for this one
        ("6d", ("4h",), True),
    ],
)
def test_each_wave_waits_for_a_window_after_the_soak(critical: str, soaks: tuple[str, ...], refused: bool) -> None:
    assert any(one.refused for one in promised(critical, soaks=soaks)) is refused


@pytest.mark.parametrize(
    ("critical", "soaks", "worst"),
    [
        ("6d", (), "6d 21h"),  # known as the window closes; in the week of the autumn night an hour more
        ("165h", (), None),
        ("13d", ("24h",), "13d 21h"),
        ("333h", ("24h",), None),
        ("332h", ("24h",), "13d 21h"),
    ],
)
def test_the_worst_case_is_told_with_its_figure_and_not_refused(
    critical: str, soaks: tuple[str, ...], worst: str | None
) -> None:
    found = promised(critical, soaks=soaks)
    if worst is None:
        assert found == []
    else:
        assert [one.refused for one in found] == [False]
        assert f"after {worst} with these windows, waves and freezes; {critical} is promised" in found[0].message


def test_a_freeze_counts_for_the_worst_case_only() -> None:
    frozen = (Freeze(from_=date(2026, 3, 1), to=date(2026, 3, 31), reason="audit"),)
    assert promised("7d") == []
    found = promised("7d", freezes=frozen)
    assert [one.refused for one in found] == [False]
    # closes Wed 25 February at 02:00; the night of Tue 31 March is free from midnight on, in summer time
    assert "after 34d 21h" in found[0].message


def test_without_windows_only_soaks_and_freezes_delay() -> None:
    assert promised("24h", soaks=("24h",), rrule=None) == []
    assert [one.refused for one in promised("23h", soaks=("24h",), rrule=None)] == [True]
    found = promised("24h", rrule=None, freezes=(Freeze(from_=date(2026, 3, 2), to=date(2026, 3, 3), reason="x"),))
    assert "after 2d with" in found[0].message


def test_windows_that_come_to_an_end_keep_nothing_after_it() -> None:
    found = promised("30d", rrule=f"{WEEKLY};UNTIL=20260601")
    assert [one.refused for one in found] == [False]
    assert "may be on every machine never" in found[0].message
    once = promised("90d", soaks=("24h",), rrule=f"{WEEKLY};COUNT=1")
    assert [one.refused for one in once] == [True]


def test_no_promise_is_none_broken() -> None:
    assert list(unkept(make_contract())) == []
    assert list(unkept(make_contract(missions=Missions(software_updates=SoftwareUpdates())))) == []


def rpos(rpo: str, **groups: str) -> list[Unkept]:
    terms = {name: BackupTerms(rpo=Duration.parse(own)) for name, own in groups.items()}
    backup = Backup(rpo=Duration.parse(rpo), groups=terms)
    return list(unkept(make_contract(missions=Missions(backup=backup))))


@pytest.mark.parametrize(
    ("rpo", "refused", "said"),
    [
        ("17m", True, "17m cannot be kept: every 15m and up to 3m of delay add up to more"),
        ("18m", False, "18m leaves 0m for a run: every 15m and up to 3m of delay take the rest"),
        ("47m", False, "47m leaves 29m for a run: every 15m and up to 3m of delay take the rest"),
    ],
)
def test_an_rpo_shorter_than_the_smallest_interval_is_refused_and_one_just_longer_told(
    rpo: str, refused: bool, said: str
) -> None:
    assert rpos(rpo) == [Unkept(("missions", "backup", "rpo"), said, refused)]


def test_an_rpo_with_room_for_a_run_is_not_spoken_of() -> None:
    assert rpos("48m") == [] and rpos("26h") == []


def test_the_rpo_of_a_group_is_looked_at_too() -> None:
    (one,) = rpos("26h", servers="10m", kiosks="4h")
    assert (one.path, one.refused) == (("missions", "backup", "groups", "servers", "rpo"), True)
