"""Driving a rollout against a real log: what is begun, refused, tried again, and never done twice."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.errors import StillRunning, UsageError
from provisioner.ledger.entry import Draft
from provisioner.missions import software_updates
from provisioner.missions.rollout_state import Ran, where_it_stands
from provisioner.missions.rollout_steering import end_rollout, halt_rollout, resume_rollout
from provisioner.missions.rollout_task import Task
from provisioner.missions.software_updates import check_rollout, run_rollout
from provisioner.model.contract import Approvals
from provisioner.model.intervention import Check, CheckResult, Outcome
from provisioner.model.mission_terms import Allowance, Missions, SoftwareUpdates, Wave
from provisioner.model.package import PackageChange
from provisioner.model.rollout import Halt, HostState, Wait
from provisioner.model.values import Duration, Percentage, Period
from provisioner.model.window import Window
from provisioner.planning.software_updates import Work, plan_software_updates
from provisioner.planning.waves import Batches
from provisioner.testing import (
    UNREACHABLE,
    FakeProbe,
    loaded,
    make_asset,
    make_content,
    make_contract,
    raising,
    result,
    succeed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioner.execution.ports import Order, RunResult
    from provisioner.model.asset import Asset
    from provisioner.model.plan import Content, Plan

NIGHT = datetime(2026, 11, 24, 22, tzinfo=UTC)
VIM = PackageChange("vim", "amd64", "1", "2", "a" * 64, security=True)
HALF = replace(SoftwareUpdates().gate, max_unreachable=Percentage.parse("50%"))


@dataclass
class Clock:
    """A clock that a test puts forward; it goes on by a second each time it is read."""

    at: datetime = NIGHT

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


def row(name: str, found: str, outcome: CheckResult = CheckResult.PASS) -> Check:
    return Check(name=name, asked="2", found=found, result=outcome)


def patched(order: Order) -> RunResult:
    """Every machine took vim 2."""
    names = [asset.name for asset in order.assets]
    done = result(succeed(order).tallies, checks=dict.fromkeys(names, (row("package vim", "2"),)))
    return replace(done, check=order.check, packages=dict.fromkeys(names, (VIM,)))


def behind(version: str) -> Any:
    """Every machine took vim 2, and those with a lock were offered a security update beyond it."""

    def answer(order: Order) -> RunResult:
        names = [asset.name for asset in order.assets]
        why = f"superseded: security version {version}, which no canary has"
        newer = row("kept back vim", why, CheckResult.NOT_APPLICABLE)
        locked = any(given["patched_packages_locked"] for given in order.step.variables.values())
        rows = (row("package vim", "2"), *((newer,) if locked else ()))
        done = result(succeed(order).tallies, checks=dict.fromkeys(names, rows))
        return replace(done, packages=dict.fromkeys(names, (VIM,)))

    return answer


def failing(order: Order) -> RunResult:
    """No machine took it, whatever the installer said."""
    names = [asset.name for asset in order.assets]
    return result(succeed(order).tallies, checks=dict.fromkeys(names, (row("package vim", "1", CheckResult.FAIL),)))


@dataclass
class Park:
    """A desk with machines under a contract that has a window of four hours every night at ten, UTC."""

    desk: Any
    clock: Clock = field(default_factory=Clock)
    names: tuple[str, ...] = ("ws-1", "ws-2", "ws-3")
    terms: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    kept: list[frozenset[str]] = field(default_factory=list)

    def task(self) -> Task:
        window = Window(name="night", rrule="FREQ=DAILY", start=time(22), duration=Duration.parse("4h"), timezone="UTC")
        waves = (Wave(name="canary", count=1), Wave(name="broad"))
        updates = SoftwareUpdates(**{"windows": (window,), "waves": waves, **self.terms})
        contract = make_contract(timezone="UTC", missions=Missions(software_updates=updates), **self.fields)
        return Task(
            client="demo",
            contract=loaded(contract),
            assets=tuple(self.asset(name) for name in self.names),
            content=make_content("patched_packages", "acceptance"),
            pool="/pool",
            accept=lambda _: False,
            tidy=self.kept.append,
        )

    def asset(self, name: str) -> Asset:
        return make_asset(name)

    def run(self) -> Ran:
        self.desk.now = self.clock
        return run_rollout(self.task(), self.desk.services())

    def say(self, word: Any, reason: str = "because") -> None:
        self.desk.now = self.clock
        with self.desk.book() as book:
            word(self.task(), book, self.desk.services(), reason=reason)

    def states(self) -> dict[str, HostState]:
        with self.desk.book() as book:
            found = where_it_stands(self.task(), book, at=int(self.clock.at.timestamp())).log
        assert found is not None
        return found.states

    def batches(self) -> list[tuple[str, ...]]:
        return [tuple(asset.name for asset in order.assets) for order in self.desk.executor.orders]


@pytest.fixture
def park(desk: Any) -> Park:
    desk.executor.answer = patched
    return Park(desk)


def test_waves_in_turn_and_what_the_first_proved_for_the_others(park: Park) -> None:
    ran = park.run()
    assert park.batches() == [("ws-1",), ("ws-2", "ws-3")]
    first, second = (order.step.variables for order in park.desk.executor.orders)
    assert (first["ws-1"]["patched_packages_locked"], first["ws-1"]["patched_packages_lock"]) == (False, [])
    assert second["ws-2"]["patched_packages_locked"] is True
    assert second["ws-3"]["patched_packages_lock"] == [VIM._asdict()]
    assert (ran.outcomes, set(park.states().values())) == ((Outcome.CHANGED, Outcome.CHANGED), {HostState.PATCHED})
    kinds = ["key", "contract", "plan", "opened", "closed", "opened", "closed", "wave"]
    assert park.desk.kinds() == kinds
    (ended,) = park.desk.bodies("wave")
    assert [machine["state"] for machine in ended["machines"]] == ["patched"] * 3
    opened = park.desk.bodies("opened")[0]
    assert (opened["unattended"], opened["rollout"]["wave"]) == (True, "canary")


def test_one_rollout_a_window_and_the_next_one_in_the_next(park: Park) -> None:
    park.run()
    before = park.desk.kinds()
    again = park.run()
    assert isinstance(again.decision, Wait)
    assert again.decision.until == int((NIGHT + timedelta(days=1)).timestamp())
    assert (again.outcomes, park.desk.kinds()) == ((), before)
    park.clock.at = NIGHT + timedelta(days=1, minutes=5)
    park.run()
    assert park.desk.kinds().count("plan") == 2


def test_w12_a_late_call_outside_the_window_does_nothing_and_records_nothing(park: Park) -> None:
    park.clock.at = NIGHT + timedelta(hours=11)
    ran = park.run()
    assert isinstance(ran.decision, Wait)
    assert (park.batches(), park.desk.kinds()) == ([], [])


def test_a_failed_canary_halts_until_it_is_resumed_and_is_tried_first_then(park: Park) -> None:
    park.desk.executor.answer = failing
    ran = park.run()
    assert isinstance(ran.decision, Halt)
    assert (ran.outcomes[0], park.batches()) == (Outcome.HALTED, [("ws-1",)])
    assert park.run().interventions == [], "nothing more starts"
    assert park.desk.kinds().count("halt") == 1
    park.desk.executor.answer = patched
    park.say(resume_rollout)
    park.run()
    assert park.batches() == [("ws-1",), ("ws-1",), ("ws-2", "ws-3")]
    assert set(park.states().values()) == {HostState.PATCHED}
    assert "because" not in str(park.desk.bodies("resume")), "a person's words stay out of the entry"


def test_a_person_halts_and_nothing_starts(park: Park) -> None:
    park.terms["waves"] = (Wave(name="canary", count=1, soak=Duration.parse("1h")), Wave(name="broad"))
    park.run()
    park.say(halt_rollout, "the printer moves")
    park.clock.at += timedelta(hours=2)
    stopped = park.run().decision
    assert isinstance(stopped, Halt)
    assert (stopped.code, stopped.text) == ("person", "by a person: the printer moves")
    assert "printer" not in str(park.desk.bodies("halt")), "a person's words stay out of the entry"
    assert park.batches() == [("ws-1",)]
    with pytest.raises(UsageError, match="halted already"):
        park.say(halt_rollout)


def test_a_second_person_where_the_contract_wants_one(park: Park) -> None:
    park.fields["approvals"] = Approvals(second_person=("patch.resume",))
    park.desk.executor.answer = failing
    park.run()
    with pytest.raises(UsageError, match="another person"):
        park.say(resume_rollout)
    park.desk.operator = "Somebody Else"
    park.say(resume_rollout)


def test_w11_a_machine_that_was_off_is_caught_up_in_the_next_window(park: Park) -> None:
    park.terms["gate"] = HALF
    park.desk.probe = FakeProbe({"ws-3": UNREACHABLE})
    ran = park.run()
    assert isinstance(ran.decision, Wait)
    assert (ran.decision.code, park.states()["ws-3"]) == ("missed", HostState.UNREACHABLE)
    park.clock.at += timedelta(hours=1)
    assert park.run().interventions == [], "once in a window"
    park.desk.probe = FakeProbe()
    park.clock.at = NIGHT + timedelta(days=1, minutes=5)
    park.run()
    assert park.batches() == [("ws-1",), ("ws-2",), ("ws-3",)], "and nobody else a second time"
    assert park.states()["ws-3"] is HostState.PATCHED
    assert park.desk.kinds()[-1] == "wave"


def test_w11_a_machine_that_stays_off_is_a_named_miss_in_the_end(park: Park) -> None:
    park.terms["gate"] = HALF
    park.desk.probe = FakeProbe({"ws-3": UNREACHABLE})
    for day in range(3):
        park.clock.at = NIGHT + timedelta(days=day, minutes=5)
        park.run()
    (ended,) = park.desk.bodies("wave")
    found = {machine["asset"]: (machine["state"], machine["reason"]) for machine in ended["machines"]}
    assert found["ws-3"] == ("unreachable", "connection_refused")
    assert park.desk.probe.reached.count("ws-3") == 3


def test_a_killed_controller_gives_its_batch_another_turn_and_nobody_else(park: Park) -> None:
    def die_at_the_second(order: Order) -> RunResult:
        if len(park.desk.executor.orders) == 2:
            raise StillRunning("the intent stays open, as after a kill")
        return patched(order)

    park.desk.executor.answer = die_at_the_second
    with pytest.raises(StillRunning):
        park.run()
    assert park.desk.kinds()[-1] == "opened"
    park.desk.executor.answer = patched
    park.run()
    assert park.batches() == [("ws-1",), ("ws-2", "ws-3"), ("ws-2", "ws-3")]
    assert set(park.states().values()) == {HostState.PATCHED}


def test_interrupted_by_a_person_it_stops_and_goes_on_later(park: Park) -> None:
    park.desk.executor.answer = raising(KeyboardInterrupt())
    ran = park.run()
    assert (ran.outcomes, park.batches()) == ((Outcome.INTERRUPTED,), [("ws-1",)])
    park.desk.executor.answer = patched
    park.run()
    assert set(park.states().values()) == {HostState.PATCHED}


def beyond_a_batch(park: Park, size: int) -> list[Order]:
    """The calls to Ansible that know of more than a batch of so many machines: its inventory is `assets`."""
    found = []
    for order in park.desk.executor.orders:
        named = set(order.step.assets)
        inventory = {asset.name for asset in order.assets}
        if len(named) > size or set(order.step.variables) != named or not inventory <= named:
            found.append(order)
    return found


@pytest.fixture
def nine(park: Park) -> Park:
    """Nine machines in batches of two; three do not answer in the first night, and are caught up in the second."""
    park.names = tuple(f"ws-{number}" for number in range(1, 10))
    park.terms |= {"batch": 2, "gate": replace(HALF, max_unreachable=Percentage.parse("100%"))}
    park.terms["waves"] = (Wave(name="canary", count=1), Wave(name="pilot", count=4), Wave(name="broad"))
    park.desk.probe = FakeProbe(dict.fromkeys(("ws-2", "ws-3", "ws-4"), UNREACHABLE))
    return park


def two_nights(park: Park) -> None:
    park.run()
    park.desk.probe = FakeProbe()
    park.clock.at = NIGHT + timedelta(days=1, minutes=5)
    park.run()
    assert set(park.states().values()) == {HostState.PATCHED}


def test_no_call_to_ansible_knows_of_more_machines_than_its_batch(nine: Park) -> None:
    two_nights(nine)
    assert beyond_a_batch(nine, 2) == []
    first = [("ws-1",), ("ws-5",), ("ws-6", "ws-7"), ("ws-8", "ws-9")]
    assert nine.batches() == [*first, ("ws-2", "ws-3"), ("ws-4",)]
    assert max(len(opened["assets"]) for opened in nine.desk.bodies("opened")) == 2


def test_the_control_a_planner_that_hands_out_a_whole_wave_is_seen(nine: Park, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Batches, "take", lambda batches: tuple(batches._waiting))
    two_nights(nine)
    assert [len(order.step.assets) for order in beyond_a_batch(nine, 2)] == [4, 4, 3]


def test_the_control_a_plan_that_names_a_machine_of_another_batch_is_seen(
    nine: Park, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(_assets: Sequence[Asset], content: Content, work: Work) -> Plan:
        return plan_software_updates(nine.task().assets, content, work)

    monkeypatch.setattr(software_updates, "plan_software_updates", careless)
    nine.run()
    assert beyond_a_batch(nine, 2) != []


def test_two_controllers_at_once_one_works(park: Park) -> None:
    park.desk.leases.held.add(("demo", ".rollout"))
    with pytest.raises(UsageError):
        park.run()
    assert park.desk.kinds() == []


def test_an_incident_while_a_wave_is_watched_stops_the_next(park: Park) -> None:
    park.terms["waves"] = (Wave(name="canary", count=1, soak=Duration.parse("1h")), Wave(name="broad"))
    park.run()
    event = {"kind": "opened", "ticket": "T-1", "priority": "P1", "asset": "ws-1", "at": "2026-11-24T22:30:00Z"}
    with park.desk.book() as book:
        book.append([Draft("ticket", park.clock(), book.pseudonym("Anne"), event)])
    park.clock.at += timedelta(hours=2)
    ran = park.run()
    assert isinstance(ran.decision, Halt)
    assert (ran.decision.code, park.batches()) == ("incident", [("ws-1",)])


def test_a_machine_that_left_is_named_and_holds_nobody(park: Park) -> None:
    park.terms["waves"] = (Wave(name="canary", count=1, soak=Duration.parse("1h")), Wave(name="broad"))
    park.run()
    park.names = ("ws-1", "ws-3")
    park.clock.at += timedelta(hours=2)
    park.run()
    assert park.batches() == [("ws-1",), ("ws-3",)]
    (ended,) = park.desk.bodies("wave")
    assert {machine["asset"]: machine["state"] for machine in ended["machines"]} == {
        "ws-1": "patched",
        "ws-2": "untouched",
        "ws-3": "patched",
    }
    assert "no longer in hosts.yml" in str(ended["machines"])


def test_a_batch_that_the_contract_refuses_halts_and_is_refused_once(park: Park) -> None:
    park.terms["allowance"] = Allowance(count=1, per=Period.MONTH)
    ran = park.run()
    assert isinstance(ran.decision, Halt)
    assert (ran.decision.code, park.batches()) == ("refused", [("ws-1",)])
    park.run()
    assert park.desk.kinds().count("refused") == 1


def test_no_machine_proven_no_second_wave(park: Park) -> None:
    park.terms["gate"] = replace(HALF, max_unreachable=Percentage.parse("100%"))
    park.desk.probe = FakeProbe({"ws-1": UNREACHABLE})
    ran = park.run()
    assert isinstance(ran.decision, Halt)
    assert (ran.decision.code, park.batches()) == ("unproven", [])


def test_a_canary_that_was_put_off_has_another_turn_after_a_resume(park: Park) -> None:
    put_off = (Check(name="update", asked="installed", found="on battery", result=CheckResult.NOT_APPLICABLE),)
    park.desk.executor.answer = lambda order: result(
        succeed(order).tallies, checks=dict.fromkeys((one.name for one in order.assets), put_off)
    )
    halted = park.run().decision
    assert isinstance(halted, Halt)
    assert (halted.code, park.states()["ws-1"]) == ("unproven", HostState.DEFERRED)
    park.desk.executor.answer = patched
    park.say(resume_rollout)
    park.run()
    assert park.batches() == [("ws-1",), ("ws-1",), ("ws-2", "ws-3")]


def test_nothing_covered_is_no_success(park: Park) -> None:
    park.names = ()
    with pytest.raises(UsageError, match="covers no machine"):
        park.run()
    assert park.desk.kinds() == []


def test_a_contract_that_promises_no_updates(park: Park) -> None:
    task = replace(park.task(), contract=loaded(make_contract()))
    with pytest.raises(UsageError, match="promises no software_updates"):
        run_rollout(task, park.desk.services())


def test_check_mode_tries_the_batch_that_is_due_and_is_no_part_of_a_rollout(park: Park) -> None:
    park.desk.now = park.clock
    ran = check_rollout(park.task(), park.desk.services())
    assert [one.simulated for one in ran.interventions] == [True]
    assert (park.batches(), [order.check for order in park.desk.executor.orders]) == ([("ws-1",)], [True])
    assert park.desk.kinds() == ["key", "contract", "opened", "closed"]
    park.run()
    assert park.batches()[1:] == [("ws-1",), ("ws-2", "ws-3")], "what was simulated is still to be done"


def test_check_mode_outside_a_window_does_nothing(park: Park) -> None:
    park.clock.at = NIGHT + timedelta(hours=11)
    park.desk.now = park.clock
    assert isinstance(check_rollout(park.task(), park.desk.services()).decision, Wait)
    assert (park.batches(), park.desk.kinds()) == ([], [])


def test_a_security_update_beyond_the_lock_gets_a_canary_of_its_own_at_once_and_only_once(park: Park) -> None:
    park.desk.executor.answer = behind("3")
    ran = park.run()
    assert ran.log is not None and ran.log.superseded == {("vim", "3")}
    assert ran.standing(park.task()).superseded == (("vim", "3"),)
    park.run()
    assert park.desk.kinds().count("plan") == 2, "the window of the first one is still open"
    again = park.run()
    assert isinstance(again.decision, Wait)
    assert (again.interventions, park.desk.kinds().count("plan")) == ([], 2), "its canary did not find it either"
    park.clock.at = NIGHT + timedelta(days=1, minutes=5)
    park.desk.executor.answer = behind("4")
    park.run()
    park.run()
    assert park.desk.kinds().count("plan") == 4, "another version, another canary"


def test_w9_an_update_that_never_installs_is_left_alone_by_name_for_a_time(park: Park) -> None:
    """W9, ansible.windows#343: three tries in a row, then a named exception that ends by itself."""
    park.desk.executor.answer = failing
    park.run()
    for _ in range(2):
        park.say(resume_rollout)
        park.run()
    assert [order.step.variables["ws-1"]["patched_packages_excepted"] for order in park.desk.executor.orders] == [
        []
    ] * 3
    park.desk.executor.answer = patched
    park.say(resume_rollout)
    ran = park.run()
    first, second = (order.step.variables for order in park.desk.executor.orders[3:])
    assert first["ws-1"]["patched_packages_excepted"] == [{"name": "vim", "version": "2", "until": "2026-12-24"}]
    assert second["ws-2"]["patched_packages_excepted"] == [], "another machine takes it"
    assert ran.excepted == (), "the fake installed it all the same: the count begins anew"


