"""Files of service events: strict, every problem at once with its place, and fast."""

from __future__ import annotations

import json
import os
import time
from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.config.events import load_events, located, parse_events
from provisioner.errors import ConfigurationError
from provisioner.missions.ticket_entries import event_body
from provisioner.model.advisory import Unaged
from provisioner.model.mission import MissionKind
from provisioner.model.record import Record
from provisioner.model.service_event import (
    AssetEvent,
    AssetEventKind,
    BackupStatus,
    Drill,
    Scan,
    TicketEvent,
    TicketEventKind,
)
from provisioner.model.values import Cause, Duration, Party

if TYPE_CHECKING:
    from pathlib import Path

AT = 1793606400  # 2026-11-02T08:00:00Z
OPENED = '{"at": "2026-11-02T09:00:00+01:00", "ticket": "T-1", "kind": "opened", "priority": "P1", "asset": "srv-01"}'


def on_ticket(kind: str, more: str = "") -> str:
    return f'{{"at": "2026-11-02T08:00:00Z", "ticket": "T-1", "kind": "{kind}"{more}}}'


def on_asset(kind: str, more: str = "") -> str:
    return f'{{"at": "2026-11-02T08:00:00Z", "asset": "srv-01", "kind": "{kind}"{more}}}'


def refusal(*lines: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        parse_events(lines, file="events.jsonl")
    return caught.value


# ---- what is read


def test_every_kind_is_read_with_its_line() -> None:
    lines = [
        OPENED,
        "",
        on_ticket("responded", ', "spent": "45m"'),
        on_ticket("replied", ', "by": "client"'),
        on_ticket("held", ', "cause": "third_party"'),
        on_ticket("resumed"),
        on_ticket("priority_changed", ', "priority": "P2"'),
        on_ticket("resolved") + " \r",
        on_ticket("reopened"),
        on_ticket("accepted", ', "asset": "ws-01"'),
        "\t",
        on_asset("down", ', "cause": "client"'),
        on_asset("up"),
        on_asset("unknown"),
        on_asset("maintenance", ', "until": "2026-11-02T10:00:00+01:00", "recorded": "2026-10-30T10:00:00Z"'),
        on_asset("scan", ', "oldest": {"critical": "2026-10-01T00:00:00Z"}'),
        on_asset("backup_status", ', "store": "offsite"'),
        on_asset("drill", ', "ended": "2026-11-02T09:30:00Z", "passed": true'),
    ]
    record = parse_events(lines, file="events.jsonl")
    assert record.origin == "events.jsonl"
    assert [(event.place, event.kind.value) for event in record.tickets] == [
        (1, "opened"),
        (3, "responded"),
        (4, "replied"),
        (5, "held"),
        (6, "resumed"),
        (7, "priority_changed"),
        (8, "resolved"),
        (9, "reopened"),
        (10, "accepted"),
    ]
    assert record.tickets[0] == TicketEvent(AT, 1, "T-1", TicketEventKind.OPENED, priority="P1", asset="srv-01")
    assert record.tickets[1].spent == Duration(45, "m")
    assert (record.tickets[2].by, record.tickets[3].cause) == (Party.CLIENT, Cause.THIRD_PARTY)
    assert record.assets[0] == AssetEvent(AT, 12, "srv-01", AssetEventKind.DOWN, recorded=AT, cause=Cause.CLIENT)
    assert record.assets[3].until == AT + 3600
    assert record.assets[3].recorded == 1793354400
    assert record.scans == (Scan(AT, 16, "srv-01", {"critical": 1790812800}),)
    assert record.backups == (BackupStatus(AT, 17, "srv-01", "offsite"),)
    assert record.drills == (Drill(AT, 18, "srv-01", AT + 5400, passed=True, full=False),)


def test_a_scan_that_cannot_say_an_age_says_why() -> None:
    record = parse_events(
        [
            on_asset("scan", ', "reason": "no_advisories"'),
            on_asset("scan", ', "reason": "stale_advisories", "dated": "2026-10-01"'),
        ],
        file="x",
    )
    assert record.scans == (
        Scan(AT, 1, "srv-01", None, Unaged.NO_ADVISORIES),
        Scan(AT, 2, "srv-01", None, Unaged.STALE_ADVISORIES, date(2026, 10, 1)),
    )


def test_nothing_is_a_record_of_nothing() -> None:
    assert parse_events(["", "  "], file="x") == Record(origin="x")


instants = st.integers(min_value=0, max_value=7258118399)
names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
labels = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs")), min_size=1
).map(lambda text: text[:64])
priorities = st.sampled_from([f"P{n}" for n in range(1, 10)])
labour = st.none() | st.builds(Duration, st.integers(1, 99999), st.sampled_from("mhd"))
NOTHING: dict[str, st.SearchStrategy[object]] = {}
TICKET_FIELDS: dict[TicketEventKind, dict[str, st.SearchStrategy[object]]] = {
    TicketEventKind.OPENED: {
        "priority": priorities,
        "asset": st.none() | names,
        "mission": st.none() | st.sampled_from(MissionKind),
    },
    TicketEventKind.REPLIED: {"by": st.sampled_from(Party)},
    TicketEventKind.HELD: {"cause": st.sampled_from(Cause)},
    TicketEventKind.PRIORITY_CHANGED: {"priority": priorities},
    TicketEventKind.ACCEPTED: {"asset": names},
}


