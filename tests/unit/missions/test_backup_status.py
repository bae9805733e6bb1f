"""Watching backups: what is new is recorded once, silence opens one ticket, and the record measures by it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.missions._backups import MORNING, Site, hours, last_run, saved, store

from provisioner.missions.backup_entries import KINDS, history
from provisioner.missions.ticket_entries import record_of
from provisioner.model.backup import BackupState, MachineReport, RunState
from provisioner.model.intervention import Outcome
from provisioner.model.objective import Metric, Objective
from provisioner.model.values import Percentage


@pytest.fixture
def site(desk: Any) -> Site:
    return Site(desk)


def states(found: Any) -> dict[str, BackupState]:
    return {one.asset: one.state for one in found.standings}


def test_each_new_snapshot_is_an_entry_once_and_feeds_the_record(site: Site) -> None:
    site.holds(ws_01=store(*saved(30, 6)), ws_02=store(*saved(8)))
    found = site.watch()
    assert states(found) == {"ws-01": BackupState.OK, "ws-02": BackupState.OK}
    bodies = site.desk.bodies("backup_status")
    assert [(body["asset"], body["store"], body["at"]) for body in bodies] == [
        ("ws-01", "site", "2026-11-30T02:00:00Z"),
        ("ws-01", "site", "2026-12-01T02:00:00Z"),
        ("ws-02", "site", "2026-12-01T00:00:00Z"),
    ]
    assert len(found.entries) == 3
    assert site.watch().entries == ()
    site.holds(ws_01=store(*saved(30, 6, 1)), ws_02=store(*saved(8)))
    assert len(site.watch().entries) == 1
    record = record_of(site.desk.entries(), origin="provisioner/demo")
    assert [(one.asset, one.at) for one in record.backups][-1] == ("ws-01", hours(1))
    assert record.notes == ()


def test_what_an_entry_says_and_what_it_never_does(site: Site) -> None:
    agent = last_run(6, missing=0, text="/home/secret-project is new")
    site.reports["ws-01"] = MachineReport(booted=hours(9), agent=agent)
    site.holds(ws_01=store(*saved(6)), ws_02=store())
    site.watch()
    (body,) = site.desk.bodies("backup_status")
    assert body == {
        "kind": "backup_status",
        "asset": "ws-01",
        "store": "site",
        "at": "2026-12-01T02:00:00Z",
        "arrived": "2026-12-01T02:05:00Z",
        "snapshot": f"{hours(6):064x}",
        "copy": f"c{hours(6):063x}",
        "run": f"{hours(6):032x}",
        "seconds": 60,
        "files": 7,
        "bytes": 700,
        "manifest": "c" * 64,
        "missing": 0,
        "unreadable": 0,
        "contract": "DEMO-2026",
        "contract_digest": body["contract_digest"],
    }
    assert b"secret-project" not in b"".join(entry.leaf for entry in site.desk.entries())


def test_without_the_report_of_its_run_a_snapshot_took_until_it_arrived(site: Site) -> None:
    site.holds(ws_01=store(*saved(6, seconds=900)), ws_02=store())
    site.watch()
    assert site.desk.bodies("backup_status")[0]["seconds"] == 900
    assert history(site.desk.entries(), origin="x").durations == {"ws-01": [900]}


def test_one_run_in_two_vaults_is_measured_once_and_recorded_twice(site: Site) -> None:
    site.holds(ws_01=store(*saved(6, seconds=900)), ws_02=store())
    site.reports["offsite"] = MachineReport(agents={"ws-01": store(*saved(6, seconds=7000))})
    site.watch()
    assert [body["store"] for body in site.desk.bodies("backup_status")] == ["site", "offsite"]
    assert history(site.desk.entries(), origin="x").durations == {"ws-01": [900]}


def test_a_run_that_lacks_something_is_recorded_as_such_and_keeps_no_promise(site: Site) -> None:
    site.holds(ws_01=store(*saved(30), *saved(2, lacks=True)), ws_02=store(*saved(8)))
    found = site.watch()
    assert states(found)["ws-01"] is BackupState.INCOMPLETE
    kinds = [body["kind"] for body in site.desk.bodies("backup_status") if body["asset"] == "ws-01"]
    assert kinds == ["backup_status", "incomplete"]
    record = record_of(site.desk.entries(), origin="provisioner/demo")
    assert [one.at for one in record.backups if one.asset == "ws-01"] == [hours(30)], "it counts for no measurement"
    assert found.tickets == ("backup-ws-01-20261201",), "the rpo has passed since the last complete one"
    known = history(site.desk.entries(), origin="x")
    assert [one.at for one in known.recorded["ws-01"]] == [hours(30)] and known.durations["ws-01"] == [300]


def tickets(site: Site) -> list[tuple[str, str]]:
    return [(body["ticket"], body["kind"]) for body in site.desk.bodies("ticket")]


def silent(site: Site) -> None:
    site.holds(ws_01=store(*saved(27)), ws_02=store(*saved(8)))


def test_silence_opens_one_ticket_and_no_second_one(site: Site) -> None:
    silent(site)
    found = site.watch()
    assert states(found) == {"ws-01": BackupState.SILENT, "ws-02": BackupState.OK}
    assert found.tickets == ("backup-ws-01-20261201",)
    (body,) = site.desk.bodies("ticket")
    assert (body["asset"], body["priority"], body["kind"]) == ("ws-01", "P1", "opened")
    site.clock.at += timedelta(days=1)
    site.holds(ws_01=store(*saved(27)), ws_02=store(*saved(-20)))
    again = site.watch()
    assert (again.tickets, again.standings[0].ticket) == ((), "backup-ws-01-20261201")
    assert tickets(site) == [("backup-ws-01-20261201", "opened")]


def test_in_time_opens_none(site: Site) -> None:
    site.holds(ws_01=store(*saved(25.9)), ws_02=store(*saved(8)))
    assert (site.watch().tickets, tickets(site)) == ((), [])


def test_a_machine_that_is_off_opens_none_and_one_that_has_to_be_on_does(site: Site) -> None:
    silent(site)
    site.off("ws-01")
    found = site.watch()
    assert (states(found)["ws-01"], found.tickets) == (BackupState.OFF, ())
    target = Percentage.parse("99%")
    objective = Objective(id="up", metric=Metric.AVAILABILITY, group="workstations", target=target)
    site.fields = {"objectives": (objective,)}
    found = site.watch()
    assert (states(found)["ws-01"], found.tickets) == (BackupState.SILENT, ("backup-ws-01-20261201",))


@pytest.mark.parametrize("reason", ["no_route", "timeout", "connection_refused"])
def test_who_does_not_answer_may_be_off(site: Site, reason: str) -> None:
    silent(site)
    site.off("ws-01", reason=reason)
    assert states(site.watch())["ws-01"] is BackupState.OFF


@pytest.mark.parametrize("reason", ["host_key_changed", "host_key_unknown", "login_refused", "protocol_error"])
def test_who_answers_and_is_not_let_in_or_is_another_is_not_off(site: Site, reason: str) -> None:
    silent(site)
    site.off("ws-01", reason=reason)
    found = site.watch()
    assert (states(found)["ws-01"], len(found.tickets)) == (BackupState.SILENT, 1)


def test_a_store_that_does_not_answer_is_no_silence_of_its_machines_before_the_rpo_has_passed(site: Site) -> None:
    site.holds(ws_01=store(*saved(8)), ws_02=store(*saved(8)))
    site.watch()
    site.off("site")
    found = site.watch()
    assert (set(states(found).values()), found.tickets) == ({BackupState.UNKNOWN}, ())
    site.clock.at += timedelta(hours=19)
    assert len(site.watch().tickets) == 2, "a store that is silent for longer than the rpo is silence"


def resolve(site: Site) -> None:
    from provisioner.missions.tickets import Desk, enter
    from provisioner.model.record import Membership
    from provisioner.model.service_event import TicketEvent, TicketEventKind

    at = site.clock()
    desk = Desk(contracts=(site.task().contract,), membership=Membership(groups=None), operator="x", at=at)
    event = TicketEvent(int(at.timestamp()), 0, "backup-ws-01-20261201", TicketEventKind.RESOLVED)
    with site.desk.book() as book:
        enter(book, event, desk)


def test_a_ticket_that_was_resolved_is_opened_again_the_same_day_and_anew_on_another(site: Site) -> None:
    silent(site)
    site.watch()
    resolve(site)
    assert site.watch().tickets == ("backup-ws-01-20261201",)
    assert tickets(site)[-1] == ("backup-ws-01-20261201", "reopened")
    resolve(site)
    site.clock.at = MORNING + timedelta(days=1)
    site.holds(ws_01=store(*saved(27)), ws_02=store(*saved(-20)))
    assert site.watch().tickets == ("backup-ws-01-20261202",)


def test_once_silent_a_machine_that_goes_off_is_still_silent(site: Site) -> None:
    silent(site)
    site.watch()
    site.off("ws-01")
    found = site.watch()
    assert (states(found)["ws-01"], found.tickets) == (BackupState.SILENT, ())


def test_a_report_that_is_illegible_is_no_silence(site: Site) -> None:
    site.holds(ws_02=store(*saved(8)))
    site.reports["site"] = MachineReport(agents=site.reports["site"].agents, unreadable=1)
    site.reports.pop("offsite")
    found = site.watch()
    assert states(found) == {"ws-01": BackupState.UNKNOWN, "ws-02": BackupState.OK}


def test_never_set_up_and_set_up_and_nothing_came(site: Site) -> None:
    site.holds()
    found = site.watch()
    assert set(states(found).values()) == {BackupState.NEVER} and found.tickets == ()
    site.configure()
    site.holds()
    assert "nothing is in a vault yet" in site.watch().standings[0].reason
    site.clock.at += timedelta(hours=26)
    site.holds()
    assert len(site.watch().tickets) == 2


def test_a_configuration_in_check_mode_set_nothing_up(site: Site) -> None:
    site.configure(check=True)
    site.clock.at += timedelta(hours=27)
    site.holds()
    assert set(states(site.watch()).values()) == {BackupState.NEVER}


def test_the_last_run_failed(site: Site) -> None:
    site.reports["ws-01"] = MachineReport(agent=last_run(1, RunState.FAILED, "store_unreachable"))
    site.holds(ws_01=store(*saved(20)), ws_02=store(*saved(8)))
    (one, _) = site.watch().standings
    assert (one.state, one.reason) == (BackupState.LATE, "the last run failed: store_unreachable")


def test_a_reading_that_is_refused_says_nothing_of_anybody(site: Site) -> None:
    site.names = ()
    from provisioner.errors import UsageError

    with pytest.raises(UsageError, match="covers no machine that could be backed up"):
        site.watch()
    assert site.desk.kinds() == []


def test_an_interrupted_reading_is_no_silence(site: Site) -> None:
    from provisioner.execution.ports import RunStatus
    from provisioner.testing import result

    silent(site)
    site._ready()
    site.desk.executor.answer = lambda order: result({}, status=RunStatus.CANCELLED)
    site.answer = site.desk.executor.answer  # type: ignore[method-assign]
    found = site.watch()
    assert found.intervention.outcome is Outcome.INTERRUPTED
    assert (set(states(found).values()), found.tickets) == ({BackupState.UNKNOWN}, ())


def test_two_readings_at_once_record_each_snapshot_once(site: Site) -> None:
    """Somebody else's entries appear between our look and our entry: looked at again."""
    site.holds(ws_01=store(*saved(8)), ws_02=store(*saved(8)))
    site._ready()
    real, raced = site.desk.book, []

    class Racing:
        def __init__(self) -> None:
            self.book = real()

        def __enter__(self) -> Any:
            append = self.book.append

            def first_another(drafts: Any, *, expected: int | None = None) -> Any:
                if expected is not None and not raced and drafts[-1].kind == "backup_status":
                    raced.append(True)
                    append(drafts)
                return append(drafts, expected=expected)

            self.book.append = first_another
            return self.book

        def __exit__(self, *_: object) -> None:
            self.book.close()

    site.desk.open_book = lambda _client: Racing()
    site.watch()
    assert raced and len(site.desk.bodies("backup_status")) == 2


def test_entries_of_other_forms_are_passed_over(site: Site) -> None:
    from provisioner.ledger.entry import Draft

    odd: list[dict[str, Any]] = [
        {"kind": "probe", "asset": "ws-01", "store": "site", "at": "yesterday", "passed": True},
        {"kind": "probe", "asset": "ws-01", "store": "site", "at": "2026-12-01T00:00:00Z", "passed": "yes"},
        {"kind": "offsite", "asset": "ws-01"},
        {"kind": "probe", "asset": "ws-01", "store": "site", "at": "2026-12-01T00:00:00Z", "passed": True},
    ]
    with site.desk.book() as book:
        book.append([Draft("backup_status", MORNING, "op-1", body) for body in odd])
        found = history(book.entries(kinds=KINDS), origin="x")
    assert [(probe.asset, probe.passed) for probe in found.probes["ws-01"]] == [("ws-01", True)]
    assert found.recorded == {} and found.seen == set()
