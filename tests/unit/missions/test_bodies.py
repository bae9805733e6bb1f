"""The bodies of entries: no secret of a machine is hashed or kept, and what is read back stays readable."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.execution.ports import RunResult, Tally
from provisioner.missions.audit import verify_log
from provisioner.missions.bodies import open_intents
from provisioner.model.event import Event, EventKind
from provisioner.model.intervention import Check, CheckResult, Outcome
from provisioner.model.redaction import REDACTED
from provisioner.testing import FakeExecutor, make_asset, result, succeed

if TYPE_CHECKING:
    from provisioner.execution.ports import Order

SECRET = "wifi-canary-77"
ENCODED = b64encode(SECRET.encode()).decode()


def leaking(order: Order) -> RunResult:
    rows = (
        Check(name=f"joins {SECRET}", asked=ENCODED, found="no", result=CheckResult.FAIL),
        Check(name="who", asked="a password", found=SECRET, result=CheckResult.FAIL, personal=True),
    )
    return result({asset.name: Tally(failed=1) for asset in order.assets}, checks={"ws-01": rows})


def test_a_secret_that_a_run_says_is_neither_hashed_nor_kept(desk: Any) -> None:
    desk.assets = (make_asset(confidential={"wifi": SECRET}),)
    failed = Event(kind=EventKind.FAILED, host="ws-01", role="network_profile", task=f"Join with {SECRET}")
    desk.executor = FakeExecutor(answer=leaking, events=(failed,))
    assert desk.perform().outcome is Outcome.FAILED
    (closed,) = desk.bodies("closed")
    (asset,) = closed["assets"]
    assert asset["failed_task"] == f"network_profile : Join with {REDACTED}"
    assert asset["checks"][0] == {
        "name": f"joins {REDACTED}",
        "asked": REDACTED,
        "found": "no",
        "result": "fail",
        "personal": False,
    }
    with desk.book() as book:
        assert book.reveal(asset["checks"][1]["found"]) == REDACTED
        assert verify_log(book).exit_code == 0
    database = b"".join(path.read_bytes() for path in desk.state.glob("ledger.db*"))
    assert b"joins [redacted]" in database, "the control"
    assert SECRET.encode() not in database and ENCODED.encode() not in database


@pytest.mark.parametrize("secret", ["ws-01", "changed", "pass", "DEMO-2026", "iv-1", "missions"])
def test_a_secret_that_is_a_word_of_ours_too_makes_no_entry_unreadable(desk: Any, secret: str) -> None:
    desk.assets = (make_asset(secrets={"become_password": secret}),)
    first, second = desk.perform(), desk.perform()
    assert (first.outcome, second.outcome) == (Outcome.CHANGED, Outcome.CHANGED)
    assert open_intents(desk.entries()) == ()
    opened, closed = desk.bodies("opened")[0], desk.bodies("closed")[0]
    assert (opened["assets"], closed["assets"][0]["name"]) == (["ws-01"], "ws-01")
    assert (closed["outcome"], closed["assets"][0]["checks"][0]["result"]) == ("changed", "pass")


def test_a_ticket_with_a_secret_in_it_is_recorded_without(desk: Any) -> None:
    desk.assets = (make_asset(secrets={"password": SECRET}),)
    asked = desk.request()
    desk.request = lambda: replace(asked, ticket=f"T-7 {SECRET}")
    desk.executor = FakeExecutor(answer=succeed)
    desk.perform()
    assert desk.bodies("opened")[0]["ticket"] == f"T-7 {REDACTED}"
