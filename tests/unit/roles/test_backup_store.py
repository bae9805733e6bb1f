"""What a store believes, copies and forgets: the pure part of the job of the role backup_store."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

FILES = Path(__file__).parents[3] / "roles/backup_store/files"
sys.path.insert(0, str(FILES))

import backup_store_rules as rules  # noqa: E402
import backup_store_status as status  # noqa: E402
from backup_store_restic import Outcome  # noqa: E402

sys.path.remove(str(FILES))

NOW = datetime(2026, 11, 30, 12, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PERIODS = {"hourly": 1, "daily": 24, "weekly": 7 * 24, "monthly": 31 * 24, "yearly": 366 * 24}

Snapshot = rules.Snapshot


def snapshot(name: str, arrived: datetime, *tags: str, time: datetime | None = None, original: str = "") -> Any:
    return Snapshot(name, time or arrived - SECOND, arrived, tags, original)


instants = st.datetimes(datetime(2020, 1, 1), datetime(2026, 11, 30), timezones=st.just(UTC))  # noqa: DTZ001
DAYS = [NOW - timedelta(days=n) for n in (0, 1, 7, 40, 400)]
clusters = st.builds(lambda day, late: day + timedelta(minutes=late), st.sampled_from(DAYS), st.integers(-90, 90))
tags = st.lists(st.sampled_from(["manifest", "run:a", "run:b", "other"]), max_size=3).map(tuple)
keeps = st.dictionaries(st.sampled_from(sorted(PERIODS)), st.integers(0, 5))


@st.composite
def snapshot_lists(draw: Any) -> list[Any]:
    rows = draw(st.lists(st.tuples(instants | clusters, instants, tags), max_size=25))
    return [Snapshot(f"{n:02d}", time, arrived, tag) for n, (arrived, time, tag) in enumerate(rows)]


# --- the gate


@pytest.mark.parametrize(
    ("late", "code"),
    [
        (timedelta(seconds=-120), None),
        (timedelta(seconds=-120, microseconds=-1), "forged_time"),
        (timedelta(0), None),
        (timedelta(hours=24), None),
        (timedelta(hours=24, microseconds=1), "forged_time"),
        (timedelta(days=-1500), "forged_time"),
        (timedelta(days=1500), "forged_time"),
    ],
)
def test_the_gate_at_its_edges(late: timedelta, code: str | None) -> None:
    found = rules.doubt(snapshot("a", NOW, time=NOW - late))
    assert (found and found[0]) == code


def test_a_clock_that_is_wrong_by_a_day_is_named() -> None:
    code, text = rules.doubt(snapshot("a", NOW, time=NOW + timedelta(days=1)))
    assert (code, text) == ("forged_time", "its time, 2026-12-01T12:30:00Z, is 24.0 hours after its arrival")
    code, text = rules.doubt(snapshot("a", NOW, time=NOW - timedelta(days=2)))
    assert (code, text) == ("forged_time", "its time, 2026-11-28T12:30:00Z, is 2.0 days before its arrival")


def test_what_says_it_was_made_of_another_would_pass_for_it() -> None:
    assert rules.doubt(snapshot("a", NOW, original="b" * 64))[0] == "forged_origin"
    assert rules.doubt(Snapshot("a", None, NOW))[0] == "forged_time"


NO_INSTANTS = ("", "2026-11-30T20:11:39", "yesterday", "0000-00-00T00:00:00Z", "99999-01-01T00:00:00Z", None, 7)


@pytest.mark.parametrize("text", [*NO_INSTANTS, "0001-01-01T00:00:00+23:59"])
def test_what_is_no_instant_is_none(text: Any) -> None:
    assert rules.instant(text) is None


def test_instants_as_restic_writes_them() -> None:
    seen = rules.instant("2026-11-30T21:11:39.631055734+01:00")
    assert seen == datetime(2026, 11, 30, 20, 11, 39, 631055, UTC)


# --- retention


@given(snapshot_lists(), keeps, st.randoms(use_true_random=False))
def test_retention_never_looks_at_the_time_of_an_agent(snapshots: list[Any], keep: dict[str, int], random: Any) -> None:
    times = [each.time for each in snapshots]
    random.shuffle(times)
    lied = [Snapshot(s.id, time, s.arrived, s.tags) for s, time in zip(snapshots, times, strict=True)]
    assert rules.retained(lied, keep, NOW) == rules.retained(snapshots, keep, NOW)


@given(snapshot_lists(), keeps)
def test_the_newest_three_of_each_kind_stay(snapshots: list[Any], keep: dict[str, int]) -> None:
    stay = rules.retained(snapshots, keep, NOW)
    for manifest in (False, True):
        kind = sorted((s for s in snapshots if ("manifest" in s.tags) is manifest), key=lambda s: (s.arrived, s.id))
        assert {s.id for s in kind[-3:]} <= stay


@given(snapshot_lists(), keeps)
def test_what_is_younger_than_the_smallest_kept_span_stays(snapshots: list[Any], keep: dict[str, int]) -> None:
    spans = [PERIODS[name] for name, count in keep.items() if count]
    stay = rules.retained(snapshots, keep, NOW)
    young = [s for s in snapshots if not spans or NOW - s.arrived < timedelta(hours=min(spans))]
    assert {s.id for s in young} <= stay


@given(snapshot_lists(), keeps)
def test_the_newest_of_each_of_the_last_days_stays(snapshots: list[Any], keep: dict[str, int]) -> None:
    stay = rules.retained(snapshots, keep, NOW)
    days: dict[Any, Any] = {}
    for each in sorted((s for s in snapshots if "manifest" not in s.tags), key=lambda s: (s.arrived, s.id)):
        days[each.arrived.date()] = each.id
    last = sorted(days)[-keep.get("daily", 0) :] if keep.get("daily") else []
    assert {days[day] for day in last} <= stay


@given(snapshot_lists(), keeps)
def test_the_manifest_of_a_run_that_stays_stays(snapshots: list[Any], keep: dict[str, int]) -> None:
    stay = rules.retained(snapshots, keep, NOW)
    runs = {t for s in snapshots if s.id in stay and "manifest" not in s.tags for t in s.tags if t.startswith("run:")}
    assert all(s.id in stay for s in snapshots if "manifest" in s.tags and runs.intersection(s.tags))


@given(snapshot_lists(), keeps)
def test_forgetting_twice_forgets_nothing_more(snapshots: list[Any], keep: dict[str, int]) -> None:
    gone = set(rules.to_forget(snapshots, keep, NOW))
    assert rules.to_forget([s for s in snapshots if s.id not in gone], keep, NOW) == []


@given(snapshot_lists(), keeps)
def test_what_was_copied_and_forgotten_is_not_copied_again(inbox: list[Any], keep: dict[str, int]) -> None:
    vault: list[Any] = []
    for _ in range(2):
        came = rules.to_copy(inbox, vault, keep, NOW)
        vault += [Snapshot(f"v{s.id}", s.time, s.arrived, s.tags, s.id) for s in came]
        gone = set(rules.to_forget(vault, keep, NOW))
        vault = [s for s in vault if s.id not in gone]
    assert rules.to_copy(inbox, vault, keep, NOW) == []


@given(snapshot_lists(), st.lists(st.integers(0, 59), max_size=20), keeps, tags)
def test_an_agent_that_adds_pushes_out_one_period_of_a_kind_at_most(
    snapshots: list[Any], minutes: list[int], keep: dict[str, int], forged: tuple[str, ...]
) -> None:
    """What an agent in other hands adds within an hour, whatever its tags, costs one period of each span."""
    before = [s for s in snapshots if s.arrived < NOW.replace(minute=0) - timedelta(days=400)]
    junk = [snapshot(f"x{n}", NOW.replace(minute=m), *forged) for n, m in enumerate(minutes)]
    one_more = {span: count + 1 for span, count in keep.items() if count}
    newest = {
        s.id
        for s in sorted(before, key=lambda s: (s.arrived, s.id))
        if s.id in rules.retained(before, {"daily": 1}, NOW)
    }
    lost = rules.retained(before, keep, NOW) - rules.retained([*before, *junk], one_more, NOW)
    assert lost <= newest, "of the newest three, which are now others"


def test_days_weeks_and_months_of_two_years() -> None:
    days = [snapshot(f"{n:03d}", NOW - timedelta(days=n)) for n in range(700)]
    stay = rules.retained(days, {"daily": 7, "weekly": 4, "monthly": 3, "yearly": 2}, NOW)
    assert sorted(stay) == [*(f"{n:03d}" for n in range(7)), "008", "015", "030", "061", "334"]


def test_the_control_by_the_time_of_the_agent_it_would_lose_what_is_real() -> None:
    """Negative control: the same rule over the agent's time lets seven dates of 2030 push out all that is real."""
    real = [snapshot(f"r{n}", NOW - timedelta(days=n)) for n in range(7)]
    lies = [snapshot(f"f{n}", NOW + n * SECOND, time=NOW + timedelta(days=1500 + n)) for n in range(7)]
    keep = {"daily": 7}
    by_time = [Snapshot(s.id, s.time, s.time, s.tags) for s in [*real, *lies]]
    assert {s.id for s in real} <= rules.retained([*real, *lies], keep, NOW)
    assert not {s.id for s in real} & rules.retained(by_time, keep, NOW + timedelta(days=2000))


