"""The agenda of a contract, with days and instants worked by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from provisioner.model.agenda import ItemKind
from provisioner.model.balance import Balance, Unit
from provisioner.model.contract import Amendment, Contract, Notice, Prepaid, Renewal, RenewalKind
from provisioner.model.mission_terms import (
    Allowance,
    Backup,
    BackupTerms,
    Missions,
    Pin,
    SoftwareUpdates,
    WorkstationSetup,
)
from provisioner.model.objective import Escalation, Metric, Objective, Threshold
from provisioner.model.record import Membership
from provisioner.model.service_event import Drill, TicketEvent, TicketEventKind
from provisioner.model.values import Duration, Party, Period
from provisioner.terms.agenda import Outlook, agenda
from provisioner.terms.choice import chooser
from provisioner.terms.tickets import standing
from provisioner.testing import loaded, make_contract

if TYPE_CHECKING:
    from provisioner.model.agenda import Item
    from provisioner.model.contract import LoadedContract

NOBODY = Membership(groups={"srv-01": frozenset({"servers"}), "ws-01": frozenset({"workstations"})})
TACIT = Renewal(kind=RenewalKind.TACIT, term=Duration(12, "mo"), notice=Duration(90, "d"))


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def look(contract: Contract | LoadedContract, today: str, until: str, **more: object) -> tuple[Item, ...]:
    terms = loaded(contract) if isinstance(contract, Contract) else contract
    outlook = Outlook(
        loaded=terms, membership=NOBODY, as_of=at(f"{today}T12:00+01:00"), until=date.fromisoformat(until)
    )
    return agenda(replace(outlook, **more))  # type: ignore[arg-type]


def days(items: tuple[Item, ...], kind: ItemKind) -> list[str]:
    return [str(item.day) for item in items if item.kind is kind]


def test_reviews_are_counted_from_the_first_day_and_end_with_the_contract() -> None:
    """From 31 Aug every six months: 28 Feb, then 31 Aug again, and none after the end."""
    contract = make_contract(starts=date(2025, 8, 31), ends=date(2026, 8, 31), review_every=Duration(6, "mo"))
    assert days(look(contract, "2025-09-01", "2027-12-31"), ItemKind.REVIEW) == ["2026-02-28", "2026-08-31"]
    assert days(look(contract, "2026-03-01", "2026-08-30"), ItemKind.REVIEW) == []


def test_an_amendment_changes_when_reviews_are_and_is_itself_ahead() -> None:
    quarterly = make_contract(review_every=Duration(3, "mo"))
    plain = make_contract(
        review_every=Duration(6, "mo"),
        amendments=(Amendment(effective=date(2026, 8, 1), set={"review_every": "3mo", "monthly_fee": "1"}),),
    )
    items = look(loaded(plain, (date(2026, 8, 1), quarterly)), "2026-06-01", "2026-10-31")
    assert days(items, ItemKind.REVIEW) == ["2026-07-01", "2026-10-01"]
    (item,) = [item for item in items if item.kind is ItemKind.AMENDMENT]
    assert (str(item.day), item.clause) == ("2026-08-01", "amendments[0]")
    assert item.text == "an amendment of contract DEMO-2026 takes effect: monthly_fee, review_every"


def test_tacit_renewal_has_a_last_useful_day_of_notice_and_runs_on() -> None:
    items = look(make_contract(renewal=TACIT), "2026-09-01", "2027-01-31")
    assert days(items, ItemKind.NOTICE) == ["2026-10-02"]
    assert days(items, ItemKind.RENEWAL) == ["2027-01-01"]
    assert days(items, ItemKind.END) == []
    later = look(make_contract(renewal=TACIT), "2027-09-01", "2027-12-31")
    assert days(later, ItemKind.NOTICE) == ["2027-10-02"]


def test_the_last_useful_day_is_there_on_the_day_itself_and_gone_the_day_after() -> None:
    contract = make_contract(renewal=TACIT)
    assert days(look(contract, "2026-10-02", "2026-12-01"), ItemKind.NOTICE) == ["2026-10-02"]
    assert look(contract, "2026-10-03", "2026-12-01") == ()


def test_notice_in_time_ends_it_and_notice_too_late_does_not() -> None:
    given = replace(TACIT, notice_given=Notice(on=date(2026, 10, 2), by=Party.CLIENT))
    (item,) = look(make_contract(renewal=given), "2026-11-01", "2027-03-31")
    assert (item.kind, str(item.day), item.clause) == (ItemKind.END, "2026-12-31", "renewal.notice_given")
    assert item.text == "last day of contract DEMO-2026: notice was received on 2026-10-02"
    late = replace(TACIT, notice_given=Notice(on=date(2026, 10, 3), by=Party.CLIENT))
    assert days(look(make_contract(renewal=late), "2026-11-01", "2027-03-31"), ItemKind.RENEWAL) == ["2027-01-01"]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (RenewalKind.NONE, "last day of contract DEMO-2026"),
        (RenewalKind.EXPRESS, "last day of contract DEMO-2026, unless it is renewed expressly"),
    ],
)
def test_other_contracts_end(kind: RenewalKind, text: str) -> None:
    (item,) = look(make_contract(renewal=Renewal(kind=kind)), "2026-12-31", "2027-03-31")
    assert (item.kind, str(item.day), item.text, item.overdue) == (ItemKind.END, "2026-12-31", text, False)
    assert look(make_contract(renewal=Renewal(kind=kind)), "2027-01-01", "2027-03-31") == ()


def drill(day: str, asset: str, *, passed: bool = True, full: bool = False) -> Drill:
    start = at(f"{day}T09:00+01:00")
    return Drill(start, 1, asset, start + 3600, passed, full)


def backed_up(**terms: object) -> Contract:
    return make_contract(missions=Missions(backup=Backup(**terms)))  # type: ignore[arg-type]


def test_a_drill_is_due_from_the_last_that_passed_or_from_the_first_day() -> None:
    contract = backed_up(drill_every=Duration(3, "mo"))
    (never,) = look(contract, "2026-04-05", "2026-05-01")
    assert (str(never.day), never.overdue, never.clause) == ("2026-04-01", True, "missions.backup.drill_every")
    assert never.text == "restore drill, every 3mo; none has passed yet"
    done = (drill("2026-02-10", "ws-01"), drill("2026-03-20", "ws-01", passed=False))
    (ahead,) = look(contract, "2026-04-05", "2026-06-01", drills=done)
    assert (str(ahead.day), ahead.overdue) == ("2026-05-10", False)


def test_a_full_drill_is_a_sample_too_and_a_sample_is_no_full_one() -> None:
    contract = backed_up(drill_every=Duration(3, "mo"), full_drill_every=Duration(6, "mo"))
    full = look(contract, "2026-03-05", "2026-12-31", drills=(drill("2026-03-01", "ws-01", full=True),))
    assert [(item.clause[-16:], str(item.day)) for item in full[:2]] == [
        ("ckup.drill_every", "2026-06-01"),
        ("full_drill_every", "2026-09-01"),
    ]
    sample = look(contract, "2026-03-05", "2026-08-31", drills=(drill("2026-03-01", "ws-01"),))
    assert [str(item.day) for item in sample] == ["2026-06-01", "2026-07-01"]


def test_a_group_with_a_cadence_of_its_own_counts_its_own_drills() -> None:
    contract = backed_up(drill_every=Duration(3, "mo"), groups={"servers": BackupTerms(drill_every=Duration(1, "mo"))})
    done = (drill("2026-03-01", "srv-01"), drill("2026-02-01", "ws-01"))
    items = look(contract, "2026-03-05", "2026-06-30", drills=done)
    assert [(item.clause, str(item.day)) for item in items] == [
        ("missions.backup.groups.servers.drill_every", "2026-04-01"),
        ("missions.backup.drill_every", "2026-05-01"),
    ]


def test_pins_that_end() -> None:
    pins = tuple(
        Pin(package=f"linux-{day}", reason="driver", owner="n2", until=date.fromisoformat(day))
        for day in ("2026-04-01", "2026-05-01", "2026-09-01")
    )
    contract = make_contract(missions=Missions(software_updates=SoftwareUpdates(pinned=pins)))
    (item,) = look(contract, "2026-04-02", "2026-06-30")
    assert (str(item.day), item.clause) == ("2026-05-01", "missions.software_updates.pinned[1]")
    assert item.text == "last day on which linux-2026-05-01 is held back (driver); n2 answers for it"


def balance(day: date, *, granted: int, left: int, unit: Unit = Unit.ASSETS) -> Balance:
    first, last = (date(2026, 4, 1), date(2026, 4, 30)) if day.month == 4 else (date(2026, 5, 1), date(2026, 5, 31))
    return Balance(
        contract="DEMO-2026",
        clause="missions.workstation_setup.allowance" if unit is Unit.ASSETS else "prepaid",
        unit=unit,
        first=first,
        last=last,
        granted=granted,
        used=granted - left,
        left=left,
        expired=0,
        overage=0,
    )


def test_what_is_left_of_an_allowance_expires_with_its_period_unless_it_moves_on() -> None:
    allowance = Allowance(count=10, per=Period.MONTH)
    contract = make_contract(missions=Missions(workstation_setup=WorkstationSetup(allowance=allowance)))

    def moving(carried: int) -> object:
        def balances(day: date) -> tuple[Balance, ...]:
            return (
                balance(day, granted=10, left=4) if day.month == 4 else balance(day, granted=10 + carried, left=10),
            )

        return balances

    (item,) = look(contract, "2026-04-05", "2026-06-30", balances_on=moving(0))
    assert (item.kind, str(item.day)) == (ItemKind.EXPIRY, "2026-04-30")
    assert item.text.startswith("last day of the period: 4 of 10 assets of missions.workstation_setup.allowance expire")
    (item,) = look(contract, "2026-04-05", "2026-06-30", balances_on=moving(3))
    assert item.text.startswith("last day of the period: 1 of 10 assets")
    assert look(contract, "2026-04-05", "2026-06-30", balances_on=moving(4)) == ()


def test_prepaid_hours_that_expire() -> None:
    contract = make_contract(prepaid=Prepaid(hours=Decimal(2), per=Period.MONTH))

    def balances(day: date) -> tuple[Balance, ...]:
        return (balance(day, granted=7200, left=5400 if day.month == 4 else 7200, unit=Unit.SECONDS),)

    (item,) = look(contract, "2026-04-05", "2026-04-30", balances_on=balances)
    assert item.text == "last day of the period: 1 h 30 min of prepaid labour expire unless they are used"


def test_open_tickets_are_due_and_escalate_and_what_is_past_comes_first() -> None:
    contract = make_contract(
        objectives=(Objective(id="fix", metric=Metric.RESOLUTION_TIME, target=Duration(8, "h")),),
        escalation=(Escalation(objective="fix", at=Threshold.parse("-1h"), to="manager"),),
        ends=date(2026, 3, 31),
    )
    terms = loaded(contract)
    opened = [
        TicketEvent(at("2026-03-31T03:00+01:00"), 1, "T-1", TicketEventKind.OPENED, priority="P1"),
        TicketEvent(at("2026-03-31T10:00+01:00"), 2, "T-2", TicketEventKind.OPENED, priority="P2", asset="ws-01"),
    ]
    as_of = at("2026-03-31T12:00+01:00")
    standings = standing(opened, chooser([terms], membership=NOBODY), as_of=as_of)
    items = look(terms, "2026-03-31", "2026-04-01", standings=tuple(standings))
    assert [(item.kind.value, item.at, item.overdue) for item in items] == [
        ("due", at("2026-03-31T11:00+01:00"), True),
        ("end", None, False),
        ("escalation", at("2026-03-31T17:00+01:00"), False),
        ("due", at("2026-03-31T18:00+01:00"), False),
    ]
    assert items[2].text == "tell manager (?): fix of ticket T-2, P2, ws-01 comes to 1h before it is due"
    assert (items[0].subject, items[0].clause) == ("T-1", "objectives.fix")


def test_a_contract_that_has_ended_asks_for_nothing() -> None:
    contract = make_contract(
        review_every=Duration(1, "mo"), missions=Missions(backup=Backup(drill_every=Duration(1, "mo")))
    )
    assert look(contract, "2027-01-01", "2027-12-31") == ()
