"""The one algorithm against a real log: what is recorded, when, and what is touched."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.errors import ExecutionError, LedgerError, UsageError
from provisioner.execution.ports import Contact, RunResult, RunStatus, Tally, Trust
from provisioner.ledger.verify import Status
from provisioner.missions.audit import verify_log
from provisioner.model.event import Event, EventKind
from provisioner.model.intervention import EXIT_CODES, Check, CheckResult, Outcome
from provisioner.model.mission_terms import Allowance, Missions, WorkstationSetup
from provisioner.model.values import Period
from provisioner.testing import (
    READY,
    UNREACHABLE,
    FakeExecutor,
    FakeLeases,
    FakeProbe,
    make_asset,
    make_contract,
    raising,
    result,
    succeed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.execution.ports import Order
    from provisioner.model.asset import Asset

ONCE = [("opened", 1), ("closed", 1)]
CLAUSE = "missions.workstation_setup"


def bracket(desk: Any) -> list[tuple[str, int]]:
    kinds = desk.kinds()
    return [(kind, kinds.count(kind)) for kind in ("opened", "closed", "refused") if kind in kinds]


def test_two_entries_bracket_the_work(desk: Any) -> None:
    told = desk.perform()
    assert (told.outcome, told.clause, EXIT_CODES[told.outcome]) == (Outcome.CHANGED, CLAUSE, 0)
    assert desk.kinds() == ["key", "contract", "opened", "closed"]
    assert told.entries == (2, 3)
    assert desk.probe.reached == ["ws-01"] and len(desk.executor.orders) == 1
    (opened,), (closed,) = desk.bodies("opened"), desk.bodies("closed")
    assert opened["intervention"] == closed["intervention"] == told.id
    assert opened["plan_digest"] == told.plan_digest == desk.request().plan.digest
    assert opened["contract_digest"] == desk.request().contract.digest
    assert closed["assets"][0]["checks"][0]["result"] == "pass"
    assert told.opened < told.closed


def test_the_operator_is_told_the_id_before_anything_else(desk: Any) -> None:
    told = desk.perform()
    assert desk.progress.told[0] == ("begin", told.id)


def test_the_log_is_signed_and_verifies(desk: Any) -> None:
    desk.perform()
    with desk.book() as book:
        assert verify_log(book).status is Status.OK


def test_the_intent_is_durable_before_the_first_packet(desk: Any) -> None:
    seen: list[list[str]] = []

    def look(_asset: Asset) -> None:
        seen.append(desk.kinds())  # another connection to the same file

    desk.probe = FakeProbe(on_reach=look)
    desk.perform()
    assert seen == [["key", "contract", "opened"]]


def test_a_second_intervention_records_the_contract_again_only_when_its_text_changed(desk: Any) -> None:
    desk.perform()
    desk.perform()
    assert desk.kinds().count("contract") == 1
    desk.text = b"id: DEMO-2026 # amended\n"
    desk.perform()
    assert desk.kinds().count("contract") == 2


def test_a_refusal_is_recorded_and_sends_no_packet(desk: Any) -> None:
    desk.contract = make_contract(assets=("servers",))
    told = desk.perform()
    assert (told.outcome, EXIT_CODES[told.outcome]) == (Outcome.REFUSED, 3)
    assert [(reason.code, reason.clause) for reason in told.reasons] == [("uncovered", "assets")]
    assert bracket(desk) == [("refused", 1)]
    assert desk.bodies("refused")[0]["reasons"][0]["clause"] == "assets"
    assert (desk.probe.reached, desk.executor.orders, desk.leases.taken) == ([], [], [])
    with desk.book() as book:
        assert verify_log(book).status is Status.OK


@pytest.mark.parametrize(
    ("contact", "outcome"),
    [
        (UNREACHABLE, Outcome.UNREACHABLE),
        (Contact(reason="host_key_changed", text="changed", fingerprint="SHA256:new"), Outcome.UNREACHABLE),
        (Contact(reason="privilege_refused", text="sudo refuses", trust=Trust.PINNED), Outcome.FAILED),
    ],
)
def test_a_machine_that_is_not_ready_is_recorded_and_not_worked_on(
    desk: Any, contact: Contact, outcome: Outcome
) -> None:
    desk.probe = FakeProbe({"ws-01": contact})
    told = desk.perform()
    assert told.outcome is outcome
    assert told.reasons[0].code == contact.reason and told.reasons[0].text == contact.text
    assert bracket(desk) == ONCE
    assert desk.bodies("closed")[0]["assets"][0]["host_key"] == (contact.fingerprint or None)
    assert desk.executor.orders == []


def test_how_the_machine_was_trusted_is_recorded(desk: Any) -> None:
    desk.probe = FakeProbe({"ws-01": Contact(trust=Trust.FIRST_USE, fingerprint="SHA256:first")})
    desk.perform()
    (asset,) = desk.bodies("closed")[0]["assets"]
    assert (asset["trust"], asset["host_key"]) == ("trust_on_first_use", "SHA256:first")


def test_a_failed_task_is_named(desk: Any) -> None:
    desk.executor = FakeExecutor(
        answer=lambda order: result({"ws-01": Tally(ok=2, failed=1)}),
        events=(
            Event(kind=EventKind.TASK, role="software_set", task="Install"),
            Event(kind=EventKind.FAILED, host="ws-01", role="software_set", task="Install", message="no such package"),
            Event(kind=EventKind.FAILED, host="ws-01", role="later", task="Another"),
        ),
    )
    told = desk.perform()
    assert (told.outcome, told.assets[0].failed_task) == (Outcome.FAILED, "software_set : Install")
    assert desk.bodies("closed")[0]["assets"][0]["failed_task"] == "software_set : Install"


def test_an_event_s_message_enters_no_entry_and_no_detail(desk: Any) -> None:
    canary = "canary-9f2c"
    failed = Event(kind=EventKind.FAILED, host="ws-01", role="r", task="t", message=f"stderr said {canary}")
    desk.executor = FakeExecutor(answer=lambda order: result({"ws-01": Tally(failed=1)}), events=(failed,))
    desk.probe = FakeProbe({"ws-02": READY})
    desk.perform()
    desk.probe = FakeProbe({"ws-01": Contact(reason="login_refused", text=f"the banner said {canary}")})
    desk.perform()
    files = [path for path in desk.state.rglob("*") if path.is_file()]
    written = b"".join(path.read_bytes() for path in files)
    assert canary.encode() not in written
    assert b"login_refused" in written and b"r : t" in written, "the control: the search finds what is there"


def test_secrets_and_names_enter_no_entry(desk: Any) -> None:
    desk.assets = (make_asset(secrets={"become_password": "hunter2-canary"}),)
    desk.perform()
    leaves = b"".join(entry.leaf for entry in desk.entries())
    assert b"hunter2-canary" not in leaves and b"Camille" not in leaves
    with desk.book() as book:
        assert book.person(desk.entries()[-1].operator) == "Camille Operator"


def personal(order: Order) -> RunResult:
    check = Check(
        name="administrator yolanda",
        asked="yolanda@example",
        found="yolanda-found",
        result=CheckResult.PASS,
        personal=True,
    )
    return result({"ws-01": Tally(ok=1)}, checks={"ws-01": (check,)})


def test_texts_of_personal_checks_enter_as_references(desk: Any) -> None:
    desk.executor = FakeExecutor(answer=personal)
    told = desk.perform()
    assert told.assets[0].checks[0].asked == "yolanda@example", "the operator sees the text"
    (check,) = desk.bodies("closed")[0]["assets"][0]["checks"]
    assert (check["result"], check["personal"]) == ("pass", True)
    with desk.book() as book:
        texts = [book.reveal(check[key]) for key in ("name", "asked", "found")]
    assert texts == ["administrator yolanda", "yolanda@example", "yolanda-found"]
    assert b"yolanda" not in b"".join(entry.leaf for entry in desk.entries())


def interrupted(desk: Any, told: Any) -> None:
    assert (told.outcome, EXIT_CODES[told.outcome]) == (Outcome.INTERRUPTED, 130)
    assert bracket(desk) == ONCE
    assert desk.bodies("closed")[0]["outcome"] == "interrupted"


def test_ctrl_c_while_reaching(desk: Any) -> None:
    desk.probe = FakeProbe(on_reach=raising(KeyboardInterrupt()))
    interrupted(desk, desk.perform())
    assert desk.executor.orders == []


def test_ctrl_c_in_a_run(desk: Any) -> None:
    desk.executor = FakeExecutor(answer=raising(KeyboardInterrupt()))
    interrupted(desk, desk.perform())


def test_a_cancelled_run_starts_no_other_one(desk: Any) -> None:
    desk.assets = (make_asset("ws-01"), make_asset("ws-02"))
    desk.executor = FakeExecutor(answer=lambda order: RunResult(status=RunStatus.CANCELLED, check=False))
    told = desk.perform()
    interrupted(desk, told)
    assert len(desk.executor.orders) == 1
    assert {asset.name: asset.outcome for asset in told.assets} == {
        "ws-01": Outcome.INTERRUPTED,
        "ws-02": Outcome.INTERRUPTED,
    }


def test_a_stopped_run_tells_what_was_seen_of_it(desk: Any) -> None:
    events = (
        Event(kind=EventKind.TASK, role="r", task="first"),
        Event(kind=EventKind.CHANGED, host="ws-01", role="r", task="first"),
        Event(kind=EventKind.TASK, role="r", task="second"),
    )
    timed_out = RunResult(status=RunStatus.TIMED_OUT, check=False)
    desk.executor = FakeExecutor(answer=lambda order: timed_out, events=events)
    (asset,) = desk.perform().assets
    assert (asset.outcome, asset.ok, asset.changed, asset.failed_task) == (Outcome.UNKNOWN, 1, 1, "r : second")


@pytest.mark.parametrize("error", [RuntimeError("a bug"), BrokenPipeError("stdout is gone"), MemoryError()])
def test_a_bug_closes_as_unknown_and_is_raised(desk: Any, error: Exception) -> None:
    desk.executor = FakeExecutor(answer=raising(error))
    with pytest.raises(type(error)):
        desk.perform()
    assert bracket(desk) == ONCE
    assert desk.bodies("closed")[0]["outcome"] == "unknown"
    with desk.book() as book:
        assert verify_log(book).status is Status.OK


def test_a_bug_in_the_progress_line_leaves_nothing_open(desk: Any) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise BrokenPipeError

    desk.progress.begin = fail
    with pytest.raises(BrokenPipeError):
        desk.perform()
    assert bracket(desk) == ONCE and desk.probe.reached == []


def test_a_run_that_could_not_start_is_failed(desk: Any) -> None:
    desk.executor = FakeExecutor(answer=raising(ExecutionError("changed since the plan was made")), events=())
    told = desk.perform()
    assert (told.outcome, told.reasons[0].code) == (Outcome.FAILED, "not_executed")
    assert "changed since" in told.reasons[0].text


def test_a_run_that_broke_off_is_unknown(desk: Any) -> None:
    desk.executor = FakeExecutor(answer=raising(ExecutionError("its processes live")))
    told = desk.perform()
    assert (told.outcome, told.reasons[0].code) == (Outcome.UNKNOWN, "not_ended")


class Failing:
    """A book whose appends of one kind (or whose signing) fail as on a full disk."""

    def __init__(self, book: Any, kind: str) -> None:
        self._book, self._kind = book, kind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._book, name)

    def append(self, drafts: Any) -> Any:
        if any(draft.kind == self._kind for draft in drafts):
            raise LedgerError("database or disk is full")
        return self._book.append(drafts)

    def keep(self, value: str, *, field: str) -> Any:
        if self._kind == "details":
            raise LedgerError("database or disk is full")
        return self._book.keep(value, field=field)

    def sign(self, at: Any) -> Any:
        if self._kind == "signature":
            raise LedgerError("the checkpoint could not be written")
        return self._book.sign(at)


def break_book(desk: Any, kind: str) -> None:
    @contextmanager
    def broken(client: str) -> Iterator[Any]:
        with desk.book(client) as book:
            yield Failing(book, kind)

    desk.open_book = broken


def test_no_durable_intent_no_action(desk: Any) -> None:
    break_book(desk, "opened")
    with pytest.raises(LedgerError, match=r"disk is full; no work was done$"):
        desk.perform()
    assert (desk.probe.reached, desk.executor.orders) == ([], [])


def test_a_refusal_that_cannot_be_recorded_says_that_nothing_was_done(desk: Any) -> None:
    break_book(desk, "refused")
    desk.contract = make_contract(assets=("servers",))
    with pytest.raises(LedgerError, match="no work was done"):
        desk.perform()


@pytest.mark.parametrize("kind", ["closed", "details"])
def test_an_end_that_cannot_be_recorded_says_that_work_was_done(desk: Any, kind: str) -> None:
    break_book(desk, kind)
    desk.executor = FakeExecutor(answer=personal)
    with pytest.raises(
        LedgerError, match=r"work was done on ws-01 \(outcome unchanged\), its end could not be recorded"
    ):
        desk.perform()
    desk.open_book = None
    desk.executor = FakeExecutor()
    desk.perform()
    assert [body["outcome"] for body in desk.bodies("closed")] == ["interrupted", "changed"], (
        "the next command closes it"
    )


def test_an_end_that_cannot_be_recorded_does_not_invent_work(desk: Any) -> None:
    break_book(desk, "closed")
    desk.probe = FakeProbe({"ws-01": UNREACHABLE})
    with pytest.raises(LedgerError, match=r"no work was done \(outcome unreachable\)"):
        desk.perform()


def test_an_end_that_cannot_be_signed_says_that_it_is_recorded(desk: Any) -> None:
    break_book(desk, "signature")
    with pytest.raises(
        LedgerError, match=r"work was done on ws-01 \(outcome changed\), its end is recorded but not signed"
    ):
        desk.perform()
    assert bracket(desk) == ONCE


def test_a_machine_another_intervention_works_on_is_left_alone(desk: Any) -> None:
    desk.leases.held.add(("demo", "ws-01"))
    with pytest.raises(UsageError, match="another intervention"):
        desk.perform()
    assert (desk.kinds(), desk.probe.reached) == ([], [])


def test_the_lease_is_held_until_the_end_and_not_longer(desk: Any) -> None:
    held: list[bool] = []

    def answer(order: Order) -> RunResult:
        held.append(("demo", "ws-01") in desk.leases.held)
        return succeed(order)

    desk.executor = FakeExecutor(answer=answer)
    desk.perform()
    assert (held, desk.leases.held) == ([True], set())


def test_a_check_run_is_recorded_as_simulated(desk: Any) -> None:
    desk.check = True
    told = desk.perform()
    assert told.simulated and desk.executor.orders[0].check
    assert [body["simulated"] for body in desk.bodies("opened") + desk.bodies("closed")] == [True, True]


def test_the_effective_check_mode_is_what_counts(desk: Any) -> None:
    desk.executor = FakeExecutor(answer=lambda order: result({"ws-01": Tally(ok=1)}, check=True))
    assert desk.perform().simulated
    assert desk.bodies("closed")[0]["simulated"] is True


def allow(count: int) -> Any:
    allowance = Allowance(count=count, per=Period.MONTH)
    return make_contract(missions=Missions(workstation_setup=WorkstationSetup(allowance=allowance)))


def test_the_allowance_is_counted_from_the_log(desk: Any) -> None:
    desk.contract = allow(1)
    assert desk.perform().outcome is Outcome.CHANGED
    assert desk.perform().outcome is Outcome.CHANGED, "a repeat is free"
    desk.assets = (make_asset("ws-02"),)
    told = desk.perform()
    assert [reason.code for reason in told.reasons] == ["allowance_used"]
    assert bracket(desk) == [("opened", 2), ("closed", 2), ("refused", 1)]


@pytest.mark.parametrize("free", ["refused", "failed", "unreachable", "simulated", "interrupted"])
def test_what_was_not_delivered_costs_nothing(desk: Any, free: str) -> None:
    desk.contract = allow(1)
    desk.check = free == "simulated"
    answers = {
        "failed": lambda order: result({"ws-01": Tally(failed=1)}),
        "interrupted": raising(KeyboardInterrupt()),
    }
    desk.executor = FakeExecutor(answer=answers.get(free, succeed))
    desk.probe = FakeProbe({"ws-01": UNREACHABLE} if free == "unreachable" else {})
    if free == "refused":
        desk.assets = (make_asset(groups=("servers",)),)
    desk.perform()
    desk.check, desk.executor, desk.probe = False, FakeExecutor(), FakeProbe()
    desk.assets = (make_asset("ws-02"),)
    assert desk.perform().outcome is Outcome.CHANGED


def test_one_request_cannot_take_more_than_is_left(desk: Any) -> None:
    desk.contract = allow(1)
    desk.assets = (make_asset("ws-01"), make_asset("ws-02"))
    assert [reason.code for reason in desk.perform().reasons] == ["allowance_used"]


def test_the_worst_machine_decides_the_outcome_of_the_whole(desk: Any) -> None:
    desk.assets = (make_asset("ws-01"), make_asset("ws-02"))
    desk.probe = FakeProbe({"ws-02": UNREACHABLE})
    told = desk.perform()
    assert {asset.name: asset.outcome for asset in told.assets} == {
        "ws-01": Outcome.CHANGED,
        "ws-02": Outcome.UNREACHABLE,
    }
    assert told.outcome is Outcome.UNREACHABLE


def test_two_at_once_cannot_share_the_last_of_an_allowance(desk: Any) -> None:
    once = WorkstationSetup(allowance=Allowance(count=1, per=Period.YEAR))
    desk.contract = make_contract(missions=Missions(workstation_setup=once))
    other = replace(desk, assets=(make_asset("ws-02"),), count=100)
    meanwhile: list[Outcome] = []

    def look(_asset: Asset) -> None:
        other.leases = FakeLeases(held={("demo", "ws-01")})
        meanwhile.append(other.perform().outcome)

    desk.probe = FakeProbe({"ws-01": UNREACHABLE}, on_reach=look)
    assert desk.perform().outcome is Outcome.UNREACHABLE
    assert meanwhile == [Outcome.REFUSED]
    assert other.perform().outcome is Outcome.CHANGED  # what ended otherwise gave it back
