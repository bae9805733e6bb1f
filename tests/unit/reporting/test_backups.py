"""Backups as pages and documents: what a person reads first, and what a script relies on."""

from __future__ import annotations

from provisioner.model.backup import BackupStanding, BackupState, Checked, Rule
from provisioner.model.mission_terms import Backup, Keep
from provisioner.model.service_event import Drill
from provisioner.model.values import Duration
from provisioner.planning.backup import effective
from provisioner.reporting.backups import (
    effective_document,
    effective_page,
    length,
    size,
    status_document,
    status_page,
)
from provisioner.testing import make_asset

AT = 1796083200
TERMS = Backup(rpo=Duration(26, "h"), keep=Keep(daily=7), paths=("/home", "/etc"), stores=("site",))
GOOD, BAD = effective(make_asset(), TERMS, (60,)), effective(make_asset("ws-02"), Backup(), ())


def standings() -> list[BackupStanding]:
    proven = Drill(AT - 900, 12, "ws-01", AT - 600, passed=True, full=True)
    rules = (Rule("3", "three copies", True, "x"), Rule("0", "no errors", False, "no restore drill"))
    first = BackupStanding(
        asset="ws-01",
        state=BackupState.OK,
        reason="",
        policy=GOOD.policy,
        success=AT - 3600,
        age=3600,
        size=1500,
        checked=Checked(AT, False, "lost", "1/7"),
        proven=proven,
        rules=rules,
    )
    second = BackupStanding(asset="ws-02", state=BackupState.UNKNOWN, reason="no policy", policy=None, ticket="T-1")
    return [first, second]


def test_the_last_proven_restore_is_read_first() -> None:
    table, told, lacking = status_page(standings(), zone="UTC")
    assert table.columns[:3] == ("machine", "last proven restore", "state")
    assert table.rows[0][1].startswith("2026-11-30 23:50")
    assert table.rows[0][-2].endswith(": DAMAGED") and table.rows[0][-1] == "3-?"
    assert table.rows[1][1:4] == ("never", "unknown", "never")
    assert told.lines == ("ws-02: unknown: no policy; ticket T-1",)
    assert lacking.lines == ("ws-01: no errors: no restore drill",)


def test_the_document_counts_every_state_and_hides_nothing() -> None:
    found = status_document("demo", "DEMO-2026", AT, standings())
    states = found["states"]
    assert (
        isinstance(states, dict) and sum(states.values()) == 2 and set(states) == {state.value for state in BackupState}
    )
    first, second = found["machines"]  # type: ignore[misc]
    assert first["proven"] == {"at": "2026-11-30T23:50:00Z", "full": True, "entry": 12}
    assert (first["checked"]["ok"], first["size_bytes"], first["policy"]["interval_seconds"]) == (False, 1500, 86400)
    assert (second["proven"], second["policy"], second["ticket"]) == (None, None, "T-1")


def test_what_the_contract_makes_of_each_machine() -> None:
    assert [row["policy"] is None for row in effective_document([GOOD, BAD])] == [False, True]
    (section,) = effective_page([GOOD, BAD])
    (row,) = section.rows
    assert row == ("ws-01", "1d", "1h", "1m", "1d 1h", "1d 2h", "7 daily", "/home /etc", "site")
    assert effective_page([BAD]) == []


def test_lengths_and_sizes_are_never_rounded_up() -> None:
    assert [length(each) for each in (0, 59, 60, 3599, 3600, 91800, 90061)] == [
        "0s", "59s", "1m", "59m", "1h", "1d 1h", "1d 1h",
    ]  # fmt: skip
    assert [size(each) for each in (0, 1023, 1024, 1535, 1 << 30, (1 << 40) * 5000)] == [
        "0 B", "1023 B", "1.0 KiB", "1.4 KiB", "1.0 GiB", "5000.0 TiB",
    ]  # fmt: skip
