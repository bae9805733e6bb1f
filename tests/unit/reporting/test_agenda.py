from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from icalendar import Calendar

from provisioner.model.agenda import Agenda, Item, ItemKind
from provisioner.model.contract import Language
from provisioner.model.sentence import Sentence
from provisioner.model.values import Duration
from provisioner.reporting.agenda import agenda_calendar, agenda_document, agenda_tables, is_ours, uid
from provisioner.reporting.language import Wording

AS_OF = int(datetime(2026, 11, 24, 1, tzinfo=UTC).timestamp())
EN, FR = (Wording(language=language, zone="Europe/Paris") for language in (Language.EN, Language.FR))
KEY = ("acme", "ACME-2026")

DRILL = Item(
    client="acme",
    contract="ACME-2026",
    kind=ItemKind.DRILL,
    clause="missions.backup.drill_every",
    subject="2026-01-01",
    day=date(2026, 4, 1),
    overdue=True,
    text=Sentence("restore drill, every {every}; none has passed yet", every=Duration(3, "mo")),
)
DUE = Item(
    client="acme",
    contract="ACME-2026",
    kind=ItemKind.DUE,
    clause="objectives.response-p1",
    subject="T-1",
    day=date(2026, 11, 24),
    at=AS_OF + 3600,
    text=Sentence("{objective} of ticket {ticket} is due", objective="response-p1", ticket="T-1, P1, é;,\\"),
)
AGENDA = Agenda(as_of=AS_OF, until=date(2026, 12, 31), clients=("acme",), items=(DRILL, DUE))


def test_the_document() -> None:
    assert agenda_document(AGENDA) == {
        "as_of": "2026-11-24T01:00:00Z",
        "until": "2026-12-31",
        "clients": ["acme"],
        "items": [
            {
                "client": "acme",
                "contract": "ACME-2026",
                "kind": "drill",
                "clause": "missions.backup.drill_every",
                "subject": "2026-01-01",
                "day": "2026-04-01",
                "at": None,
                "overdue": True,
                "text": "restore drill, every 3mo; none has passed yet",
            },
            {
                "client": "acme",
                "contract": "ACME-2026",
                "kind": "due",
                "clause": "objectives.response-p1",
                "subject": "T-1",
                "day": "2026-11-24",
                "at": "2026-11-24T02:00:00Z",
                "overdue": False,
                "text": "response-p1 of ticket T-1, P1, é;,\\ is due",
            },
        ],
    }


def test_what_is_overdue_has_a_table_of_its_own_before_the_rest() -> None:
    head, overdue, ahead = agenda_tables(AGENDA, {KEY: FR}, words=FR)
    assert head.title == "Échéancier au 24 nov. 2026 02:00"
    assert overdue.title == "EN RETARD"
    assert overdue.rows == (
        (
            "mer. 1 avr. 2026",
            "restauration d’essai, tous les 3\xa0mois ; aucune n’a encore réussi",
            "missions.backup.drill_every",
        ),
    )
    assert (ahead.title, ahead.rows[0][0]) == ("Jusqu’au jeu. 31 déc. 2026", "24 nov. 2026 03:00")


def test_nothing_ahead_is_said() -> None:
    *_, last = agenda_tables(replace(AGENDA, items=()), {KEY: EN}, words=EN)
    assert (last.title, last.lines) == ("Until Thu 31 Dec 2026", ("Nothing is due in this time.",))


def test_of_several_clients_each_row_names_its_own() -> None:
    other = Wording(language=Language.EN, zone="Indian/Reunion")
    both = replace(AGENDA, clients=("acme", "zeta"), items=(DUE, replace(DUE, client="zeta")))
    head, ahead = agenda_tables(both, {KEY: EN, ("zeta", "ACME-2026"): other}, words=EN)
    assert head.lines == ("Times are those of Europe/Paris, Indian/Reunion.",)
    assert [row[:2] for row in ahead.rows] == [("acme", "24 Nov 2026 03:00"), ("zeta", "24 Nov 2026 06:00")]


def test_the_calendar_reads_back() -> None:
    read = Calendar.from_ical(agenda_calendar(AGENDA, {KEY: EN}))
    assert read["version"] == "2.0"
    whole, timed = read.walk("VEVENT")
    assert (whole.decoded("dtstart"), whole["summary"]) == (
        date(2026, 4, 1),
        "OVERDUE: restore drill, every 3 months; none has passed yet",
    )
    assert timed.decoded("dtstart") == datetime(2026, 11, 24, 2, tzinfo=UTC)
    assert timed["summary"] == "response-p1 of ticket T-1, P1, é;,\\ is due"
    assert timed.decoded("dtstamp") == datetime(2026, 11, 24, 1, tzinfo=UTC)
    assert timed["uid"] == uid(DUE)


def test_the_same_agenda_is_the_same_bytes_in_lines_that_the_standard_allows() -> None:
    data = agenda_calendar(AGENDA, {KEY: FR})
    assert data == agenda_calendar(AGENDA, {KEY: FR})
    assert data.endswith(b"END:VCALENDAR\r\n")
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))


def test_an_item_that_moves_keeps_its_uid_and_no_two_share_one() -> None:
    assert uid(replace(DUE, day=date(2027, 1, 1), at=0, overdue=True)) == uid(DUE)
    others = [
        replace(DUE, client="x"),
        replace(DUE, contract="x"),
        replace(DUE, kind=ItemKind.REVIEW),
        replace(DUE, clause="x"),
        replace(DUE, subject="x"),
    ]
    assert len({uid(item) for item in (DUE, *others)}) == 6


def test_only_a_calendar_of_ours_is_ours() -> None:
    ours = agenda_calendar(AGENDA, {KEY: EN})
    assert is_ours(ours)
    assert not is_ours(ours.replace(b"provisioner//contract", b"somebody//contract"))
    assert not is_ours(b"")
    assert not is_ours(b"text that quotes\r\nPRODID:-//provisioner//contract.due//EN\r\n")
