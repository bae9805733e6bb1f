"""What a log says was used: assets of allowances, labour of prepaid hours; and the balances that leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.errors import LedgerError
from provisioner.ledger.canonical import parse_instant
from provisioner.model.intervention import Outcome
from provisioner.model.mission import MissionKind
from provisioner.model.values import Duration
from provisioner.terms import charge
from provisioner.terms.allowances import Use
from provisioner.terms.prepaid import Labour, Work, labour_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from provisioner.ledger.entry import Entry
    from provisioner.model.balance import Balance
    from provisioner.model.contract import LoadedContract

    Pair = tuple[Entry, Entry | None]

INTERVENTIONS = ("opened", "closed")
"""The kinds of entries that say which assets were used."""

KINDS = (*INTERVENTIONS, "ticket")
"""The kinds of entries that say what was used, labour included."""


def uses(entries: Iterable[Entry], contract: str) -> Iterator[Use]:
    """Given a log, yield what counts for the allowances of a contract: each asset of each intervention.

    One that is under way counts until it has ended otherwise, so that two at once cannot share the last of it. Work
    under an approval is in no allowance.
    """
    for opened, closed in _interventions(entries, contract):
        counts = not _simulated(opened, closed) and opened.body.get("approval") is None
        for asset, outcome in _results(opened, closed):
            mission = MissionKind(str(opened.body["mission"]))
            yield Use(asset=asset, mission=mission, at=opened.at, counts=counts and outcome.accepted)


def labour(entries: Iterable[Entry], loaded: LoadedContract) -> Iterator[Labour]:
    """Given a log, yield what draws from the prepaid hours of a contract: its interventions, and events of its tickets.

    An intervention under way draws what it said until it has ended otherwise.
    """
    known = tuple(entries)
    for opened, closed in _interventions(known, loaded.id):
        yield labour_of(loaded, _work(opened, closed))
    for entry in known:
        if entry.kind == "ticket" and entry.body.get("contract") == loaded.id and entry.body.get("spent"):
            at, spent = parse_instant(str(entry.body.get("at"))), _spent(entry)
            yield Labour(at=at, seconds=spent.seconds if spent else 0, what=str(entry.body.get("ticket")))


def balances(entries: Sequence[Entry], loaded: LoadedContract, *, at: datetime) -> tuple[Balance, ...]:
    """Given the entries of a log (KINDS of them are looked at), return the balances of a contract at an instant."""
    return charge.balances(loaded, at=at, uses=uses(entries, loaded.id), labour=labour(entries, loaded))


def _interventions(entries: Iterable[Entry], contract: str) -> Iterator[Pair]:
    """Each intervention under a contract with its closing entry; those under way last."""
    under_way: dict[str, Entry] = {}
    for entry in entries:
        name = str(entry.body.get("intervention"))
        if entry.kind == "opened" and entry.body.get("contract") == contract:
            under_way[name] = entry
        elif entry.kind == "closed" and name in under_way:
            yield under_way.pop(name), entry
    for opened in under_way.values():
        yield opened, None


def _simulated(opened: Entry, closed: Entry | None) -> bool:
    return any(entry.body.get("simulated") is True for entry in (opened, closed) if entry is not None)


def _results(opened: Entry, closed: Entry | None) -> Iterator[tuple[str, Outcome]]:
    """Each asset with what became of it: while the work is under way, as if it were accepted."""
    if closed is None:
        names = opened.body.get("assets")
        yield from ((str(name), Outcome.CHANGED) for name in (names if isinstance(names, list) else ()))
        return
    results = closed.body.get("assets")
    for result in results if isinstance(results, list) else ():
        yield str(result["name"]), Outcome(str(result["outcome"]))


def _work(opened: Entry, closed: Entry | None) -> Work:
    outcome = Outcome(str(closed.body.get("outcome"))) if closed else Outcome.CHANGED
    return Work(
        at=opened.at,
        what=str(opened.body.get("intervention")),
        mission=MissionKind(str(opened.body["mission"])),
        counts=outcome.accepted and not _simulated(opened, closed),
        included=opened.body.get("in_allowance") is True,
        spent=_spent(opened),
        elapsed=int((closed.at - opened.at).total_seconds()) if closed else 0,
        unattended=opened.body.get("unattended") is True,
    )


def _spent(entry: Entry) -> Duration | None:
    said = entry.body.get("spent")
    try:
        return Duration.parse(str(said)) if said is not None else None
    except ValueError as error:
        hint = "`invoke audit.show --entry N` shows it; `invoke audit.verify` says whether it is as it was signed"
        raise LedgerError(f"entry {entry.index}, kind {entry.kind}: spent: {error}", hint=hint) from error