@st.composite
def ticket_events(draw: st.DrawFn) -> TicketEvent:
    kind = draw(st.sampled_from(TicketEventKind))
    fields = {name: draw(strategy) for name, strategy in TICKET_FIELDS.get(kind, NOTHING).items()}
    return TicketEvent(draw(instants), 1, draw(labels), kind, spent=draw(labour), **fields)  # type: ignore[arg-type]


@st.composite
def asset_events(draw: st.DrawFn) -> AssetEvent:
    kind, at = draw(st.sampled_from(AssetEventKind)), draw(st.integers(0, 7258118398))
    return AssetEvent(
        at=at,
        place=1,
        asset=draw(names),
        kind=kind,
        recorded=at,
        until=draw(st.integers(at + 1, 7258118399)) if kind is AssetEventKind.MAINTENANCE else None,
        cause=draw(st.none() | st.sampled_from(Cause)) if kind is AssetEventKind.DOWN else None,
    )


@given(event=ticket_events() | asset_events())
def test_the_body_of_an_entry_is_a_line_of_a_file(event: TicketEvent | AssetEvent) -> None:
    """What the ledger writes of an event and what a file says of it are one form: each reads as the same event."""
    body = event_body(event, contract="C-1", digest="ab")
    line = json.dumps({key: value for key, value in body.items() if not key.startswith("contract")})
    record = parse_events([line], file="x")
    assert (*record.tickets, *record.assets) == (event,)


# ---- what is refused, and where