def test_the_control_one_count_for_both_kinds_would_lose_the_data() -> None:
    """Negative control: without the manifests apart, the manifest, which comes second, takes the place of its data."""
    runs = [NOW - timedelta(days=n) for n in range(10)]
    both = [snapshot(f"d{n}", at, f"run:{n}") for n, at in enumerate(runs)]
    both += [snapshot(f"m{n}", at + SECOND, f"run:{n}", "manifest") for n, at in enumerate(runs)]
    stay = rules.retained(both, {"daily": 7}, NOW)
    assert stay == {f"{kind}{n}" for kind in "dm" for n in range(7)}
    alike = [Snapshot(s.id, s.time, s.arrived, ()) for s in both]
    assert not {f"d{n}" for n in range(3, 7)} & rules.retained(alike, {"daily": 7}, NOW)


def test_nothing_asked_to_be_kept_forgets_nothing() -> None:
    old = [snapshot("a", NOW - timedelta(days=4000)), snapshot("b", NOW - timedelta(days=3000))] * 3
    assert rules.to_forget(old, {}, NOW) == rules.to_forget(old, {"daily": 0}, NOW) == []


# --- what restic says, and the status


def test_a_lock_and_a_full_disk_are_told_apart_from_damage() -> None:
    old = Outcome(1, "", "unable to create lock in backend: repository is already locked by PID 7 on x by root")
    assert (old.locked, old.full, Outcome(11, "", "x").locked) == (True, False, True)
    full = Outcome(1, "", "Fatal: write /srv/x/data/aa: no space left on device\n")
    assert (full.locked, full.full, full.text) == (
        False, True, "Fatal: write /srv/x/data/aa: no space left on device")  # fmt: skip
    damage = Outcome(1, "load indexes\nPack ab does not match\n", "")
    assert (damage.locked, damage.full, damage.text) == (False, False, "Pack ab does not match")
    assert Outcome(0, "already locked, no space left on device", "").text == ""
    assert Outcome(1, "", "error: \x1b[2J" + "x" * 1000).text == "error: ?[2J" + "x" * 289


