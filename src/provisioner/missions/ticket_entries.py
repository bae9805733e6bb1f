"""Entries that say what happened: service events to bodies and back, and the whole log of a client to a record.

docs/reference/ledger_format.md describes the bodies. That of a `ticket` entry is the event as contract.md writes it,
with the contract that it rests on.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from provisioner.errors import LedgerError
from provisioner.ledger.canonical import instant, parse_instant
from provisioner.model.intervention import Outcome
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
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from provisioner.ledger.entry import Entry

    Body = Mapping[str, object]

Value = TypeVar("Value")

KINDS = ("opened", "closed", "ticket", "scan", "backup_status", "drill")
"""The kinds of entries that a record is made of."""

_TICKET_KINDS, _ASSET_KINDS = frozenset(TicketEventKind), frozenset(AssetEventKind)

_NEEDS = {
    TicketEventKind.OPENED: ("priority",),
    TicketEventKind.REPLIED: ("by",),
    TicketEventKind.HELD: ("cause",),
    TicketEventKind.PRIORITY_CHANGED: ("priority",),
    AssetEventKind.MAINTENANCE: ("until",),
}
"""What an event of a kind cannot be without, beside its ticket or asset."""

_HINT = "`invoke audit.show --entry N` shows it; `invoke audit.verify` says whether it is as it was signed"


def event_body(event: TicketEvent | AssetEvent, *, contract: str | None, digest: str | None) -> dict[str, object]:
    """Given an event, and the contract it rests on with the digest of its text, return the body of its entry.

    What the event does not say is left out; `contract` and `contract_digest` are null where no contract is in force.
    """
    said: dict[str, object] = {"at": _text(event.at), "kind": event.kind.value}
    for name in ("ticket", "priority", "asset", "by", "cause", "mission", "spent"):
        value = getattr(event, name, None)
        if value is not None:
            said[name] = str(value)
    if isinstance(event, AssetEvent) and event.until is not None:
        said["until"] = _text(event.until)
    return {**said, "contract": contract, "contract_digest": digest}


def record_of(entries: Iterable[Entry], *, origin: str) -> Record:
    """Given the entries of a log (KINDS of them are looked at), return what happened, in the order of its instants.

    An event that was recorded late stands where it happened; of equal instants the one recorded first goes first.
    Entries of a form that nobody knows are passed over, and `notes` of the record says so. Raises LedgerError, naming
    the entry, where a known event lacks something or says what it cannot say.
    """
    found = _Found()
    for entry in entries:
        reader = _READERS.get(entry.kind)
        if reader is not None:
            reader(found, entry)
    tickets = sorted(found.tickets, key=_when)
    return Record(
        origin=origin,
        tickets=tuple(_begun(tickets, found)),
        assets=tuple(sorted(found.assets, key=_when)),
        scans=tuple(sorted(found.scans, key=_when)),
        backups=tuple(sorted(found.backups, key=_when)),
        drills=tuple(sorted(found.drills, key=_when)),
        notes=found.notes(),
    )


class _Found:
    """What was found so far, in the order of the log."""

    def __init__(self) -> None:
        self.tickets: list[TicketEvent] = []
        self.assets: list[AssetEvent] = []
        self.scans: list[Scan] = []
        self.backups: list[BackupStatus] = []
        self.drills: list[Drill] = []
        self.cited: dict[str, str] = {}  # the ticket of each workstation_setup that is under way
        self.strange: Counter[tuple[str, str]] = Counter()
        self.elsewhere: dict[str, None] = {}

    def notes(self) -> tuple[str, ...]:
        strange = (
            f"{count} {'entry' if count == 1 else 'entries'} of kind {kind}, form {form!a}: not known here, passed over"
            for (kind, form), count in sorted(self.strange.items())
        )
        elsewhere = (
            f"ticket {ticket!a} is cited by accepted work, but was not opened here before it: no lead time is measured"
            for ticket in self.elsewhere
        )
        return (*strange, *elsewhere)


def _when(event: TicketEvent | AssetEvent | Scan | BackupStatus | Drill) -> tuple[int, int]:
    return event.at, event.place


def _begun(tickets: Iterable[TicketEvent], found: _Found) -> Iterator[TicketEvent]:
    """Leave out work that cites a ticket which this log had not opened by then: another system's number."""
    opened = set()
    for event in tickets:
        if event.kind is TicketEventKind.OPENED:
            opened.add(event.ticket)
        if event.kind is TicketEventKind.ACCEPTED and event.ticket not in opened:
            found.elsewhere[event.ticket] = None
        else:
            yield event


def _read_opened(found: _Found, entry: Entry) -> None:
    body = entry.body
    ticket, intervention = body.get("ticket"), body.get("intervention")
    order = body.get("mission") == MissionKind.WORKSTATION_SETUP.value and body.get("simulated") is not True
    if order and isinstance(ticket, str) and isinstance(intervention, str):
        found.cited[intervention] = ticket


