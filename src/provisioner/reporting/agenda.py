"""An agenda as a document, as a page for a person, and as a calendar (RFC 5545). The home of icalendar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from icalendar import Calendar, Event

from provisioner.model.sentence import at_instant
from provisioner.reporting.language import Wording
from provisioner.reporting.page import Section
from provisioner.reporting.statements import utc

if TYPE_CHECKING:
    from provisioner.model.agenda import Agenda, Item

Wordings = Mapping[tuple[str, str], Wording]
"""The wording of each contract, by client and id."""

PRODUCT = "-//provisioner//contract.due//EN"
"""What our calendars say they are made by: only such a file is written again."""


def agenda_document(agenda: Agenda) -> dict[str, object]:
    """Given an agenda, return the document: instants in UTC, texts in English."""
    return {
        "as_of": utc(agenda.as_of),
        "until": str(agenda.until),
        "clients": list(agenda.clients),
        "items": [
            {
                "client": item.client,
                "contract": item.contract,
                "kind": item.kind.value,
                "clause": item.clause,
                "subject": item.subject,
                "day": str(item.day),
                "at": utc(item.at),
                "overdue": item.overdue,
                "text": str(item.text),
            }
            for item in agenda.items
        ],
    }


def agenda_tables(agenda: Agenda, wordings: Wordings, *, words: Wording) -> list[Section]:
    """Given an agenda, the wording of each contract and that of the page, return the page: what is overdue, then ahead.

    Instants are wall time of the contract's zone, which the head names.
    """
    zones = sorted({wording.zone or "UTC" for wording in wordings.values()})
    head = Section(
        title=words.say("Agenda as of {at}", at=words.at(agenda.as_of)),
        lines=(words.say("Times are those of {zone}.", zone=", ".join(zones)),),
    )
    overdue = [item for item in agenda.items if item.overdue]
    ahead = [item for item in agenda.items if not item.overdue]
    sections = [head]
    if overdue:
        sections.append(_section(words.say("OVERDUE"), overdue, agenda, wordings, words))
    title = words.say("Until {day}", day=agenda.until)
    if ahead:
        return [*sections, _section(title, ahead, agenda, wordings, words)]
    return [*sections, Section(title=title, lines=(words.say("Nothing is due in this time."),))]


def _section(title: str, items: list[Item], agenda: Agenda, wordings: Wordings, words: Wording) -> Section:
    several = len(agenda.clients) > 1
    columns = words.each("when", "what", "rests on")
    rows = []
    for item in items:
        wording = wordings[item.client, item.contract]
        when = words.day(item.day) if item.at is None else wording.at(item.at)
        row = (when, wording.say(item.text), item.clause)
        rows.append((item.client, *row) if several else row)
    return Section(title=title, columns=(words.say("client"), *columns) if several else columns, rows=tuple(rows))


def agenda_calendar(agenda: Agenda, wordings: Wordings) -> bytes:
    """Given an agenda and the wording of each contract, return it as iCalendar: the same agenda, the same bytes.

    Days are all-day events, instants are in UTC and take no time. An item keeps its UID when it moves to another day.
    """
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    for item in agenda.items:
        calendar.add_component(_event(item, agenda, wordings[item.client, item.contract]))
    written: bytes = calendar.to_ical()
    return written


def _event(item: Item, agenda: Agenda, words: Wording) -> Event:
    event = Event()
    said = words.say(item.text)
    event.add("uid", uid(item))
    event.add("dtstamp", at_instant(agenda.as_of))
    event.add("dtstart", item.day if item.at is None else at_instant(item.at))
    event.add("summary", f"{words.say('OVERDUE')}: {said}" if item.overdue else said)
    event.add("description", words.say("contract {contract}, {clause}", contract=item.contract, clause=item.clause))
    event.add("categories", [item.kind.value])
    event.add("transp", "TRANSPARENT")
    return event


def uid(item: Item) -> str:
    """Given an item, return what tells its event from all others, whatever day it is on."""
    parts = (item.client, item.contract, item.kind.value, item.clause, item.subject)
    return f"{sha256(chr(10).join(parts).encode()).hexdigest()[:32]}@provisioner"


def is_ours(data: bytes) -> bool:
    """Whether bytes are a calendar that `agenda_calendar` made."""
    return data.startswith(b"BEGIN:VCALENDAR\r\n") and f"\r\nPRODID:{PRODUCT}\r\n".encode() in data


def openings_calendar(client: str, contract: str, spans: Sequence[tuple[int, int]], *, at: int) -> bytes:
    """Given the openings of a client's rollouts (POSIX seconds), return them as iCalendar; `at` is when it was made."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    for opens, closes in spans:
        event = Event()
        parts = (client, contract, "opening", str(opens))
        event.add("uid", f"{sha256(chr(10).join(parts).encode()).hexdigest()[:32]}@provisioner")
        event.add("dtstamp", at_instant(at))
        event.add("dtstart", at_instant(opens))
        event.add("dtend", at_instant(closes))
        event.add("summary", f"{client}: software updates may run")
        event.add("description", f"contract {contract}, missions.software_updates.windows")
        calendar.add_component(event)
    written: bytes = calendar.to_ical()
    return written