REFUSED = [
    ("{", 2, "is not JSON: Expecting property name"),
    ("[]", 1, "expected one JSON object a line"),
    ("NaN", 1, "expected one JSON object a line"),
    ('"opened"', 1, "expected one JSON object a line"),
    (OPENED + OPENED, 108, "is not JSON: Extra data, found '{'"),
    (OPENED[:-1], 107, "and the line ends here"),
    (OPENED.replace('"T-1"', '"T\t1"'), 49, "the character U+0009 is a control character"),
    (OPENED.replace('"T-1"', '"T\0"'), 49, "the character U+0000 is a control character"),
    ("[" * 10_000, 1, "is nested too deeply"),
    (OPENED.replace('"T-1"', f'"{"x" * 17_000}"'), 1, "is longer than the 16 KiB"),
    (OPENED.replace('"T-1"', f'"{"x" * 65}"'), 47, "ticket: expected the name of a ticket"),
    (OPENED.replace('"T-1"', '""'), 47, "ticket: expected the name of a ticket"),
    (OPENED.replace('"T-1"', '" T-1"'), 47, "ticket: expected the name of a ticket"),
    (OPENED.replace('"T-1"', '"T\u202e1"'), 47, "found 'T\\u202e1'"),
    (OPENED.replace('"T-1"', r'"\ud800"'), 47, "found '\\ud800'"),
    (OPENED.replace('"T-1"', "1"), 47, "ticket: expected the name of a ticket"),
    (OPENED.replace('"T-1"', "9" * 5000), 47, "ticket: expected the name of a ticket"),
    (OPENED.replace('"T-1"', "1e999999999"), 47, "ticket: expected the name of a ticket"),
    (OPENED.replace('"T-1"', "null"), 47, "ticket: expected the name of a ticket"),
    (OPENED.replace('"T-1"', '{"a": {}}'), 47, "ticket: expected the name of a ticket"),
    (OPENED.replace('"ticket": "T-1", ', ""), 1, "ticket: an event opened needs this key"),
    (OPENED.replace('"kind": "opened", ', ""), 1, "kind: this key is required: opened, responded"),
    (OPENED.replace('"opened"', '"open"'), 62, "found 'open'; did you mean opened?"),
    (OPENED.replace('"opened"', "[]"), 62, "kind: expected one of opened, responded"),
    (OPENED.replace('"priority": "P1", ', ""), 1, "priority: an event opened needs this key"),
    (OPENED.replace('"P1"', '"P0"'), 84, "priority: expected a priority such as P1, found 'P0'"),
    (OPENED.replace('"P1"', "NaN"), 84, "priority: expected a priority such as P1"),
    (OPENED.replace('"priority"', '"prority"'), 72, "prority: unknown key; did you mean priority?"),
    (OPENED.replace('"asset"', '"zzz"'), 90, "zzz: unknown key; an event opened has at, kind, ticket, priority"),
    (OPENED.replace('"asset"', r'"a\u0000"'), 90, "['a\\x00']: unknown key"),
    (OPENED.replace('"asset"', '"ticket"'), 37, "ticket: this key is here twice"),
    (OPENED.replace('"srv-01"', '"SRV-01"'), 99, "asset: expected a host name"),
    (
        OPENED.replace("2026-11-02T09:00:00+01:00", "2026-11-02T09:00:00"),
        8,
        "at: expected an instant with whole seconds",
    ),
    (OPENED.replace("2026-11-02T09:00:00+01:00", "2026-11-02T09:00:00.5Z"), 8, "at: expected an instant with whole"),
    (OPENED.replace("2026-11-02T09:00:00+01:00", "2026-11-02T09:00Z"), 8, "at: expected an instant with whole"),
    (OPENED.replace("2026-11-02T09:00:00+01:00", "20261102T090000Z"), 8, "at: expected an instant with whole"),
    (OPENED.replace("2026-11-02T09:00:00+01:00", "2026-11-02 09:00:00Z"), 8, "at: expected an instant with whole"),
    (OPENED.replace("2026-11-02T09:00:00+01:00", "2026-02-30T09:00:00Z"), 8, "is not an instant of the calendar"),
    (OPENED.replace("2026-11-02T09:00:00+01:00", "2026-11-02T09:00:60Z"), 8, "is not an instant of the calendar"),
    (OPENED.replace("2026-11-02T09:00:00+01:00", "2026-11-02T09:00:00+24:00"), 8, "is not an instant of the calendar"),
    (OPENED.replace("2026-11-02T09:00:00+01:00", "0000-01-01T00:00:00Z"), 8, "is not an instant of the calendar"),
    (OPENED.replace("2026-11-02T09:00:00+01:00", "0001-01-01T00:00:00+23:59"), 8, "between 1970 and 2199"),
    (OPENED.replace("2026-11-02T09:00:00+01:00", "2200-01-01T00:00:00Z"), 8, "between 1970 and 2199"),
    (OPENED.replace('"2026-11-02T09:00:00+01:00"', "1793606400"), 8, "at: expected an instant with whole seconds"),
    (on_ticket("opened", ', "priority": "P1", "mission": "wash"'), 96, "mission: expected one of workstation_setup"),
    (on_ticket("held"), 1, "cause: an event held needs this key"),
    (
        on_ticket("held", ', "cause": "weather"'),
        74,
        "cause: expected one of client, provider, third_party, force_majeure",
    ),
    (on_ticket("replied", ', "by": "me"'), 74, "by: expected one of client, provider, found 'me'"),
    (on_ticket("resumed", ', "cause": "client"'), 68, "cause: unknown key"),
    (on_ticket("resolved", ', "spent": "0m"'), 78, "spent: expected time spent, such as 45m"),
    (on_ticket("resolved", ', "spent": "2bd"'), 78, "spent: expected time spent"),
    (on_ticket("resolved", ', "spent": "-5m"'), 78, "spent: expected time spent"),
    (on_ticket("accepted"), 1, "asset: an event accepted needs this key"),
    (on_ticket("down"), 1, "asset: an event down needs this key"),
    (on_ticket("down"), 32, "ticket: unknown key"),
    (on_asset("up", ', "cause": "client"'), 65, "cause: unknown key; did you mean asset?"),
    (on_asset("maintenance"), 1, "until: an event maintenance needs this key"),
    (on_asset("maintenance", ', "until": "2026-11-02T08:00:00Z"'), 83, "until: the maintenance ends before it begins"),
    (
        on_asset("scan", ', "oldest": {"severe": "2026-10-01T00:00:00Z"}'),
        77,
        "oldest: expected an object with critical",
    ),
    (on_asset("scan", ', "oldest": []'), 77, "oldest: expected an object with critical"),
    (on_asset("scan", ', "oldest": {"other": 5}'), 77, "oldest: expected an instant"),
    (on_asset("scan", ', "oldest": {"other": "2026-12-01T00:00:00Z"}'), 77, "known only after the scan"),
    (on_asset("scan"), 1, "oldest: an event scan needs this key, or `reason`"),
    (on_asset("scan", ', "oldest": {}, "reason": "no_advisories"'), 77, "or `reason`: why it is not known; not both"),
    (on_asset("scan", ', "reason": "nobody_looked"'), 77, "reason: expected one of no_advisories, stale_advisories"),
    (on_asset("scan", ', "reason": "stale_advisories"'), 1, "dated: goes with the reason stale_advisories"),
    (on_asset("scan", ', "reason": "incomplete", "dated": "2026-11-01"'), 100, "dated: goes with the reason"),
    (on_asset("scan", ', "reason": "stale_advisories", "dated": "2026-02-31"'), 106, "dated: expected a day"),
    (on_asset("backup_status", ', "store": "a b"'), 85, "store: expected a name of letters"),
    (on_asset("drill", ', "ended": "2026-11-02T09:00:00Z", "passed": "yes"'), 111, "passed: expected true or false"),
    (on_asset("drill", ', "ended": "2026-11-02T09:00:00Z", "passed": 1'), 111, "passed: expected true or false"),
    (
        on_asset("drill", ', "ended": "2026-11-02T07:00:00Z", "passed": true'),
        77,
        "ended: the drill ends before it begins",
    ),
]