def test_a_rollout_that_is_given_up_is_over_and_the_next_window_begins_another(park: Park) -> None:
    park.desk.executor.answer = failing
    assert isinstance(park.run().decision, Halt)
    park.say(end_rollout, "the vendor will not mend it")
    (ended,) = park.desk.bodies("wave")
    assert "vendor" not in str(ended), "a person's words stay out of the entry"
    reasons = {one["asset"]: (one["state"], one["reason"]) for one in ended["machines"]}
    assert reasons["ws-1"] == ("failed", "package vim: 1")
    assert reasons["ws-3"] == ("untouched", "the rollout was given up before its turn")
    assert ended["not_evaluable"] == ["broad"]
    ran = park.run()
    assert (ran.interventions, ran.standing(park.task()).given_up) == ([], True)
    with pytest.raises(UsageError, match="no rollout is under way"):
        park.say(end_rollout)
    park.desk.executor.answer = patched
    park.clock.at = NIGHT + timedelta(days=1, minutes=5)
    park.run()
    assert park.batches() == [("ws-1",), ("ws-1",), ("ws-2", "ws-3")]


def test_who_drives_a_rollout_cannot_be_overtaken_by_its_end(park: Park) -> None:
    park.desk.executor.answer = failing
    park.run()
    park.desk.leases.held.add(("demo", ".rollout"))
    with pytest.raises(UsageError):
        park.say(end_rollout)
    assert "wave" not in park.desk.kinds()


def test_the_pool_keeps_what_the_rollout_proved_and_is_tidied_at_its_end_only(park: Park) -> None:
    park.terms["waves"] = (Wave(name="canary", count=1, soak=Duration.parse("1h")), Wave(name="broad"))
    park.run()
    assert park.kept == []
    park.clock.at += timedelta(hours=2)
    park.run()
    assert park.kept == [frozenset({VIM.sha256})]


def test_machines_of_an_open_batch_are_said_to_be_at_work(park: Park) -> None:
    seen: list[frozenset[str]] = []

    def look(order: Order) -> RunResult:
        with park.desk.book() as book:
            found = where_it_stands(park.task(), book, at=int(park.clock.at.timestamp())).log
        assert found is not None
        seen.append(found.at_work)
        return patched(order)

    park.desk.executor.answer = look
    ran = park.run()
    assert seen == [{"ws-1"}, {"ws-2", "ws-3"}]
    assert ran.log is not None and ran.log.at_work == frozenset()
