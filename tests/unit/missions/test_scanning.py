"""What a scan leaves in the log: one entry for each machine that was read, and nothing for any other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.errors import UsageError
from provisioner.ledger.entry import Draft, make_entry
from provisioner.missions.compliance import deadlines_kept
from provisioner.missions.rollout_task import Task
from provisioner.missions.scan_entries import MOST_ISSUES, first_seen
from provisioner.missions.scanning import Advisories, Scanned, scan
from provisioner.missions.ticket_entries import record_of
from provisioner.model.advisory import Advisory, Issue, Snapshot, Unaged, Urgency
from provisioner.model.mission_terms import Deadlines, Missions, SoftwareUpdates
from provisioner.model.patch_level import PatchLevel, PendingUpdate
from provisioner.model.values import Duration
from provisioner.reporting.scans import scan_document, scan_page
from provisioner.testing import (
    UNREACHABLE,
    FakeProbe,
    Tally,
    instants,
    loaded,
    make_asset,
    make_content,
    make_contract,
    result,
    succeed,
)

if TYPE_CHECKING:
    from provisioner.execution.ports import Order, RunResult
    from provisioner.ledger.entry import Entry

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
WEEK = 7 * 86_400
SSL = PendingUpdate(
    name="libssl3",
    architecture="amd64",
    before="3.0.15-1",
    version="3.0.17-1",
    sha256="a" * 64,
    origin="Debian stable-security",
    security=True,
    kept="held",
    source="openssl",
    source_before="3.0.15-1",
    source_version="3.0.17-1",
    undo=True,
)
VIM = SSL._replace(name="vim", source="vim", security=False, kept="", before="1", version="2", undo=False)
LEVEL = PatchLevel(
    release="bookworm",
    boot="b0 1",
    pending=(VIM, SSL),
    restart=("libc6",),
    stale_services=("ssh.service",),
    free_mib={"/": 1000},
    session="graphical",
)
ISSUES = tuple(Issue(f"CVE-2026-{1000 + number}", "3.0.17-1", Urgency.HIGH) for number in range(MOST_ISSUES + 5))
SNAPSHOT = Snapshot(
    day=date(2026, 11, 29),
    digest="d" * 64,
    list_digest="e" * 64,
    releases=frozenset({"bookworm"}),
    issues={("openssl", "bookworm"): ISSUES},
    advisories={("openssl", "bookworm"): (Advisory("DSA-1", int((NOON - timedelta(days=9)).timestamp()), "3.0.17-1"),)},
)


@dataclass
class Field:
    """A desk with machines that hand their levels over; those without one hand none."""

    desk: Any
    levels: dict[str, PatchLevel] = field(default_factory=dict)
    names: tuple[str, ...] = ("ws-1", "ws-2")
    snapshot: Snapshot | None = SNAPSHOT
    tally: dict[str, Tally] = field(default_factory=dict)

    def task(self) -> Task:
        deadlines = Deadlines(critical=Duration(7, "d"), other=Duration(45, "d"))
        updates = Missions(software_updates=SoftwareUpdates(deadlines=deadlines))
        return Task(
            client="demo",
            contract=loaded(make_contract(missions=updates)),
            assets=tuple(make_asset(name) for name in self.names),
            content=make_content("patch_level", "acceptance"),
            pool="/pool",
            tidy=lambda _: None,
            accept=lambda _: False,
        )

    def scan(self, at: datetime = NOON, host: str = "") -> Scanned:
        self.desk.now = instants(at, step=timedelta(0))
        self.desk.executor.answer = self.answer
        advisories = Advisories(snapshot=self.snapshot, stale_after=WEEK)
        return scan(self.task(), self.desk.services(), advisories, host=host)

    def answer(self, order: Order) -> RunResult:
        done = result({**succeed(order).tallies, **self.tally}, check=order.check)
        return replace(done, levels=self.levels)

    def compliance(self, at: datetime = NOON) -> dict[str, tuple[str, str]]:
        with self.desk.book() as book:
            found = deadlines_kept(self.task(), book, at=int(at.timestamp()))
        return {one.asset: (one.state.value, one.reason) for one in found}


@pytest.fixture
def park(desk: Any) -> Field:
    return Field(desk, levels={"ws-1": LEVEL, "ws-2": replace(LEVEL, pending=(VIM,))})


def test_one_entry_a_machine_after_the_closing_one(park: Field) -> None:
    found = park.scan()
    assert park.desk.kinds() == ["key", "contract", "opened", "closed", "scan", "scan"]
    assert found.intervention.entries == (2, 3, 4, 5)
    first, second = park.desk.bodies("scan")
    assert {key: value for key, value in first.items() if key != "level"} == {
        "kind": "scan",
        "at": "2026-11-30T12:00:00Z",
        "asset": "ws-1",
        "oldest": {"critical": "2026-11-21T12:00:00Z", "other": "2026-11-30T12:00:00Z"},
        "intervention": "iv-1",
        "advisories": {"day": "2026-11-29", "digest": "d" * 64, "list_digest": "e" * 64},
    }
    level = dict(first["level"])
    worst, other = level.pop("pending")
    assert worst == {
        **SSL._asdict(),
        "severity": "critical",
        "issues": MOST_ISSUES + 5,
        "named": [issue.id for issue in ISSUES[:MOST_ISSUES]],
        "known": "2026-11-21T12:00:00Z",
    }
    assert (other["name"], other["severity"], other["named"]) == ("vim", "other", [])
    assert level == {
        "release": "bookworm",
        "boot": "b0 1",
        "left_out": 0,
        "restart": ["libc6"],
        "failed_units": [],
        "stale_services": ["ssh.service"],
        "free_mib": {"/": 1000},
        "interrupted": False,
        "on_battery": False,
        "session": "graphical",
    }
    assert second["oldest"] == {"other": "2026-11-30T12:00:00Z"}


def test_readers_of_events_read_the_entries(park: Field) -> None:
    park.scan()
    record = record_of(park.desk.entries(), origin="log")
    assert [(one.asset, sorted(one.oldest or ())) for one in record.scans] == [
        ("ws-1", ["critical", "other"]),
        ("ws-2", ["other"]),
    ]
    assert record.notes == ()


WITHOUT = [(None, "no_advisories", None), (replace(SNAPSHOT, day=date(2026, 11, 1)), "stale_advisories", "2026-11-01")]


@pytest.mark.parametrize(("snapshot", "reason", "dated"), WITHOUT, ids=["none", "stale"])
def test_without_advisories_the_entry_says_why_and_no_age(
    park: Field, snapshot: Snapshot | None, reason: str, dated: str | None
) -> None:
    park.snapshot = snapshot
    park.scan()
    body = park.desk.bodies("scan")[0]
    assert ("oldest" in body, body["reason"], body.get("dated")) == (False, reason, dated)
    assert (body["advisories"] or {}).get("day") == dated, "a stale one is named with its digest"
    assert {row["severity"] for row in body["level"]["pending"]} == {None}
    (one, _) = record_of(park.desk.entries(), origin="log").scans
    assert (one.oldest, one.reason) == (None, Unaged(reason))
    assert park.compliance() == {"ws-1": ("not_evaluable", reason), "ws-2": ("not_evaluable", reason)}


def test_a_machine_that_was_not_reached_or_failed_or_handed_nothing_over_has_no_entry(park: Field) -> None:
    park.names = ("ws-0", "ws-1", "ws-2", "ws-3")
    park.levels["ws-0"] = park.levels["ws-2"] = LEVEL
    park.desk.probe = FakeProbe({"ws-0": UNREACHABLE})
    park.tally = {"ws-2": Tally(ok=1, failed=1)}
    found = park.scan()
    assert [body["asset"] for body in park.desk.bodies("scan")] == ["ws-1"]
    assert [one.asset for one in found.machines] == ["ws-1"]
    assert ("note", "ws-3 handed no patch level over: no scan of it is recorded") in park.desk.progress.told
    states = park.compliance()
    assert states["ws-1"] == ("past", "")
    assert {states[name] for name in ("ws-0", "ws-2", "ws-3")} == {("not_evaluable", "never_scanned")}
    rows = {row[0]: row[2] for row in scan_page(found.intervention, found.machines, found.snapshot, zone="UTC")[0].rows}
    assert rows["ws-3"] == "it handed no patch level over" and "nothing is pending" not in rows.values()


def test_when_a_version_was_first_seen_on_any_machine_counts(park: Field) -> None:
    park.snapshot = None
    park.levels = {"ws-2": replace(LEVEL, pending=(VIM,))}
    park.scan(NOON - timedelta(days=20), host="ws-2")
    park.snapshot = SNAPSHOT
    park.levels = {"ws-1": LEVEL, "ws-2": replace(LEVEL, pending=(VIM._replace(version="3"),))}
    park.scan()
    first, second = park.desk.bodies("scan")[-2:]
    assert first["oldest"]["other"] == "2026-11-10T12:00:00Z"
    assert second["oldest"]["other"] == "2026-11-30T12:00:00Z", "another version is another update"


def test_entries_of_another_form_say_nothing_of_what_was_seen() -> None:
    def entry(**body: Any) -> Entry:
        return make_entry(1, Draft("scan", NOON, "op-1", {"kind": "scan", **body}))

    rows = [{"name": "vim", "version": "2"}, {"name": 7, "version": "2"}, {"name": "x"}, 5]
    sound = entry(level={"pending": rows})
    assert first_seen([entry(), entry(level=5), entry(level={"pending": "x"}), sound]) == {
        ("vim", "2"): int(NOON.timestamp())
    }


def test_secrets_are_not_in_an_entry(park: Field) -> None:
    level = replace(LEVEL, restart=("because of hunter2-secret",), boot="hunter2-secret")
    park.levels = {"ws-1": level}
    task = park.task()
    hidden = replace(task.assets[0], secrets={"ansible_become_password": "hunter2-secret"})
    park.desk.now, park.desk.executor.answer = instants(NOON, step=timedelta(0)), park.answer
    advisories = Advisories(snapshot=SNAPSHOT, stale_after=WEEK)
    scan(replace(task, assets=(hidden,)), park.desk.services(), advisories)
    assert "hunter2" not in json.dumps(park.desk.bodies("scan"))
    assert park.desk.bodies("scan")[0]["level"]["restart"] == ["because of [redacted]"]


def test_a_machine_that_is_not_there(park: Field) -> None:
    with pytest.raises(UsageError, match="ws-99"):
        park.scan(host="ws-99")
    assert not (park.desk.state / "ledger.db").exists() or park.desk.kinds() == []


def test_the_document_and_the_page_say_the_same(park: Field) -> None:
    found = park.scan()
    told = json.loads(json.dumps(scan_document(found.intervention, found.machines, found.snapshot)))
    assert told["advisories"] == {"day": "2026-11-29", "digest": "d" * 64, "list_digest": "e" * 64}
    worst = told["pending"]["ws-1"][0]
    assert (worst["name"], worst["severity"], worst["kept"]) == ("libssl3", "critical", "held")
    assert len(worst["issues"]) == MOST_ISSUES + 5, "a document has all of them"
    assert told["levels"]["ws-1"]["oldest"] == {"critical": "2026-11-21T12:00:00Z", "other": "2026-11-30T12:00:00Z"}
    page = scan_page(found.intervention, found.machines, found.snapshot, zone="Europe/Paris")
    assert page[0].lines == ("advisories of 2026-11-29",)
    assert page[0].rows[0] == (
        "ws-1",
        "changed",
        "libssl3",
        "3.0.15-1",
        "3.0.17-1",
        "critical, security",
        f"CVE-2026-1000, CVE-2026-1001, CVE-2026-1002 and {MOST_ISSUES + 2} more",
        "2026-11-21 13:00+01:00",
        "held",
    )
    assert ("ws-1", "a restart is due", "libc6") in page[1].rows
    assert ("ws-1", "run on old files", "ssh.service") in page[1].rows
    assert ("ws-1", "session", "graphical") in page[1].rows


def test_unknown_is_shown_as_unknown(park: Field) -> None:
    park.snapshot = None
    park.levels["ws-2"] = replace(LEVEL, pending=(), left_out=3)
    found = park.scan()
    page = scan_page(found.intervention, found.machines, found.snapshot, zone="UTC")
    assert page[0].lines == ("no advisories; no age can be told (no_advisories: ws-1, ws-2)",)
    assert [row[5] for row in page[0].rows if row[5]] == ["unknown, security", "unknown"]
    assert page[0].rows[-1][2] == "nothing that could be read"
    assert ("ws-2", "updates that could not be read", "3") in page[1].rows
