"""Drills and probes as interventions: what is recorded of them, and what is not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.missions._backups import Site, hours, run_of, saved, store

from provisioner.errors import UsageError
from provisioner.execution.ports import Tally
from provisioner.missions.backup_drill import DRILL, Drilled, DrillWish, drill
from provisioner.missions.backup_entries import KINDS, history
from provisioner.missions.backup_probe import PLAYBOOK, Probed, probe
from provisioner.model.drill import SABOTAGES, Compared, Damage, ProofReport, Try
from provisioner.model.intervention import Check, CheckResult, Outcome
from provisioner.testing import make_content, result

if TYPE_CHECKING:
    from provisioner.execution.ports import Order, RunResult
    from provisioner.ledger.entry import Entry
    from provisioner.missions.backup_task import BackupTask

COMPARED = Compared(
    compared=9, equal=7, different=0, moving=1, unfaithful=1, appeared=0, bytes=7000, not_kept={"socket": 1}
)
GREEN = ProofReport(
    at=hours(0), ended=hours(0) + 60, passed=True, full=True, snapshot="c" * 64, original="a" * 64, of=hours(2),
    manifest="d" * 64, manifest_known=True, restic="0.14", restore_ms=3500, compare_ms=10, whole_ms=4000,
    compared=COMPARED, canaries={"expected": 11, "missing": 0, "altered": 0},
)  # fmt: skip
TRIES = tuple(Try(f"{how}_{what}", False, "403", False) for how in "abc" for what in "vwxyz")
LOCKS = (Try("create_lock", True, "200", True), Try("delete_lock", True, "200", True))
HELD = ProofReport(at=hours(0), ended=hours(0) + 5, passed=True, full=True, tries=(*LOCKS, *TRIES))
RED = Check(name="drill", asked="equal", found="different", result=CheckResult.FAIL)


class Proofs:
    """A site whose machines tell `report`, and whose run then fails where the report does."""

    def __init__(self, site: Site, report: ProofReport | None) -> None:
        self.site, self.report, self.orders = site, report, []  # type: ignore[var-annotated]
        site.desk.now = site.clock
        site.desk.executor.answer = self.answer

    def answer(self, order: Order) -> RunResult:
        self.orders.append(order)
        (asset,) = order.assets
        failed = self.report is not None and not self.report.passed
        checks = {asset.name: (RED,)} if failed else None
        tally = Tally(ok=5, failed=1 if failed else 0)
        done = result({asset.name: tally}, check=order.check, checks=checks)
        return replace(done, proofs={asset.name: self.report} if self.report else {})

    def task(self) -> BackupTask:
        task = self.site.task()
        return replace(task, content={**task.content, DRILL: make_content("backup_drill"), PLAYBOOK: make_content("x")})

    def drill(self, **wish: Any) -> Drilled:
        return drill(self.task(), self.site.desk.services(), DrillWish(**{"host": "ws-01", **wish}))

    def probe(self, *, check: bool = False) -> Probed:
        return probe(self.task(), self.site.desk.services(), host="ws-01", check=check)

    def entries(self, *kinds: str) -> list[Entry]:
        with self.site.desk.services().open_book("demo") as book:
            return list(book.entries(kinds=kinds))

    @property
    def given(self) -> dict[str, Any]:
        """The variables of the last order."""
        order = self.orders[-1]
        return dict(order.step.variables[order.assets[0].name])


def proofs(desk: Any, report: ProofReport | None = GREEN, **fields: Any) -> Proofs:
    return Proofs(Site(desk, **fields), report)


def test_a_full_drill_is_recorded_with_its_figures_and_counts_as_a_drill(desk: Any) -> None:
    work = proofs(desk)
    done = work.drill()
    assert (done.intervention.outcome, done.target) == (Outcome.UNCHANGED, "site")
    (entry,) = work.entries("drill")
    assert done.entry == entry.index
    body = entry.body
    assert (body["kind"], body["passed"], body["full"], body["asset"], body["on"]) == (
        "drill",
        True,
        True,
        "ws-01",
        "site",
    )
    assert (body["snapshot"], body["copy"], body["restore_ms"]) == ("a" * 64, "c" * 64, 3500)
    assert (body["objects"]["bytes"], body["not_kept"], body["differences"]) == (7000, {"socket": 1}, {})
    assert body["intervention"] == done.intervention.id
    found = history(work.entries(*KINDS), origin="x")
    (seen,) = found.drills("ws-01")
    assert (seen.at, seen.ended, seen.passed, seen.full) == (GREEN.at, GREEN.ended, True, True)


def test_no_path_of_a_machine_enters_the_log(desk: Any) -> None:
    from provisioner.model.drill import Named

    named = replace(COMPARED, named=(Named("/home/anne/letter", "mode"),), different=1, differences={"mode": 1})
    work = proofs(desk, replace(GREEN, passed=False, reasons=("different",), text="at /home/anne", compared=named))
    done = work.drill()
    assert done.intervention.outcome is Outcome.FAILED
    (entry,) = work.entries("drill")
    assert (entry.body["passed"], entry.body["reasons"], entry.body["differences"]) == (
        False,
        ["different"],
        {"mode": 1},
    )
    assert "anne" not in str(entry.body)


@pytest.mark.parametrize("reason", ["not_empty", "disk_full", "locked", "no_restic", "no_postgresql", "unreadable"])
def test_a_place_that_was_not_fit_says_nothing_of_the_backup(reason: str, desk: Any) -> None:
    work = proofs(desk, replace(GREEN, passed=False, reasons=(reason,), compared=None))
    assert work.drill().intervention.outcome is Outcome.FAILED
    (entry,) = work.entries("drill")
    assert entry.body["kind"] == "not_done"
    assert history(work.entries(*KINDS), origin="x").drills("ws-01") == ()


@pytest.mark.parametrize("reason", ["damaged", "overrun", "wrong_password", "no_snapshot", "canary", "forged_time"])
def test_a_backup_that_does_not_come_back_is_a_drill_that_failed(reason: str, desk: Any) -> None:
    work = proofs(desk, replace(GREEN, passed=False, reasons=("disk_full", reason)))
    work.drill()
    (seen,) = history(work.entries(*KINDS), origin="x").drills("ws-01")
    assert not seen.passed


def test_a_machine_that_told_nothing_leaves_no_drill(desk: Any) -> None:
    work = proofs(desk, None)
    done = work.drill()
    assert (done.report, done.entry, work.entries("drill")) == (None, None, [])
    work.site.off("site")
    done = work.drill()
    assert (done.intervention.outcome, done.entry) == (Outcome.UNREACHABLE, None)
    assert work.entries("drill") == []


def test_a_simulated_drill_leaves_no_drill(desk: Any) -> None:
    work = proofs(desk)
    done = work.drill(check=True)
    assert (done.intervention.simulated, done.entry, work.entries("drill")) == (True, None, [])


def test_a_sabotage_is_no_drill_and_says_what_was_noticed(desk: Any) -> None:
    damages = (Damage("none", False, ()), Damage("bit_flipped", True, ("damaged",)))
    work = proofs(desk, replace(GREEN, full=False, sabotage=damages, untouched=True, compared=None))
    work.drill(sabotage=SABOTAGES)
    (entry,) = work.entries("drill")
    assert (entry.body["kind"], entry.body["untouched"]) == ("sabotage", True)
    assert entry.body["sabotage"][1] == {"kind": "bit_flipped", "noticed": True, "reasons": ["damaged"]}
    assert history(work.entries(*KINDS), origin="x").record.drills == ()
    assert history(work.entries(*KINDS), origin="x").record.notes == ()
    assert work.given["backup_drill_sabotage"] == list(SABOTAGES)
    with pytest.raises(UsageError, match="no damage is called flood"):
        work.drill(sabotage=("flood",))


def test_the_machine_is_told_what_the_log_knows(desk: Any) -> None:
    work = proofs(desk)
    work.site.holds(ws_01=store(*saved(2)))
    work.site.watch()
    work = Proofs(work.site, GREEN)
    work.drill()
    assert [one["snapshot"] for one in work.given["backup_drill_known"]] == [f"{hours(2):064x}"]
    assert run_of(hours(2))
    first = work.given["backup_drill_canary_seed"]
    work.drill(permille=50, snapshot="a" * 8)
    given = work.given
    assert (given["backup_drill_permille"], given["backup_drill_snapshot"]) == (50, "a" * 8)
    assert given["backup_drill_lot"]
    assert given["backup_drill_canary_seed"] == first


def test_only_a_store_of_the_machine_restores(desk: Any) -> None:
    work = proofs(desk)
    assert work.drill(target="offsite").target == "offsite"
    with pytest.raises(UsageError, match="kiosk-01 keeps no vault of ws-01"):
        work.drill(target="kiosk-01")
    with pytest.raises(UsageError, match="no machine called 'ws-99'"):
        work.drill(host="ws-99")
    refused = work.drill(host="kiosk-01")
    assert (refused.intervention.outcome, refused.entry) == (Outcome.REFUSED, None)


def test_a_probe_is_recorded_and_proves_that_nothing_can_be_changed(desk: Any) -> None:
    work = proofs(desk, HELD)
    done = work.probe()
    assert (done.passed, done.store, work.orders[-1].assets[0].name) == (True, "site", "ws-01")
    (entry,) = work.entries("backup_status")
    assert (entry.body["kind"], entry.body["passed"], len(entry.body["tries"])) == ("probe", True, 17)
    found = history(work.entries(*KINDS), origin="x")
    assert [one.passed for one in found.probes["ws-01"]] == [True]
    assert found.record.notes == ()


@pytest.mark.parametrize(
    "tries",
    [
        (*LOCKS, *TRIES[1:]),
        (*LOCKS, *TRIES[1:], Try("a_v", False, "403", True)),
        (*LOCKS, *TRIES[1:], Try("a_v", False, "200", False)),
        (*TRIES, Try("create_lock", True, "403", False)),
    ],
)
def test_the_word_of_a_machine_is_not_enough(tries: tuple[Try, ...], desk: Any) -> None:
    work = proofs(desk, replace(HELD, tries=tries))
    assert not work.probe().passed
    (entry,) = work.entries("backup_status")
    assert entry.body["passed"] is False


def test_a_door_that_nobody_spoke_to_proves_nothing_and_is_no_evidence(desk: Any) -> None:
    work = proofs(desk, replace(HELD, passed=False, reasons=("no_answer",), tries=()))
    done = work.probe()
    assert (done.passed, done.entry, done.intervention.outcome) == (False, None, Outcome.FAILED)
    assert proofs(desk, None).probe(check=True).entry is None