@pytest.mark.parametrize(("line", "col", "says"), REFUSED, ids=[f"{n}" for n in range(len(REFUSED))])
def test_a_malformed_line_is_refused_at_its_place(line: str, col: int, says: str) -> None:
    error = refusal(OPENED, "", line)
    places = {(problem.line, problem.col) for problem in error.problems if says in str(problem)}
    assert (3, col) in places, str(error)
    assert str(error).isprintable() or len(error.problems) > 1
    assert len(str(error)) < 1000


def test_negative_control_the_line_that_the_cases_change_is_accepted() -> None:
    assert len(parse_events([OPENED], file="x").tickets) == 1
    assert len(REFUSED) >= 60


def test_every_problem_at_once_in_the_order_of_the_file() -> None:
    error = refusal(OPENED, on_ticket("held"), "nonsense", OPENED, on_ticket("replied", ', "bye": "x", "cause": 1'))
    assert [(problem.line, problem.path) for problem in error.problems] == [
        (2, "cause"),
        (3, ""),
        (5, "by"),
        (5, "bye"),
        (5, "cause"),
    ]


def test_very_many_problems_are_counted_not_listed() -> None:
    error = refusal(*["{}"] * 5_000)
    assert len(error.problems) == 51
    assert str(error.problems[-1]) == "events.jsonl: 4950 more problems are not shown"


# ---- files


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xef\xbb\xbf" + OPENED.encode(), ":1:1: starts with a byte order mark"),
        (OPENED.encode("utf-16"), ":1:1: starts with a byte order mark"),
        (OPENED.encode() + b'\n{"at": "\xff"}\n', ":2:9: byte 0xff is not UTF-8"),
        (OPENED.encode() + b"\n\0\n", ":2:1: is not JSON"),
    ],
)
def test_a_file_that_is_no_text_is_refused(data: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(data)
    with pytest.raises(ConfigurationError, match=r"events\.jsonl") as caught:
        load_events(path)
    assert f"{path}{says}" in str(caught.value)


def test_files_that_are_none_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "endless").symlink_to("/dev/zero")
    for name, says in [
        ("fifo", "is not a regular file"),
        ("endless", "is not a regular file"),
        ("none", "no such file"),
    ]:
        with pytest.raises(ConfigurationError, match=says):
            load_events(tmp_path / name)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_events(tmp_path)


def test_a_link_that_somebody_typed_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text(OPENED + "\n", encoding="utf-8")
    (tmp_path / "link").symlink_to("real")
    assert load_events(tmp_path / "link").tickets[0].ticket == "T-1"


def test_lines_end_at_line_feeds_only(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("\u2028\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_events(path)
    assert [problem.line for problem in caught.value.problems] == [1]


def test_a_contradiction_is_located_in_its_file() -> None:
    record = parse_events([OPENED], file="events.jsonl")
    error = located(record, place=12, message="T-1 was opened already")
    assert str(error) == "events.jsonl:12:1: T-1 was opened already"
    assert error.exit_code == 2


def test_fifty_thousand_lines_load_in_a_moment() -> None:
    lines = [OPENED.replace("T-1", f"T-{n}") for n in range(50_000)]
    before = time.process_time()
    assert len(parse_events(lines, file="x").tickets) == 50_000
    assert time.process_time() - before < 4