def test_the_status_keeps_since_when_and_reads_nothing_into_a_broken_file(tmp_path: Path) -> None:
    path = tmp_path / "ws-01.json"
    assert status.read(path) == status.empty()
    first = status.problems_since([("inbox_full", "a")], [], NOW)
    later = status.problems_since([("inbox_full", "b"), ("no_quota", "c")], first, NOW + timedelta(hours=1))
    assert [(each["code"], each["text"], each["since"]) for each in later] == [
        ("inbox_full", "b", "2026-11-30T12:30:00Z"), ("no_quota", "c", "2026-11-30T13:30:00Z")]  # fmt: skip
    status.write(path, {**status.empty(), "problems": later})
    assert status.read(path)["problems"] == later
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("[")
    assert status.read(path) == status.empty()


def test_the_fingerprint_sees_a_new_file_and_no_lock(tmp_path: Path) -> None:
    for folder in ("snapshots", "locks"):
        (tmp_path / folder).mkdir()
    before = status.fingerprint(tmp_path)
    (tmp_path / "locks/a").write_text("x")
    assert status.fingerprint(tmp_path) == before
    (tmp_path / "snapshots/a").write_text("x")
    seen = status.fingerprint(tmp_path)
    (tmp_path / "snapshots/a").write_text("y")
    assert len({before, seen, status.fingerprint(tmp_path)}) == 3


def test_the_edge_of_what_is_young() -> None:
    minutes = [1, 2, 3, 31, 45, 59, 60, 61]
    at = NOW.replace(minute=59)
    stay = rules.retained([snapshot(f"{m:02d}", at - timedelta(minutes=m)) for m in minutes], {"hourly": 1}, at)
    assert sorted(stay) == ["01", "02", "03", "31", "45", "59"], "60 minutes are an hour: no longer young"


def test_a_manifest_that_came_in_the_next_hour_stays_with_its_data() -> None:
    hour = (NOW - timedelta(days=3)).replace(minute=0)
    came = [
        ("d1", -1, "run:1"),
        ("m1", 5, "run:1", "manifest"),
        ("d2", 3000, "run:2"),
        ("m2", 3005, "run:2", "manifest"),
    ]
    runs = [snapshot(name, hour + late * SECOND, *tag) for name, late, *tag in came]
    later = [
        snapshot(f"{kind}{n}", NOW - n * SECOND, f"run:{n}", *tag)
        for n in (7, 8, 9)
        for kind, tag in (("d", ()), ("m", ("manifest",)))
    ]
    assert {"d1", "m1", "d2", "m2"} <= rules.retained([*runs, *later], {"hourly": 24}, NOW)
