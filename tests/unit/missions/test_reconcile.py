"""Reconciling with fakes for the machines and a real log: statuses, exit codes, the order of reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from provisioner.errors import UsageError
from provisioner.execution.ports import Reading
from provisioner.ledger.entry import Draft
from provisioner.missions.bodies import Admission, intent_body
from provisioner.missions.comparison import ROLE
from provisioner.missions.reconcile import Question, Reconciliation, Status, reconcile
from provisioner.missions.recover import recover
from provisioner.model.inventory import Inventory
from provisioner.testing import START, FakeReceipts, instants, make_asset, make_receipt

if TYPE_CHECKING:
    from provisioner.model.asset import Asset

DOWN = Reading(reason="timeout", text="it did not answer")


def ask(desk: Any, receipts: FakeReceipts, *assets: Asset, host: str = "", told: Any = None) -> Reconciliation:
    inventory = Inventory(client="demo", assets=assets or (make_asset(),), groups={})
    question = Question(inventory=inventory, host=host, accept=lambda _: False)
    with desk.book() as book:
        return reconcile(book, question, receipts, told=told or (lambda _: None))


def held(desk: Any) -> Reading:
    """What the machines hold after the runs of this desk."""
    return Reading(receipts={f"{order.intervention}.json": order.receipt for order in desk.executor.orders})


@pytest.fixture
def worked(desk: Any) -> Any:
    """A desk at which one machine was worked on with the role that leaves receipts."""
    desk.roles = (ROLE, "acceptance")
    desk.perform()
    return desk


def test_the_receipt_of_a_run_names_its_durable_entry(worked: Any) -> None:
    (order,), (opened,) = worked.executor.orders, [entry for entry in worked.entries() if entry.kind == "opened"]
    assert order.receipt == make_receipt(
        entry=opened.index, digest=opened.hash.hex(), plan_digest=opened.body["plan_digest"]
    )


def test_all_agree(worked: Any) -> None:
    lines: list[str] = []
    found = ask(worked, FakeReceipts({"ws-01": held(worked)}), told=lines.append)
    assert (found.status, found.exit_code, found.differences, found.warnings) == (Status.AGREES, 0, (), ())
    assert lines == ["ws-01: receipts read: 1"]
    assert (found.log.size, found.log.origin) == (4, "provisioner/demo")
    with worked.book() as book:
        assert book.sign(instants()()).root == found.log.root, "the root is that of the checkpoint"


def test_a_difference_goes_before_a_machine_that_is_down(worked: Any) -> None:
    assets = (make_asset("ws-01"), make_asset("ws-02"))
    lines: list[str] = []
    receipts = FakeReceipts({"ws-01": held(worked), "ws-02": DOWN})
    found = ask(worked, receipts, *assets, told=lines.append)
    assert (found.status, found.exit_code) == (Status.INCOMPLETE, 4)
    assert lines[1] == "ws-02: not read: it did not answer"
    found = ask(worked, FakeReceipts({"ws-02": DOWN}), *assets)
    assert (found.status, found.exit_code, len(found.differences)) == (Status.DIFFERS, 7, 1)
    assert [(m.name, m.receipts, m.differences, m.reason) for m in found.machines] == [
        ("ws-01", 0, 1, ""),
        ("ws-02", 0, 0, "timeout"),
    ]


def test_all_machines_down_is_never_agreement(worked: Any) -> None:
    assert ask(worked, FakeReceipts({"ws-01": DOWN})).exit_code == 4


def test_an_empty_log_is_never_agreement(desk: Any) -> None:
    found = ask(desk, FakeReceipts())
    assert (found.status, found.exit_code) == (Status.EMPTY, 7)
    found = ask(desk, FakeReceipts({"ws-01": Reading(receipts={"iv-1.json": make_receipt()})}))
    assert (found.status, len(found.differences)) == (Status.EMPTY, 1), "what the machines hold is named all the same"


def test_work_done_while_machines_are_read_accuses_nobody(worked: Any) -> None:
    before = held(worked)
    receipts = FakeReceipts({"ws-01": before}, on_read=lambda _: worked.perform())
    found = ask(worked, receipts)
    assert (found.status, found.log.size) == (Status.AGREES, 6)
    assert ask(worked, FakeReceipts({"ws-01": before})).status is Status.DIFFERS, "the control: later it is missed"


def test_machines_that_left_the_inventory_are_a_warning(worked: Any) -> None:
    found = ask(worked, FakeReceipts(), make_asset("ws-09"))
    assert (found.status, found.exit_code) == (Status.AGREES, 0)
    assert found.warnings == ("the log has work on 'ws-01', which is not in hosts.yml: not compared",)


def test_one_machine_is_asked_by_name(worked: Any) -> None:
    assets = (make_asset("ws-01"), make_asset("ws-02"))
    found = ask(worked, FakeReceipts({"ws-01": DOWN}), *assets, host="ws-02")
    assert [machine.name for machine in found.machines] == ["ws-02"]
    assert found.warnings == ()
    with pytest.raises(UsageError, match="did you mean ws-01"):
        ask(worked, FakeReceipts(), *assets, host="ws-1")


def test_a_client_without_machines_is_a_mistake(desk: Any) -> None:
    question = Question(inventory=Inventory(client="demo", assets=(), groups={}), host="", accept=lambda _: False)
    with desk.book() as book, pytest.raises(UsageError, match="has no machine"):
        reconcile(book, question, FakeReceipts(), told=lambda _: None)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("left", [False, True])
def test_a_controller_that_died_is_accused_of_nothing(worked: Any, left: bool, closed: bool) -> None:
    """Whether it had left a receipt nobody knows, before the next command has closed its intent and after."""
    body = intent_body("iv-dead", worked.request(), Admission(clause="missions.workstation_setup"))
    with worked.book() as book:
        (opened,) = book.append([Draft("opened", START, book.pseudonym("somebody"), body)])
    if closed:
        with worked.book() as book:
            recover(book, "demo", worked.services())
    receipts = dict(held(worked).receipts)
    if left:
        plan_digest = str(body["plan_digest"])
        receipts["iv-dead.json"] = make_receipt(
            intervention="iv-dead", entry=opened.index, digest=opened.hash.hex(), plan_digest=plan_digest
        )
    assert worked.kinds()[-1] == ("closed" if closed else "opened")
    assert ask(worked, FakeReceipts({"ws-01": Reading(receipts=receipts)})).status is Status.AGREES
