"""Entries about backups: what a log says of snapshots, runs, drills and probes; and the bodies of what is new.

docs/reference/ledger_format.md describes them. A path of a machine never enters: counts, digests and instants do.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from provisioner.errors import LedgerError
from provisioner.ledger.canonical import instant, parse_instant
from provisioner.missions import ticket_entries
from provisioner.model.backup import Probe, Recorded
from provisioner.model.intervention import Outcome
from provisioner.model.service_event import TicketEventKind
from provisioner.planning.backup_standing import sort_out, taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provisioner.ledger.entry import Entry
    from provisioner.model.backup import MachineReport, Snapshot, StoreReport
    from provisioner.model.record import Record
    from provisioner.model.service_event import Drill

KINDS = ticket_entries.KINDS
"""The kinds of entries that say where backups stand."""

COMPLETE, LACKING, PROBE = "backup_status", "incomplete", "probe"
"""The forms of an entry `backup_status`: a snapshot that counts, one that lacks something, an immutability probe."""

_ACCEPTED = frozenset(outcome.value for outcome in Outcome if outcome.accepted)


@dataclass
class History:
    """What a log says of backups. `configured` is when a machine was last set up, by its name."""

    record: Record
    seen: set[tuple[str, str, str]] = field(default_factory=set)
    recorded: dict[str, list[Recorded]] = field(default_factory=lambda: defaultdict(list))
    probes: dict[str, list[Probe]] = field(default_factory=lambda: defaultdict(list))
    configured: dict[str, int] = field(default_factory=dict)

    @property
    def durations(self) -> dict[str, list[int]]:
        """How long the complete runs of each machine took in seconds, each run once, oldest first."""
        found: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        for asset, rows in self.recorded.items():
            for row in rows:
                if row.seconds is not None:
                    found[asset].setdefault(row.snapshot, (row.at, row.seconds))
        return {asset: [seconds for _, seconds in sorted(runs.values())] for asset, runs in found.items()}

    def drills(self, asset: str) -> tuple[Drill, ...]:
        """The drills of a machine, oldest first."""
        return tuple(drill for drill in self.record.drills if drill.asset == asset)

    def silence(self, asset: str) -> tuple[str, bool] | None:
        """The last ticket about the silence of a machine, and whether it is open; None where there was none."""
        found: tuple[str, bool] | None = None
        names = {
            event.ticket
            for event in self.record.tickets
            if event.kind is TicketEventKind.OPENED and event.asset == asset and event.ticket.startswith("backup-")
        }
        for event in self.record.tickets:
            if event.ticket in names:
                resolved = event.kind is TicketEventKind.RESOLVED
                reopened = event.kind in (TicketEventKind.OPENED, TicketEventKind.REOPENED)
                was_open = found is not None and found[0] == event.ticket and found[1]
                found = event.ticket, reopened or (was_open and not resolved)
        return found


def history(entries: Iterable[Entry], *, origin: str) -> History:
    """Given the entries of a log (KINDS of them are looked at), return what it says of backups."""
    known = tuple(entries)
    found = History(record=ticket_entries.record_of(known, origin=origin))
    setting_up: dict[str, None] = {}
    for entry in known:
        if entry.kind == "opened" and _sets_up(entry.body):
            setting_up[str(entry.body.get("intervention"))] = None
        elif entry.kind == "closed" and entry.body.get("intervention") in setting_up:
            _set_up(found, entry)
        elif entry.kind == "backup_status":
            _status(found, entry)
    return found


def _sets_up(body: Mapping[str, object]) -> bool:
    content = body.get("content")
    playbook = content.get("playbook") if isinstance(content, dict) else None
    return body.get("mission") == "backup" and playbook == "backup" and body.get("simulated") is not True


def _set_up(found: History, entry: Entry) -> None:
    results = entry.body.get("assets")
    for result in results if isinstance(results, list) else ():
        if isinstance(result, dict) and result.get("outcome") in _ACCEPTED:
            found.configured[str(result.get("name"))] = int(entry.at.timestamp())


def _status(found: History, entry: Entry) -> None:
    """Keys of another form than ours are somebody else's: such an entry is passed over."""
    body = entry.body
    said = {key: value for key in ("asset", "store", "at", "kind") if isinstance(value := body.get(key), str)}
    try:
        at, asset, store = int(parse_instant(said["at"]).timestamp()), said["asset"], said["store"]
    except (KeyError, LedgerError):
        return
    snapshot, seconds = body.get("snapshot"), body.get("seconds")
    kind = said.get("kind")
    if kind == PROBE and isinstance(body.get("passed"), bool):
        found.probes[asset].append(Probe(asset, store, at, body["passed"] is True, entry.index))
    if kind in (COMPLETE, LACKING) and isinstance(snapshot, str):
        found.seen.add((asset, store, snapshot))
    if kind == COMPLETE and isinstance(snapshot, str):
        lasted = seconds if type(seconds) is int and seconds >= 0 else None
        found.recorded[asset].append(Recorded(asset, store, snapshot, at, entry.index, lasted))


def new_bodies(
    found: History, asset: str, stores: Mapping[str, StoreReport | None], machine: MachineReport | None
) -> Iterator[dict[str, object]]:
    """Yield a body for each snapshot of a machine, in a vault, that the log has no entry of, oldest first."""
    agent = machine.agent if machine else None
    for store, report in stores.items():
        complete, lacking = sort_out(report.vault, agent) if report else ([], [])
        forms = [*((COMPLETE, one) for one in complete), *((LACKING, one) for one in lacking)]
        for form, one in sorted(forms, key=lambda pair: taken(pair[1])):
            if (asset, store, one.source) not in found.seen:
                yield {"kind": form, "asset": asset, "store": store, **_told(one, machine)}


def _told(one: Snapshot, machine: MachineReport | None) -> dict[str, object]:
    """What is known of a snapshot; of its last runs a machine tells more."""
    body: dict[str, Any] = {
        "at": text_of(taken(one)),
        "arrived": text_of(one.arrived),
        "snapshot": one.source,
        "copy": one.id,
        "run": one.run or None,
        "seconds": max(one.arrived - one.at, 0),
    }
    agent = machine.of_run(one.run) if machine else None
    if agent is not None:
        body |= {"seconds": agent.seconds, "files": agent.files, "bytes": agent.bytes}
        body |= {"manifest": agent.manifest or None, "missing": agent.missing, "unreadable": agent.unreadable}
    return body


def text_of(at: int) -> str:
    """The instant in the form of the log."""
    return instant(datetime.fromtimestamp(at, UTC))
