"""Compare the receipts of one machine with a log. Pure: what is asked of neither is never guessed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from provisioner.ledger.merkle import Frontier, extend

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provisioner.execution.ports import Reading, Receipt
    from provisioner.ledger.entry import Entry

ROLE = "intervention_receipt"
"""The role that leaves the receipt: an intervention whose content lacks it leaves none."""

ACCEPTED = ("changed", "unchanged")
"""Outcomes after which the receipt is there; after any other it may be."""


class Kind(StrEnum):
    """How a machine and the log differ: the log lacks work, the machine does not know it, or nothing can be said."""

    NOT_IN_LOG = "not_in_log"
    REWRITTEN = "rewritten"
    OTHER_MACHINE = "other_machine"
    SIMULATED = "simulated"
    NO_RECEIPT = "no_receipt"
    OTHER_LOG = "other_log"
    UNREADABLE = "unreadable"


SENTENCES: Mapping[Kind, str] = {
    Kind.NOT_IN_LOG: "the log has no such intervention: work it never recorded, or a history written anew or cut off",
    Kind.REWRITTEN: "the log has this intervention otherwise than the machine was told: its history was written anew",
    Kind.OTHER_MACHINE: "the log has this intervention, but not on this machine: a copied disk, or another name for it",
    Kind.SIMULATED: "the log says that this was only simulated, and the machine was worked on",
    Kind.NO_RECEIPT: "the log has work here that the machine holds no receipt of: reinstalled, removed, or invented",
    Kind.OTHER_LOG: "a receipt of another log: this one can say nothing about it",
    Kind.UNREADABLE: "no receipt can be read in this file",
}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that does not agree: `intervention` is empty where no receipt was read, `entry` None for no entry."""

    machine: str
    kind: Kind
    intervention: str
    entry: int | None
    text: str


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What a log says of one intervention. `closed` is the index of its closing entry, None while it is open.

    `leaves` is whether its content held ROLE, `simulated` what the last of its entries says. `done` are the machines
    that must hold a receipt: it ended well on them, was not simulated, and its content held ROLE.
    """

    entry: int
    digest: str
    plan_digest: object
    machines: tuple[str, ...]
    simulated: bool
    leaves: bool
    closed: int | None = None
    done: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Log:
    """A log as far as machines can speak of it, with the size and root of exactly what was read."""

    origin: str
    size: int
    root: bytes
    interventions: Mapping[str, Recorded]


def compare(machine: str, reading: Reading, log: Log, *, before: int) -> Iterator[Difference]:
    """Given what one machine holds, yield every difference with the log: by file, then by entry.

    Only what the log had closed below index `before` is asked of the machine, and nothing of one that was not read.
    """
    if reading.reason:
        return
    for file, why in sorted(reading.damaged.items()):
        text = f"{SENTENCES[Kind.UNREADABLE]}: {file}: {why}"
        yield Difference(machine=machine, kind=Kind.UNREADABLE, intervention="", entry=None, text=text)
    for _, receipt in sorted(reading.receipts.items()):
        work = log.interventions.get(receipt.intervention) if receipt.log == log.origin else None
        kind = _fault(machine, receipt, log.origin, work)
        if kind is not None:
            yield _difference(machine, kind, receipt.intervention, work)
    for intervention, work in log.interventions.items():
        file = f"{intervention}.json"
        asked = machine in work.done and work.closed is not None and work.closed < before
        if asked and file not in reading.receipts and file not in reading.damaged:
            yield _difference(machine, Kind.NO_RECEIPT, intervention, work)


def _fault(machine: str, receipt: Receipt, origin: str, work: Recorded | None) -> Kind | None:
    if receipt.log != origin:
        return Kind.OTHER_LOG
    if work is None:
        return Kind.NOT_IN_LOG
    told = (receipt.entry, receipt.digest, receipt.plan_digest)
    if told != (work.entry, work.digest, work.plan_digest):
        return Kind.REWRITTEN
    if machine not in work.machines:
        return Kind.OTHER_MACHINE
    return Kind.SIMULATED if work.simulated else None


def _difference(machine: str, kind: Kind, intervention: str, work: Recorded | None) -> Difference:
    entry = work.entry if work else None
    return Difference(machine=machine, kind=kind, intervention=intervention, entry=entry, text=SENTENCES[kind])


def read_log(origin: str, entries: Iterable[Entry]) -> Log:
    """Given a log's origin and all its entries, return what machines can be asked about; memory grows with the work."""
    frontier, found = Frontier(), dict[str, Recorded]()
    for entry in entries:
        frontier, _ = extend(frontier, [entry.hash])
        name = entry.body.get("intervention")
        if entry.kind == "opened" and isinstance(name, str):
            found[name] = _opened(entry)
        elif entry.kind == "closed" and isinstance(name, str) and name in found:
            found[name] = _closed(found[name], entry)
    return Log(origin=origin, size=frontier.size, root=frontier.root, interventions=found)


def _opened(entry: Entry) -> Recorded:
    assets, content = entry.body.get("assets"), entry.body.get("content")
    roles = content.get("roles") if isinstance(content, dict) else None
    return Recorded(
        entry=entry.index,
        digest=entry.hash.hex(),
        plan_digest=entry.body.get("plan_digest"),
        machines=tuple(name for name in assets if isinstance(name, str)) if isinstance(assets, list) else (),
        simulated=entry.body.get("simulated") is True,
        leaves=isinstance(roles, dict) and ROLE in roles,
    )


def _closed(work: Recorded, entry: Entry) -> Recorded:
    results = entry.body.get("assets")
    simulated = entry.body.get("simulated") is True
    done = frozenset(
        str(result.get("name"))
        for result in (results if isinstance(results, list) else [])
        if isinstance(result, dict) and result.get("outcome") in ACCEPTED
    )
    asked = work.leaves and not work.simulated and not simulated
    return replace(work, closed=entry.index, simulated=simulated, done=done if asked else frozenset())
