"""Patch age, recovery point, recovery time and drills, by hand."""

from __future__ import annotations

from datetime import date

import pytest
from tests.unit.terms.objectives._months import DAY, HOUR, at, contract, objective, only, state

from provisioner.model.advisory import Unaged
from provisioner.model.measurement import State
from provisioner.model.mission_terms import Backup, Missions
from provisioner.model.objective import Metric
from provisioner.model.record import Membership
from provisioner.model.service_event import BackupStatus, Drill, Scan
from provisioner.model.values import Duration

TWO = Membership(groups={name: frozenset({"servers"}) for name in ("srv-01", "srv-02")})


def scan(when: str, name: str = "srv-01", **oldest: str) -> Scan:
    return Scan(at(when), at(when), name, {severity: at(since) for severity, since in oldest.items()})


def snapshot(when: str, name: str = "srv-01", store: str = "site") -> BackupStatus:
    return BackupStatus(at(when), at(when), name, store)


def drill(when: str, seconds: int = HOUR, *, passed: bool = True, full: bool = True) -> Drill:
    return Drill(at(when), at(when), "srv-01", at(when) + seconds, passed, full=full)


@pytest.mark.parametrize("metric", [Metric.PATCH_AGE, Metric.BACKUP_RPO, Metric.RESTORE_RTO, Metric.DRILL_CADENCE])
def test_without_data_it_is_not_evaluable_and_says_who_writes_it(metric: Metric) -> None:
    one = only(state(contract(objective(metric, "2d")), membership=TWO))
    assert one.state is State.NOT_EVALUABLE
    assert "2026-11" in one.reason
    assert ("software_updates" if metric is Metric.PATCH_AGE else "the mission backup") in one.reason


def test_the_worst_age_seen_by_a_scan() -> None:
    terms = contract(objective(Metric.PATCH_AGE, "21d"))
    scans = (
        scan(
            "2026-11-05 00:00", other="2026-10-20 00:00", critical="2026-11-01 00:00"
        ),  # 16 days and the hour of autumn
        scan("2026-11-25 00:00", critical="2026-11-04 00:00"),  # 21 days
        scan("2026-11-26 00:00"),
    )
    one = only(state(terms, scans=scans))
    assert (one.asset, one.state, one.elapsed_seconds, one.target_seconds) == ("srv-01", State.MET, 21 * DAY, 21 * DAY)
    late = (*scans, scan("2026-11-29 00:01", critical="2026-11-08 00:00"))
    assert only(state(terms, scans=late)).state is State.BREACHED
    one = only(state(terms, scans=scans[:1]))
    assert (one.state, one.elapsed_seconds) == (State.MET, 16 * DAY + HOUR)
    first, second = state(terms, scans=scans, membership=TWO).measurements
    assert (first.state, second.asset, second.state) == (State.MET, "srv-02", State.NOT_EVALUABLE)


def test_an_asset_that_lacks_no_update_keeps_the_promise() -> None:
    one = only(state(contract(objective(Metric.PATCH_AGE, "21d")), scans=(scan("2026-11-05 00:00"),)))
    assert (one.state, one.elapsed_seconds) == (State.MET, 0)


def unaged(when: str, reason: Unaged = Unaged.NO_ADVISORIES, dated: date | None = None) -> Scan:
    return Scan(at(when), at(when), "srv-01", None, reason, dated)


WHY = [
    (Unaged.NO_ADVISORIES, None, "had no advisories"),
    (Unaged.STALE_ADVISORIES, date(2026, 10, 1), "2026-10-01, which were stale"),
    (Unaged.OTHER_RELEASE, None, "say nothing of its release"),
    (Unaged.INCOMPLETE, None, "could not read every update"),
]


@pytest.mark.parametrize(("reason", "dated", "says"), WHY, ids=[reason.value for reason, _, _ in WHY])
def test_a_scan_that_can_say_no_age_is_never_met(reason: Unaged, dated: date | None, says: str) -> None:
    terms = contract(objective(Metric.PATCH_AGE, "21d"))
    one = only(state(terms, scans=(unaged("2026-11-05 00:00", reason, dated),)))
    assert (one.state, one.asset, says in one.reason) == (State.NOT_EVALUABLE, "srv-01", True), one.reason


def test_the_last_scan_of_the_month_has_to_say_an_age_unless_the_promise_was_seen_broken() -> None:
    terms = contract(objective(Metric.PATCH_AGE, "21d"))
    good, late = scan("2026-11-10 00:00", other="2026-11-01 00:00"), scan("2026-11-28 00:00", other="2026-11-01 00:00")
    blind, blind_after = unaged("2026-11-05 00:00"), unaged("2026-11-29 00:00")
    one = only(state(terms, scans=(blind, good)))
    assert (one.state, one.elapsed_seconds, one.places) == (State.MET, 9 * DAY, (good.place,))
    one = only(state(terms, scans=(good, blind_after)))
    assert (one.state, one.elapsed_seconds, one.places) == (State.NOT_EVALUABLE, 0, (blind_after.place,))
    one = only(state(terms, scans=(good, late, blind_after)))
    assert (one.state, one.elapsed_seconds) == (State.BREACHED, 27 * DAY)
    assert only(state(terms, scans=(good, blind_after), as_of="2026-11-15 00:00")).state is State.RUNNING


