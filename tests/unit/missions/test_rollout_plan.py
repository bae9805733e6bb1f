"""The rollout that would begin next: waves, estimates and deadlines."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.errors import UsageError
from provisioner.ledger.entry import Draft
from provisioner.missions.rollout_plan import plan_rollout
from provisioner.missions.rollout_task import Task
from provisioner.model.mission_terms import Deadlines, Missions, SoftwareUpdates, Wave
from provisioner.model.rollout_plan import Undo
from provisioner.model.values import Duration
from provisioner.model.window import Window
from provisioner.reporting.agenda import openings_calendar
from provisioner.testing import START, loaded, make_asset, make_content, make_contract

if TYPE_CHECKING:
    from provisioner.ledger.book import Book
    from provisioner.model.rollout_plan import RolloutPlan

MONDAY = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp())
A_DAY = 86_400


def planned(*names: str, book: Book | None = None, **terms: Any) -> RolloutPlan:
    window = Window(
        name="w", rrule="FREQ=WEEKLY;BYDAY=TU", start=time(22), duration=Duration.parse("4h"), timezone="UTC"
    )
    waves = (Wave(name="canary", count=1, soak=Duration.parse("24h")), Wave(name="broad"))
    updates = SoftwareUpdates(**{"windows": (window,), "waves": waves, **terms})
    task = Task(
        client="demo",
        contract=loaded(make_contract(timezone="UTC", missions=Missions(software_updates=updates))),
        assets=tuple(map(make_asset, names)),
        content=make_content(),
        pool="/pool",
        accept=lambda _: False,
        tidy=lambda _: None,
    )
    return plan_rollout(task, book, at=MONDAY)


def test_each_machine_in_its_wave_and_the_second_wave_a_week_later() -> None:
    plan = planned("ws-3", "ws-1", "ws-2")
    assert [(wave.name, wave.assets) for wave in plan.waves] == [("canary", ("ws-1",)), ("broad", ("ws-2", "ws-3"))]
    begins = [wave.begins for wave in plan.waves]
    tuesday = int(datetime(2026, 11, 24, 22, tzinfo=UTC).timestamp())
    assert begins == [tuesday, tuesday + 7 * A_DAY]
    assert plan.openings[0] == (tuesday, tuesday + 4 * 3600)
    assert len(plan.openings) == 5


@pytest.mark.parametrize(("promised", "said"), [("30d", "yes"), ("8d", "not always"), ("2d", "no")])
def test_a_deadline_at_best_and_at_worst(promised: str, said: str) -> None:
    (deadline,) = planned("ws-1", "ws-2", deadlines=Deadlines(other=Duration.parse(promised))).deadlines
    assert (deadline.name, deadline.kept) == ("other", said)


def test_each_wave_has_its_own_ages() -> None:
    canary, broad = planned("ws-1", "ws-2").waves
    assert canary.best is not None and canary.best < 3600 < 7 * A_DAY < (broad.best or 0)
    assert canary.worst is not None and broad.worst is not None
    # Known just after the first rollout began it waits for the next one: the Tuesday after that has ended.
    assert 14 * A_DAY <= canary.worst < 14 * A_DAY + 3600
    assert 21 * A_DAY <= broad.worst < 21 * A_DAY + 3600


def scanned(desk: Any, asset: str, *pending: dict[str, Any]) -> None:
    body = {"kind": "scan", "at": "2026-11-22T10:00:00Z", "asset": asset, "level": {"pending": list(pending)}}
    with desk.book() as book:
        book.append([Draft("scan", START, "op-1", body)])


def test_what_waits_on_each_machine_and_how_it_is_undone_is_what_its_last_scan_says(desk: Any) -> None:
    vim = {"name": "vim", "security": True, "kept": "", "undo": True}
    git = {"name": "git", "security": False, "kept": "", "undo": False}
    held = {"name": "linux", "security": True, "kept": "held", "undo": False}
    scanned(desk, "ws-1", git)
    scanned(desk, "ws-1", vim, held)
    scanned(desk, "ws-2", vim, git)
    with desk.book() as book:
        one, two, three = planned("ws-1", "ws-2", "ws-3", book=book).machines
    assert (one.asset, one.taken, one.security, one.kept, one.undo) == ("ws-1", 1, 1, 1, Undo.DOWNGRADE)
    assert (two.taken, two.undo, two.lost) == (2, Undo.NONE, ("git",))
    assert (three.scanned, three.undo) == (None, Undo.UNKNOWN)
    assert one.scanned == int(START.timestamp())


def test_the_digest_is_over_machines_and_waves() -> None:
    assert planned("ws-1", "ws-2").digest == planned("ws-2", "ws-1").digest != planned("ws-1").digest


def test_no_machine_is_no_plan() -> None:
    with pytest.raises(UsageError, match="covers no machine"):
        planned()


def test_openings_as_a_calendar() -> None:
    text = openings_calendar("demo", "DEMO-2026", planned("ws-1").openings, at=MONDAY).decode()
    assert text.count("BEGIN:VEVENT") == 5
    assert "DTSTART:20261124T220000Z" in text and "DTEND:20261125T020000Z" in text
