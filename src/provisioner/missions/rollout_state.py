"""Where a rollout stands: read back from the log, and what the planner decides at an instant. Nothing is recorded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from provisioner.missions.rollout_entries import KINDS, Batch, Incident, RolloutLog, latest, standings
from provisioner.model.intervention import Outcome
from provisioner.model.rollout import Halt, RolloutStanding, Start, Wait
from provisioner.planning.exceptions import excepted
from provisioner.planning.openings import Openings
from provisioner.planning.rollout import Rollout

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.ledger.book import Book
    from provisioner.ledger.entry import Entry
    from provisioner.missions.rollout_task import Task
    from provisioner.model.intervention import Intervention
    from provisioner.model.mission_terms import SoftwareUpdates
    from provisioner.model.rollout import Decision, Excepted

TRIES = 3
"""How often a machine that was missed is tried in one rollout, the first time included."""

BATCH_SECONDS = 1500
"""What a batch is planned with before one was measured, its restarts included: 25 minutes."""

LEAST_SECONDS = 300
MEASURED = 20
"""So many batches are looked back at: the longest of them is what the next one may take."""

A_DAY = 86_400

BY_PERSON = "person"
"""Why a rollout stands still that a person halted; the text of that entry is a reference."""


@dataclass(kw_only=True)
class Ran:
    """What one call did: its interventions, where the rollout stands now, and what it decided last."""

    log: RolloutLog | None
    decision: Decision
    zone: str
    excepted: tuple[Excepted, ...] = ()
    interventions: list[Intervention] = field(default_factory=list)

    def standing(self, task: Task) -> RolloutStanding:
        """The same for a report."""
        log = self.log
        return RolloutStanding(
            client=task.client,
            contract=task.contract.id,
            zone=self.zone,
            decision=self.decision,
            rollout=log.id if log else None,
            begun=log.begun if log else None,
            ended=log.ended if log else None,
            given_up=log.given_up if log else False,
            lock=(log.lock or ()) if log else (),
            superseded=tuple(sorted(log.superseded)) if log else (),
            excepted=self.excepted,
            not_evaluable=log.not_evaluable if log else (),
            machines=standings(log) if log else (),
        )

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What to exit by, of everything this call did."""
        halted = (Outcome.HALTED,) if isinstance(self.decision, Halt) else ()
        return halted + tuple(one.outcome for one in self.interventions)


def where_it_stands(task: Task, book: Book | None, *, at: int) -> Ran:
    """The rollout as its log tells it, and what would be decided at an instant; nothing is done or recorded."""
    entries = tuple(book.entries(kinds=KINDS)) if book else ()
    log = latest(entries)
    contract, updates = task.terms(at)
    zone = contract.timezone or "UTC"
    openings = Openings(contract, updates)
    left = excepted(log.tries, at=at) if log else ()
    if log is None or log.ended is not None:
        return Ran(log=log, decision=_next_one(openings, log, _seconds(entries), at), zone=zone, excepted=left)
    rollout = replayed(log, updates, openings=openings, seconds=_seconds(entries))
    covered = {asset.name for asset in task.covered(at)}
    for wave in rollout.waves:
        gone = [asset for asset in wave.plan.assets if asset not in covered]
        wave.waiting.drop(gone)
        for asset in log.untouched.intersection(gone):
            log.reasons[asset] = "no longer in hosts.yml, or no longer covered"
    return Ran(log=log, decision=_in_words(rollout.decide(at), book), zone=zone, excepted=left)


def at_first(task: Task, log: RolloutLog, *, at: int) -> Decision:
    """What a rollout that has not begun does first; no batch was measured for it."""
    contract, updates = task.terms(at)
    return replayed(log, updates, openings=Openings(contract, updates), seconds=LEAST_SECONDS).decide(at)


def replayed(log: RolloutLog, updates: SoftwareUpdates, *, openings: Openings, seconds: int) -> Rollout:
    """The planner, told everything that happened."""
    rollout = Rollout(updates, log.waves, openings=openings, seconds=seconds, tries=TRIES)
    for event in log.happened:
        if isinstance(event, Batch):
            rollout.restore(event.wave, event.attempts)
        elif isinstance(event, Halt):
            rollout.halt(event)
        elif isinstance(event, Incident):
            rollout.incident(event.at)
        else:
            rollout.resume(event.at)
    return rollout


def _in_words(decision: Decision, book: Book | None) -> Decision:
    """A halt by a person with that person's words, which the entry refers to; they may have been erased since."""
    if not isinstance(decision, Halt) or decision.code != BY_PERSON or book is None:
        return decision
    return replace(decision, text=f"by a person: {book.reveal(decision.text) or 'the words were erased'}")


def _next_one(openings: Openings, log: RolloutLog | None, seconds: int, at: int) -> Decision:
    """Whether a new rollout may begin: Start with no machine named, or how long to wait.

    After a rollout the next window is waited for, but not where a security update took the place of one in its lock:
    that one needs a canary of its own. Once: where the new canary does not find it either, it waits like any other.
    """
    since = at
    if log is not None and log.ended is not None and not log.superseded - log.known:
        opened = openings.opened(at)
        if opened is not None and opened <= log.ended:
            span = openings.fitting(log.ended, 1)
            since = max(at, min(span[1] if span else log.ended + A_DAY, log.ended + A_DAY))
    found = openings.fitting(since, seconds)
    if found is None:
        return Wait(until=None, code="never", text=f"no window is to come that has {seconds} s left")
    if found[0] > at:
        return Wait(until=found[0], code="window", text="no window is open for another rollout")
    return Start(wave="", assets=(), until=found[1])


def _seconds(entries: Iterable[Entry]) -> int:
    """What the next batch may take: as long as the longest of the last ones that ended."""
    opened: dict[str, Entry] = {}
    lasted: list[int] = []
    for entry in entries:
        name = str(entry.body.get("intervention"))
        if entry.kind == "opened" and entry.body.get("rollout"):
            opened[name] = entry
        elif entry.kind == "closed" and name in opened:
            lasted.append(int((entry.at - opened.pop(name).at).total_seconds()))
    return max(LEAST_SECONDS, *lasted[-MEASURED:]) if lasted else BATCH_SECONDS
