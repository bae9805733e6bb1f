"""Entries that say what happened: service events to bodies and back, and the whole log of a client to a record.

docs/reference/ledger_format.md describes the bodies. That of a `ticket` entry is the event as contract.md writes it,
with the contract that it rests on.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from provisioner.config.service_events import readers
from provisioner.errors import LedgerError
from provisioner.ledger.canonical import instant
from provisioner.missions.open_waves import OpenWaves, in_order
from provisioner.model.intervention import Outcome
from provisioner.model.mission import MissionKind
from provisioner.model.record import Record
from provisioner.model.sentence import Sentence
from provisioner.model.service_event import (
    AssetEvent,
    AssetEventKind,
    BackupStatus,
    Drill,
    Scan,
    TicketEvent,
    TicketEventKind,
)
from provisioner.model.values import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.config.service_events import ServiceEvent, Shape
    from provisioner.ledger.entry import Entry

_FORMS = {
    "ticket": frozenset(map(str, (*TicketEventKind, *AssetEventKind))) - {TicketEventKind.ACCEPTED.value},
    "scan": frozenset({"scan"}),
    "backup_status": frozenset({"backup_status"}),
    "drill": frozenset({"drill"}),
}
"""Which events an entry of a kind may tell of; that a workstation was accepted, a closing entry says."""

_APART = {
    "backup_status": frozenset({"incomplete", "probe", "offsite"}),
    "drill": frozenset({"not_done", "sabotage"}),
}
"""Forms of ours that tell of no event: they measure nothing, and nobody has to be told that they were passed over."""

KINDS = ("opened", "closed", *_FORMS)
"""The kinds of entries that a record is made of."""

_HINT = "`invoke audit.show --entry N` shows it; `invoke audit.verify` says whether it is as it was signed"
_ACCEPTED = frozenset(outcome.value for outcome in Outcome if outcome.accepted)


def event_body(event: TicketEvent | AssetEvent, *, contract: str, digest: str) -> dict[str, object]:
    """Given an event, and the id of the contract it rests on with the digest of its text, return its entry's body.

    What the event does not say is left out.
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
        if entry.kind == "opened":
            found.opened(entry)
            found.waves.opened(entry)
        elif entry.kind == "closed":
            found.closed(entry)
            found.waves.closed(entry)
        elif entry.kind in _FORMS:
            found.said(entry)
    return Record(
        origin=origin,
        tickets=tuple(found.tickets()),
        assets=in_order((*found.of(AssetEvent), *found.waves.maintenance())),
        scans=tuple(found.of(Scan)),
        backups=tuple(found.of(BackupStatus)),
        drills=tuple(found.of(Drill)),
        notes=found.notes(),
    )


class _Found:
    """What was found so far of the events of each type, in the order of the log."""

    def __init__(self) -> None:
        self._shapes = readers()
        self._events: dict[type, list[Any]] = defaultdict(list)
        self._cited: dict[str, str] = {}  # by intervention, the ticket of each set-up that is under way
        self._strange: Counter[tuple[str, str]] = Counter()
        self._elsewhere: dict[str, None] = {}
        self.waves = OpenWaves()

    def opened(self, entry: Entry) -> None:
        body = entry.body
        ticket, intervention = body.get("ticket"), body.get("intervention")
        order = body.get("mission") == MissionKind.WORKSTATION_SETUP.value and body.get("simulated") is not True
        if order and isinstance(ticket, str) and isinstance(intervention, str):
            self._cited[intervention] = ticket

    def closed(self, entry: Entry) -> None:
        """An accepted workstation of an intervention that cites a ticket ends the lead time of that ticket."""
        ticket = self._cited.pop(str(entry.body.get("intervention")), None)
        results = entry.body.get("assets")
        if ticket is None or entry.body.get("simulated") is True or not isinstance(results, list):
            return
        at, kind = int(entry.at.timestamp()), TicketEventKind.ACCEPTED
        for result in results:
            if isinstance(result, dict) and result.get("outcome") in _ACCEPTED:
                self._events[TicketEvent].append(TicketEvent(at, entry.index, ticket, kind, asset=str(result["name"])))

    def said(self, entry: Entry) -> None:
        kind = entry.body.get("kind")
        shape = self._shapes.get(kind) if isinstance(kind, str) and kind in _FORMS[entry.kind] else None
        if shape is None and kind not in _APART.get(entry.kind, ()):
            self._strange[entry.kind, shown(str(kind))] += 1
        elif shape is not None:
            event = _event(entry, str(kind), shape)
            self._events[type(event)].append(event)

    def of(self, noun: type) -> list[Any]:
        return sorted(self._events[noun], key=lambda event: (event.at, event.place))

    def tickets(self) -> Iterator[TicketEvent]:
        """Leave out work that cites a ticket which this log had not opened by then: another system's number."""
        opened = set()
        for event in self.of(TicketEvent):
            if event.kind is TicketEventKind.OPENED:
                opened.add(event.ticket)
            if event.kind is TicketEventKind.ACCEPTED and event.ticket not in opened:
                self._elsewhere[event.ticket] = None
            else:
                yield event

    def notes(self) -> tuple[Sentence, ...]:
        strange = (
            Sentence("entries of kind {kind} and form {form}: {count}, passed over", kind=kind, form=form, count=count)
            for (kind, form), count in sorted(self._strange.items())
        )
        elsewhere = (
            Sentence("accepted work cites ticket {ticket}, which was not opened in this log before it", ticket=ticket)
            for ticket in self._elsewhere
        )
        return (*strange, *elsewhere)


def _event(entry: Entry, kind: str, shape: Shape) -> ServiceEvent:
    """Read the keys that the shape knows; others are somebody's who knows more."""
    said: dict[str, Any] = {}
    try:
        for key, read in shape.keys.items():
            if key in entry.body:
                said[key] = _read(key, entry.body[key], read)
            elif key in shape.needs:
                raise ValueError(f"{key}: an event {kind} needs this key")
        event = shape.make(kind, entry.index, said)
    except ValueError as error:
        raise LedgerError(f"entry {entry.index}, kind {entry.kind}: {error}", hint=_HINT) from error
    return event._replace(recorded=int(entry.at.timestamp())) if isinstance(event, AssetEvent) else event


def _read(key: str, value: object, read: Any) -> Any:
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error


def _text(at: int) -> str:
    return instant(datetime.fromtimestamp(at, UTC))