def test_the_longest_gap_reaches_back_before_the_month_and_on_to_its_end() -> None:
    terms = contract(objective(Metric.BACKUP_RPO, "26h", grace=Duration.parse("1h")), ends=date(2026, 11, 2))
    kept = [snapshot("2026-10-31 22:00"), snapshot("2026-11-02 01:00", store="offsite")]  # 27 h, then 23 h
    one = only(state(terms, backups=kept))
    assert (one.state, one.elapsed_seconds, one.target_seconds) == (State.MET, 27 * HOUR, 26 * HOUR)
    assert only(state(terms, backups=[snapshot("2026-10-31 21:59"), kept[1]])).state is State.BREACHED
    one = only(state(terms, backups=kept[:1]))
    assert (one.state, one.elapsed_seconds) == (State.BREACHED, 50 * HOUR)


def test_a_store_is_not_measured_by_what_it_does_not_save() -> None:
    missions = Missions(backup=Backup(stores=("srv-02",)))
    found = [snapshot("2026-11-01 00:00"), snapshot("2026-11-30 23:00")]
    terms = objective(Metric.BACKUP_RPO, "31d")
    both = state(contract(terms), backups=found, membership=TWO).measurements
    assert [one.state for one in both] == [State.MET, State.NOT_EVALUABLE], "the control: without the mission it is"
    one = only(state(contract(terms, missions=missions), backups=found, membership=TWO))
    assert (one.asset, one.state) == ("srv-01", State.MET)


def test_a_gap_that_ended_before_the_month_is_not_of_it() -> None:
    terms = contract(objective(Metric.BACKUP_RPO, "26h"), ends=date(2026, 11, 1))
    found = [snapshot("2026-10-20 00:00"), snapshot("2026-10-31 23:00")]
    one = only(state(terms, backups=found))
    assert (one.state, one.elapsed_seconds, one.places) == (State.MET, 25 * HOUR, (found[1].place,))


def test_the_open_gap_counts_up_to_as_of() -> None:
    terms = contract(objective(Metric.BACKUP_RPO, "26h"))
    one = only(state(terms, backups=[snapshot("2026-11-01 00:00")], as_of="2026-11-03 00:00"))
    assert (one.state, one.elapsed_seconds) == (State.RUNNING, 48 * HOUR)


def test_each_asset_has_gaps_of_its_own() -> None:
    terms = contract(objective(Metric.BACKUP_RPO, "31d"))
    found = state(terms, backups=[snapshot("2026-11-10 00:00")], membership=TWO).measurements
    assert [(one.asset, one.state) for one in found] == [("srv-01", State.MET), ("srv-02", State.NOT_EVALUABLE)]


def test_the_longest_drill_and_one_that_did_not_pass() -> None:
    terms = contract(objective(Metric.RESTORE_RTO, "4h"))
    drills = [drill("2026-11-05 09:00", 4 * HOUR), drill("2026-11-06 09:00")]
    one = only(state(terms, drills=drills))
    assert (one.state, one.elapsed_seconds) == (State.MET, 4 * HOUR)
    assert only(state(terms, drills=[*drills, drill("2026-11-07 09:00", 4 * HOUR + 1)])).state is State.BREACHED
    assert only(state(terms, drills=[*drills, drill("2026-11-07 09:00", 60, passed=False)])).state is State.BREACHED


def test_a_sample_proves_no_time_to_restore() -> None:
    terms = contract(objective(Metric.RESTORE_RTO, "4h"))
    sampled = drill("2026-11-05 09:00", 60, full=False)
    one = only(state(terms, drills=[sampled]))
    assert (one.state, one.reason) == (State.NOT_EVALUABLE, "sampled: no full restore drill in 2026-11")
    one = only(state(terms, drills=[sampled, drill("2026-11-06 09:00", 3 * HOUR)]))
    assert (one.state, one.elapsed_seconds) == (State.MET, 3 * HOUR)
    longer = drill("2026-11-07 09:00", 9 * HOUR, full=False)
    assert only(state(terms, drills=[longer, drill("2026-11-06 09:00")])).state is State.MET


@pytest.mark.parametrize(
    ("second", "expected"),
    [("2026-11-30 22:00", State.MET), ("2026-12-01 00:00", State.BREACHED), ("", State.BREACHED)],
)
def test_months_between_drills_are_clamped_and_the_last_day_is_in_time(second: str, expected: State) -> None:
    # 31 August + 3mo is 30 November
    terms = contract(objective(Metric.DRILL_CADENCE, "3mo"), ends=date(2026, 12, 31))
    drills = [drill("2026-08-31 08:00"), *([drill(second)] if second else [])]
    found = state(terms, drills=drills, as_of="2027-01-01 00:00").measurements
    assert found[0].state is State.MET  # at the end of November the last day has just ended
    assert (found[1].month, found[1].state) == ("2026-12", expected)


def test_a_drill_that_did_not_pass_is_no_drill() -> None:
    terms = contract(objective(Metric.DRILL_CADENCE, "20d"))
    drills = [drill("2026-11-01 00:00", 0), drill("2026-11-15 00:00", 0, passed=False), drill("2026-11-21 00:00", 0)]
    one = only(state(terms, drills=drills))
    assert (one.state, one.elapsed_seconds) == (State.MET, 20 * DAY)
    assert only(state(terms, drills=[drills[0], drill("2026-11-21 00:00", 1)])).state is State.BREACHED
    assert only(state(terms, drills=drills[1:2])).state is State.NOT_EVALUABLE