def _read_closed(found: _Found, entry: Entry) -> None:
    """An accepted workstation of an intervention that cites a ticket stops the lead time of that ticket."""
    ticket = found.cited.pop(str(entry.body.get("intervention")), None)
    results = entry.body.get("assets")
    if ticket is None or entry.body.get("simulated") is True or not isinstance(results, list):
        return
    accepted = {outcome.value for outcome in Outcome if outcome.accepted}
    for result in results:
        if isinstance(result, dict) and result.get("outcome") in accepted:
            event = TicketEvent(
                at=int(entry.at.timestamp()),
                place=entry.index,
                ticket=ticket,
                kind=TicketEventKind.ACCEPTED,
                asset=str(result.get("name")),
            )
            found.tickets.append(event)


def _read_ticket(found: _Found, entry: Entry) -> None:
    kind = entry.body.get("kind")
    if kind in _TICKET_KINDS:
        found.tickets.append(_ticket_event(entry, TicketEventKind(str(kind))))
    elif kind in _ASSET_KINDS:
        found.assets.append(_asset_event(entry, AssetEventKind(str(kind))))
    else:
        found.strange[entry.kind, str(kind)] += 1


def _ticket_event(entry: Entry, kind: TicketEventKind) -> TicketEvent:
    body = _Body(entry, kind)
    return TicketEvent(
        at=body.instant("at"),
        place=entry.index,
        ticket=body.needed("ticket", str),
        kind=kind,
        priority=body.maybe("priority", str),
        asset=body.maybe("asset", str),
        by=body.maybe("by", Party),
        cause=body.maybe("cause", Cause),
        mission=body.maybe("mission", MissionKind),
        spent=body.maybe("spent", _labour),
    )


def _asset_event(entry: Entry, kind: AssetEventKind) -> AssetEvent:
    body = _Body(entry, kind)
    return AssetEvent(
        at=body.instant("at"),
        place=entry.index,
        asset=body.needed("asset", str),
        kind=kind,
        recorded=int(entry.at.timestamp()),
        until=body.instant("until") if kind is AssetEventKind.MAINTENANCE else None,
        cause=body.maybe("cause", Cause),
    )


def _read_scan(found: _Found, entry: Entry) -> None:
    body, oldest = _Body(entry), entry.body.get("oldest")
    if entry.body.get("kind") != entry.kind or not isinstance(oldest, dict):
        found.strange[entry.kind, str(entry.body.get("kind"))] += 1
        return
    ages = {severity: body.read(f"oldest.{severity}", since, _seconds) for severity, since in oldest.items()}
    found.scans.append(Scan(body.instant("at"), entry.index, body.needed("asset", str), ages))


def _read_backup(found: _Found, entry: Entry) -> None:
    body = _Body(entry)
    if entry.body.get("kind") != entry.kind:
        found.strange[entry.kind, str(entry.body.get("kind"))] += 1
        return
    asset, store = body.needed("asset", str), body.needed("store", str)
    found.backups.append(BackupStatus(body.instant("at"), entry.index, asset, store))


def _read_drill(found: _Found, entry: Entry) -> None:
    body, passed, full = _Body(entry), entry.body.get("passed"), entry.body.get("full")
    if entry.body.get("kind") != entry.kind or not isinstance(passed, bool) or not isinstance(full, bool):
        found.strange[entry.kind, str(entry.body.get("kind"))] += 1
        return
    asset, ended = body.needed("asset", str), body.instant("ended")
    found.drills.append(Drill(body.instant("at"), entry.index, asset, ended, passed, full))


_READERS: Mapping[str, Callable[[_Found, Entry], None]] = {
    "opened": _read_opened,
    "closed": _read_closed,
    "ticket": _read_ticket,
    "scan": _read_scan,
    "backup_status": _read_backup,
    "drill": _read_drill,
}


class _Body:
    """The body of one entry, read field by field; every complaint names the entry and the field."""

    def __init__(self, entry: Entry, kind: TicketEventKind | AssetEventKind | None = None) -> None:
        self._entry = entry
        for name in _NEEDS.get(kind, ()) if kind else ():
            if not isinstance(entry.body.get(name), str):
                raise self._malformed(name, f"is missing from an event {kind}")

    def instant(self, name: str) -> int:
        return self.needed(name, _seconds)

    def needed(self, name: str, make: Callable[[str], Value]) -> Value:
        return self.read(name, self._entry.body.get(name), make)

    def maybe(self, name: str, make: Callable[[str], Value]) -> Value | None:
        value = self._entry.body.get(name)
        return None if value is None else self.read(name, value, make)

    def read(self, name: str, value: object, make: Callable[[str], Value]) -> Value:
        if not isinstance(value, str):
            raise self._malformed(name, "is missing" if value is None else "is not text")
        try:
            return make(value)
        except (ValueError, LedgerError) as error:
            raise self._malformed(name, str(error)) from error

    def _malformed(self, name: str, why: str) -> LedgerError:
        return LedgerError(f"entry {self._entry.index}, kind {self._entry.kind}: {name}: {why}", hint=_HINT)


def _seconds(text: str) -> int:
    return int(parse_instant(text).timestamp())


def _text(at: int) -> str:
    return instant(datetime.fromtimestamp(at, UTC))


def _labour(text: str) -> Duration:
    spent = Duration.parse(text)
    if spent.seconds <= 0:
        raise ValueError(f"{text} is no time that was spent")
    return spent
