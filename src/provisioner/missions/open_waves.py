"""Open waves: the machines of a batch are in agreed maintenance while it is under way, inside its window (rule 11)."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from provisioner.errors import LedgerError
from provisioner.model.intervention import Outcome
from provisioner.model.service_event import AssetEvent, AssetEventKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provisioner.ledger.entry import Entry


def in_order(events: Iterable[AssetEvent]) -> tuple[AssetEvent, ...]:
    """Events in the order of their instants; of equal ones the entry with the lower index goes first."""
    return tuple(sorted(events, key=lambda event: (event.at, event.place)))


class OpenWaves:
    """Reads batches of rollouts out of a log. What is no batch of one, or is simulated, says nothing here."""

    def __init__(self) -> None:
        """Begin with none."""
        self._open: dict[str, tuple[Entry, int | None]] = {}
        self._done: list[AssetEvent] = []

    def opened(self, entry: Entry) -> None:
        """A batch begins: it was recorded before the first packet left, and so before the maintenance began."""
        part, name = entry.body.get("rollout"), entry.body.get("intervention")
        if isinstance(part, dict) and isinstance(name, str) and entry.body.get("simulated") is not True:
            until = part.get("until")
            with _of_our_form(entry):
                self._open[name] = entry, None if until is None else int(datetime.fromisoformat(until).timestamp())

    def closed(self, entry: Entry) -> None:
        """It has ended. A machine that could not be reached was not worked on: nothing of its time is maintenance."""
        name = str(entry.body.get("intervention"))
        if name in self._open:
            opened, closes = self._open.pop(name)
            body: Mapping[str, Any] = entry.body
            with _of_our_form(entry):
                worked = [one["name"] for one in body["assets"] if one["outcome"] != Outcome.UNREACHABLE.value]
            ended = int(entry.at.timestamp())
            self._done += _events(opened, worked, until=ended if closes is None else min(ended, closes))

    def maintenance(self) -> Iterator[AssetEvent]:
        """All of it; a batch that is under way lasts until its window closes."""
        yield from self._done
        for opened, closes in self._open.values():
            body: Mapping[str, Any] = opened.body
            with _of_our_form(opened):
                yield from _events(opened, body["assets"], until=closes)


@contextmanager
def _of_our_form(entry: Entry) -> Iterator[None]:
    """Raise LedgerError, naming the entry, where it lacks what an entry of a batch has."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        hint = "`invoke audit.show --entry N` shows it; `invoke audit.verify` says whether it is as it was signed"
        said = f"entry {entry.index}, kind {entry.kind}, is not of our form: {error}"
        raise LedgerError(said, hint=hint) from error


def _events(opened: Entry, assets: Iterable[str], *, until: int | None) -> Iterator[AssetEvent]:
    at, kind = int(opened.at.timestamp()), AssetEventKind.MAINTENANCE
    for asset in assets if until is not None and until > at else ():
        yield AssetEvent(at, opened.index, asset, kind, until=until, recorded=at)
