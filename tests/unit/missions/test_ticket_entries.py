"""Ticket entries: bodies there and back, and the record that a log holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import LedgerError
from provisioner.ledger.entry import Draft, Entry, make_entry
from provisioner.missions.perform import perform
from provisioner.missions.ticket_entries import event_body, record_of
from provisioner.model.mission import MissionKind
from provisioner.model.service_event import AssetEvent, AssetEventKind, TicketEvent, TicketEventKind
from provisioner.model.values import Cause, Duration, Party
from provisioner.testing import START

if TYPE_CHECKING:
    from tests.unit.missions.conftest import Desk

    from provisioner.model.record import Record

NOW = int(START.timestamp())
OPENED = {"at": "2026-11-23T13:00:00Z", "kind": "opened", "ticket": "T-1", "priority": "P1"}


def entries(*bodies: tuple[str, dict[str, Any]], at: datetime = START) -> list[Entry]:
    return [make_entry(index, Draft(kind, at, "op-1", body)) for index, (kind, body) in enumerate(bodies)]


def read(*bodies: tuple[str, dict[str, Any]]) -> Record:
    return record_of(entries(*bodies), origin="provisioner/demo")


def intervention(
    number: str, *, ticket: str = "T-1", outcome: str = "changed", simulated: bool = False, **more: Any
) -> list[tuple[str, dict[str, Any]]]:
    opened = {"intervention": number, "mission": "workstation_setup", "ticket": ticket, "simulated": simulated, **more}
    assets = [{"name": "ws-01", "outcome": outcome}]
    return [
        ("opened", opened),
        ("closed", {"intervention": number, "outcome": outcome, "simulated": simulated, "assets": assets}),
    ]


instants = st.integers(0, NOW)
assets = st.none() | st.sampled_from(["ws-01", "srv-01.example"])
needs: dict[TicketEventKind, dict[str, Any]] = {
    TicketEventKind.OPENED: {
        "priority": st.sampled_from(["P1", "P9"]),
        "asset": assets,
        "mission": st.none() | st.sampled_from(MissionKind),
    },
    TicketEventKind.REPLIED: {"by": st.sampled_from(Party)},
    TicketEventKind.HELD: {"cause": st.sampled_from(Cause)},
    TicketEventKind.PRIORITY_CHANGED: {"priority": st.just("P2")},
}


def ticket_events(kind: TicketEventKind) -> st.SearchStrategy[TicketEvent]:
    spent = st.none() | st.builds(Duration, st.integers(1, 99999), st.sampled_from("mhd"))
    more = needs.get(kind, {})
    return st.builds(TicketEvent, instants, st.just(0), st.just("T-1"), st.just(kind), spent=spent, **more)


asset_events = st.builds(
    AssetEvent,
    instants,
    st.just(0),
    st.just("ws-01"),
    st.just(AssetEventKind.DOWN),
    st.just(NOW),
    cause=st.none() | st.sampled_from(Cause),
) | st.builds(
    AssetEvent,
    instants,
    st.just(0),
    st.just("ws-01"),
    st.just(AssetEventKind.MAINTENANCE),
    st.just(NOW),
    until=st.integers(NOW + 1, NOW + 9999),
)
said = [kind for kind in TicketEventKind if kind is not TicketEventKind.ACCEPTED]


@given(st.sampled_from(said).flatmap(ticket_events) | asset_events)
def test_the_body_of_an_event_says_all_of_it(event: TicketEvent | AssetEvent) -> None:
    record = read(("ticket", event_body(event, contract="DEMO-2026", digest="00")))
    assert [*record.tickets, *record.assets] == [event]
    assert record.notes == ()


def test_the_body_is_the_event_with_the_contract_it_rests_on() -> None:
    event = TicketEvent(NOW, 0, "T-1", TicketEventKind.HELD, cause=Cause.CLIENT, spent=Duration(45, "m"))
    assert event_body(event, contract="DEMO-2026", digest="ab") == {
        "at": "2026-11-23T14:00:00Z",
        "kind": "held",
        "ticket": "T-1",
        "cause": "client",
        "spent": "45m",
        "contract": "DEMO-2026",
        "contract_digest": "ab",
    }


def test_what_was_recorded_late_stands_where_it_happened_and_equal_instants_as_they_were_recorded() -> None:
    later = {**OPENED, "at": "2026-11-23T13:30:00Z", "ticket": "T-2"}
    same = {"at": OPENED["at"], "kind": "responded", "ticket": "T-1"}
    record = read(("ticket", later), ("ticket", OPENED), ("ticket", same))
    assert [(event.ticket, event.kind.value, event.place) for event in record.tickets] == [
        ("T-1", "opened", 1),
        ("T-1", "responded", 2),
        ("T-2", "opened", 0),
    ]


def test_maintenance_was_recorded_when_its_entry_was_whatever_it_says() -> None:
    body = {"at": "2026-11-22T14:00:00Z", "until": "2026-11-22T15:00:00Z", "asset": "ws-01", "kind": "maintenance"}
    (event,) = read(("ticket", {**body, "recorded": "2026-11-01T00:00:00Z"})).assets
    assert (event.recorded, event.at) == (NOW, NOW - 86400)


def test_an_accepted_workstation_that_cites_the_ticket_is_an_event_of_it() -> None:
    record = read(("ticket", OPENED), *intervention("iv-1"))
    assert record.tickets[1:] == (TicketEvent(NOW, 2, "T-1", TicketEventKind.ACCEPTED, asset="ws-01"),)


def test_a_setup_that_was_carried_out_for_a_ticket_is_read_from_its_own_entries(desk: Desk) -> None:
    """What `onboard --ticket` writes is what is read here."""
    with desk.book() as book:
        book.append([Draft("ticket", START, "op-1", OPENED)])
    perform(replace(desk.request(), ticket="T-1"), desk.services())
    (accepted,) = record_of(desk.entries(), origin="provisioner/demo").tickets[1:]
    assert (accepted.ticket, accepted.kind, accepted.asset) == ("T-1", TicketEventKind.ACCEPTED, "ws-01")


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "failed"},
        {"simulated": True},
        {"mission": "software_updates"},
        {"ticket": None},
    ],
)
def test_other_work_accepts_nothing(changes: dict[str, Any]) -> None:
    record = read(("ticket", OPENED), *intervention("iv-1", **changes))
    assert [event.kind for event in record.tickets] == [TicketEventKind.OPENED]
    assert record.notes == ()


@pytest.mark.parametrize("which", [0, 1])
def test_work_that_either_entry_calls_simulated_accepts_nothing(which: int) -> None:
    bodies = intervention("iv-1")
    bodies[which][1]["simulated"] = True
    assert len(read(("ticket", OPENED), *bodies).tickets) == 1


def test_a_ticket_of_another_system_is_no_contradiction_but_a_note() -> None:
    late = {**OPENED, "at": "2026-11-23T15:00:00Z", "ticket": "T-2"}
    record = read(*intervention("iv-1", ticket="INC 77"), *intervention("iv-2", ticket="T-2"), ("ticket", late))
    assert [event.kind for event in record.tickets] == [TicketEventKind.OPENED]
    assert [note.split(",")[0] for note in record.notes] == [
        "accepted work cites ticket INC 77",
        "accepted work cites ticket T-2",
    ]


def test_scans_backups_and_drills_are_read_by_the_bodies_of_the_reference_page() -> None:
    at = "2026-11-23T13:00:00Z"
    record = read(
        ("scan", {"kind": "scan", "at": at, "asset": "ws-01", "oldest": {"critical": at}, "packages": 3}),
        ("backup_status", {"kind": "backup_status", "at": at, "asset": "ws-01", "store": "site"}),
        ("drill", {"kind": "drill", "at": at, "asset": "ws-01", "ended": at, "passed": True, "full": False}),
    )
    assert (record.scans[0].oldest, record.backups[0].store, record.drills[0].passed) == (
        {"critical": NOW - 3600},
        "site",
        True,
    )


def test_forms_nobody_knows_are_passed_over_and_counted() -> None:
    record = read(
        ("ticket", {"kind": "escalated", "ticket": 7}),
        ("ticket", {"kind": "accepted", "ticket": "T-1"}),
        ("ticket", {}),
        ("backup_status", {"kind": "survey"}),
        ("backup_status", {"kind": "survey", "at": None}),
        ("note", {"kind": "opened"}),
        *intervention("iv-9")[1:],
        ("closed", {"assets": "?"}),
    )
    assert (record.tickets, record.backups) == ((), ())
    assert record.notes == (
        "entries of kind backup_status and form 'survey': 2, passed over",
        "entries of kind ticket and form 'None': 1, passed over",
        "entries of kind ticket and form 'accepted': 1, passed over",
        "entries of kind ticket and form 'escalated': 1, passed over",
    )


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"at": "2026-11-23T13:00:00"}, "at"),
        ({"at": 5}, "at"),
        ({"priority": None}, "priority"),
        ({"ticket": ""}, "ticket"),
        ({"mission": "gardening"}, "mission"),
        ({"spent": "-10m"}, "spent"),
        ({"kind": "held"}, "cause"),
    ],
)
def test_a_malformed_ticket_entry_is_named(change: dict[str, Any], key: str) -> None:
    with pytest.raises(LedgerError, match=f"entry 1, kind ticket: {key}: "):
        read(("ticket", OPENED), ("ticket", OPENED | change))


def test_fractions_of_a_second_of_an_entry_do_not_make_it_later() -> None:
    with_fraction = START + timedelta(microseconds=900_000)
    record = record_of(entries(("ticket", OPENED), *intervention("iv-1"), at=with_fraction), origin="x")
    assert record.tickets[1].at == NOW
