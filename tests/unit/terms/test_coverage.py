"""Coverage: every reason with its clause, several at once, and the terms of today."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from provisioner.model.contract import Contract, Notice, Renewal, RenewalKind
from provisioner.model.mission import MissionKind
from provisioner.model.mission_terms import Allowance, Missions, WorkstationSetup
from provisioner.model.values import Duration, Party, Period
from provisioner.model.verdict import Verdict
from provisioner.terms.allowances import Use
from provisioner.terms.coverage import verdict
from provisioner.testing import loaded, make_asset, make_contract

SETUP = MissionKind.WORKSTATION_SETUP
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TACIT = Renewal(kind=RenewalKind.TACIT, term=Duration(12, "mo"), notice=Duration(90, "d"))
ONE_A_MONTH = Missions(workstation_setup=WorkstationSetup(allowance=Allowance(count=1, per=Period.MONTH)))


def ask(contract: Contract, *, at: datetime = NOON, uses: tuple[Use, ...] = (), name: str = "ws-01") -> Verdict:
    return verdict(loaded(contract), make_asset(name), SETUP, at=at, uses=uses)


def reasons(found: Verdict) -> list[tuple[str, str]]:
    return [(reason.code, reason.clause) for reason in found.reasons]


def used(asset: str) -> Use:
    return Use(asset=asset, mission=SETUP, at=datetime(2026, 11, 2, tzinfo=UTC), counts=True)


def test_covered_work_rests_on_the_missions_clause() -> None:
    assert ask(make_contract()) == Verdict(clause="missions.workstation_setup")


@pytest.mark.parametrize(
    ("contract", "expected"),
    [
        (make_contract(starts=date(2026, 11, 24)), [("not_started", "starts")]),
        (make_contract(starts=date(2026, 11, 23), ends=date(2026, 11, 23)), []),
        (make_contract(ends=date(2026, 11, 22)), [("ended", "ends")]),
        (make_contract(ends=date(2026, 11, 22), renewal=TACIT), []),
        (
            make_contract(
                ends=date(2026, 11, 22),
                renewal=replace(TACIT, notice_given=Notice(on=date(2026, 8, 24), by=Party.CLIENT)),
            ),
            [("ended", "renewal.notice_given")],
        ),
        (
            make_contract(
                ends=date(2026, 11, 22),
                renewal=replace(TACIT, notice_given=Notice(on=date(2026, 8, 25), by=Party.CLIENT)),
            ),
            [],
        ),
        (make_contract(assets=("servers",)), [("uncovered", "assets")]),
        (make_contract(missions=Missions()), [("not_promised", "missions")]),
        (
            make_contract(ends=date(2026, 11, 22), assets=("servers",), missions=Missions()),
            [("ended", "ends"), ("uncovered", "assets"), ("not_promised", "missions")],
        ),
    ],
)
def test_every_reason_is_named_with_its_clause(contract: Contract, expected: list[tuple[str, str]]) -> None:
    found = ask(contract)
    assert reasons(found) == expected
    assert found.allowed is not bool(expected)


def test_the_last_day_ends_at_midnight_of_the_contracts_zone() -> None:
    contract = make_contract(ends=date(2026, 11, 23))
    assert ask(contract, at=datetime(2026, 11, 23, 22, 59, 59, tzinfo=UTC)).allowed
    assert not ask(contract, at=datetime(2026, 11, 23, 23, 0, tzinfo=UTC)).allowed


def test_the_allowance_is_used_up_by_others_only() -> None:
    contract = make_contract(missions=ONE_A_MONTH)
    assert ask(contract, uses=(used("ws-01"),)).allowed
    refused = ask(contract, uses=(used("ws-02"),))
    assert reasons(refused) == [("allowance_used", "missions.workstation_setup.allowance")]
    assert "allowance of 1 for 2026-11-01 to 2026-11-30" in refused.reasons[0].text
    assert "ws-02" in refused.reasons[0].text


def test_an_allowance_is_not_asked_about_work_that_is_refused_anyway() -> None:
    contract = make_contract(missions=ONE_A_MONTH, assets=("servers",))
    assert reasons(ask(contract, uses=(used("ws-02"),))) == [("uncovered", "assets")]


def test_amendments_bind_from_their_day() -> None:
    before = make_contract(assets=("servers",))
    after = make_contract(assets=("servers", "workstations"))
    contract = loaded(before, (date(2026, 11, 23), after))
    eve = datetime(2026, 11, 22, 22, 59, tzinfo=UTC)
    asset = make_asset()
    assert reasons(verdict(contract, asset, SETUP, at=eve, uses=())) == [("uncovered", "assets")]
    assert verdict(contract, asset, SETUP, at=NOON, uses=()).allowed


def test_an_asset_in_a_child_group_is_covered_through_its_parents() -> None:
    asset = make_asset(groups=("laptops", "workstations"))
    assert verdict(loaded(make_contract()), asset, SETUP, at=NOON, uses=()).allowed
    assert not verdict(loaded(make_contract()), make_asset(groups=("laptops",)), SETUP, at=NOON, uses=()).allowed
