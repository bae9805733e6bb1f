"""Software updates: drive the rollout of a client as far as it goes now, batch by batch, each an intervention."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioner.errors import UsageError
from provisioner.ledger.entry import Draft
from provisioner.missions.bodies import Request, RolloutPart
from provisioner.missions.perform import perform
from provisioner.missions.recording import under
from provisioner.missions.recover import recover
from provisioner.missions.rollout_entries import (
    KINDS,
    Batch,
    Incident,
    RolloutLog,
    end_body,
    halt_body,
    latest,
    new_log,
    plan_body,
    resume_body,
    standings,
)
from provisioner.model.intervention import Outcome
from provisioner.model.mission import MissionKind
from provisioner.model.rollout import End, Halt, RolloutStanding, Start, Wait
from provisioner.planning.openings import Openings
from provisioner.planning.rollout import Rollout
from provisioner.planning.software_updates import Work, plan_software_updates
from provisioner.planning.waves import plan_waves
from provisioner.terms.coverage import verdict
from provisioner.terms.term import terms_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from provisioner.ledger.book import Book
    from provisioner.ledger.entry import Entry
    from provisioner.missions.services import Services
    from provisioner.model.asset import Asset
    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.intervention import Intervention
    from provisioner.model.mission_terms import SoftwareUpdates
    from provisioner.model.plan import Content
    from provisioner.model.rollout import Decision, WavePlan

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


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a client's rollout works with: contract, covered machines, content, and the folder of the pool."""

    client: str
    contract: LoadedContract
    assets: tuple[Asset, ...]
    content: Content
    pool: str
    accept: Callable[[str], bool]

    def terms(self, at: int) -> tuple[Contract, SoftwareUpdates]:
        """The terms of the day an instant falls on; UsageError where they promise no updates."""
        contract, _ = terms_on(self.contract, datetime.fromtimestamp(at, UTC))
        updates = contract.missions.software_updates
        if updates is None:
            said = f"contract {contract.id} promises no software_updates"
            raise UsageError(said, hint="there is nothing to roll out")
        return contract, updates

    def covered(self, at: int) -> tuple[Asset, ...]:
        """The machines that the contract covers for updates at an instant, by name."""
        when = datetime.fromtimestamp(at, UTC)
        kind = MissionKind.SOFTWARE_UPDATES
        found = [one for one in self.assets if not verdict(self.contract, one, kind, at=when, uses=()).reasons]
        return tuple(sorted(found, key=lambda asset: asset.name))

    def waves(self, at: int) -> tuple[WavePlan, ...]:
        """The waves of a rollout that begins at an instant; UsageError where no machine is covered."""
        contract, updates = self.terms(at)
        machines = {asset.name: asset.groups for asset in self.covered(at)}
        if not machines:
            said = f"contract {contract.id} covers no machine of hosts.yml"
            raise UsageError(said, hint="`invoke contract.show` lists what is covered; nothing was done or recorded")
        return plan_waves(updates, machines)


@dataclass(kw_only=True)
class Ran:
    """What one call did: its interventions, where the rollout stands now, and what it decided last."""

    log: RolloutLog | None
    decision: Decision
    zone: str
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
            lock=(log.lock or ()) if log else (),
            not_evaluable=log.not_evaluable if log else (),
            machines=standings(log) if log else (),
        )

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What to exit by, of everything this call did."""
        halted = (Outcome.HALTED,) if isinstance(self.decision, Halt) else ()
        return halted + tuple(one.outcome for one in self.interventions)


def run_rollout(task: Task, services: Services) -> Ran:
    """Do what is due now, and no more: batches until the rollout waits, halts or is over; safe to call at any time.

    A new one begins when a window has opened since the last one ended. Raises UsageError when another controller
    drives it already, and what `perform` raises.
    """
    with services.leases.rollout(task.client, f"process of {services.operator}"):
        with services.open_book(task.client) as book:
            recover(book, task.client, services)
            ran = _look(task, book, services)
        while isinstance(ran.decision, Start):
            intervention = _take(task, ran, ran.decision, services)
            ran.interventions.append(intervention)
            if intervention.outcome is Outcome.INTERRUPTED:
                break
            with services.open_book(task.client) as book:
                if intervention.outcome is Outcome.REFUSED:
                    ran.decision = _refused(task, book, services, ran, intervention)
                    break
                following = _look(task, book, services)
            following.interventions = ran.interventions
            ran = following
        return ran


def check_rollout(task: Task, services: Services) -> Ran:
    """Try the batch that is due now in check mode: one intervention, simulated, that is no part of any rollout.

    Nothing of a rollout is recorded. Where nothing is due nothing is done. Raises as `run_rollout` does.
    """
    at = int(services.now().timestamp())
    with services.leases.rollout(task.client, f"process of {services.operator}"):
        with services.open_book(task.client) as book:
            recover(book, task.client, services)
            ran = where_it_stands(task, book, at=at)
        if isinstance(ran.decision, Start) and (ran.log is None or ran.log.ended is not None):
            log = new_log("check", task.contract, task.waves(at), at=at)
            ran = Ran(log=log, decision=_at_first(task, log, at), zone=ran.zone)
        if isinstance(ran.decision, Start):
            ran.interventions.append(_take(task, ran, ran.decision, services, check=True))
        return ran


def where_it_stands(task: Task, book: Book | None, *, at: int) -> Ran:
    """The rollout as its log tells it, and what would be decided at an instant; nothing is done or recorded."""
    entries = tuple(book.entries(kinds=KINDS)) if book else ()
    log = latest(entries)
    contract, updates = task.terms(at)
    zone = contract.timezone or "UTC"
    openings = Openings(contract, updates)
    if log is None or log.ended is not None:
        return Ran(log=log, decision=_next_one(openings, log, _seconds(entries), at), zone=zone)
    rollout = _rollout(log, updates, openings, _seconds(entries))
    covered = {asset.name for asset in task.covered(at)}
    for wave in rollout.waves:
        gone = [asset for asset in wave.plan.assets if asset not in covered]
        wave.waiting.drop(gone)
        for asset in _untouched(log).intersection(gone):
            log.reasons[asset] = "no longer in hosts.yml, or no longer covered"
    return Ran(log=log, decision=_in_words(rollout.decide(at), book), zone=zone)


def _in_words(decision: Decision, book: Book | None) -> Decision:
    """A halt by a person with that person's words, which the entry refers to; they may have been erased since."""
    if not isinstance(decision, Halt) or decision.code != BY_PERSON or book is None:
        return decision
    return replace(decision, text=f"by a person: {book.reveal(decision.text) or 'the words were erased'}")


def halt_rollout(task: Task, book: Book, services: Services, *, reason: str) -> None:
    """Let nothing more start until it is resumed; UsageError where no rollout is under way or it is halted already."""
    log = _under_way(book)
    if log.halted is not None:
        raise UsageError(f"rollout {log.id} is halted already: {log.halted.code}", hint="see invoke patch.resume")
    wave = next((wave.name for wave in log.waves if set(wave.assets) & _untouched(log)), log.waves[-1].name)
    halt = Halt(wave=wave, code=BY_PERSON, text=book.keep(reason, field="reason"))
    _record(task, book, services, "halt", halt_body(log.id, halt))


def resume_rollout(task: Task, book: Book, services: Services, *, reason: str) -> None:
    """Let a halted rollout go on; UsageError where it is not halted, or the contract wants a second person."""
    log = _under_way(book)
    if log.halted is None:
        raise UsageError(f"rollout {log.id} is not halted", hint="invoke patch.run goes on with it")
    contract, _ = task.terms(int(services.now().timestamp()))
    if "patch.resume" in contract.approvals.second_person and book.pseudonym(services.operator) == log.by:
        said = f"approvals.second_person of contract {contract.id} wants another person than who ran it last"
        raise UsageError(said, hint="let a colleague type it: PROVISIONER_OPERATOR says who")
    _record(task, book, services, "resume", resume_body(log.id, book.keep(reason, field="reason")))


def _under_way(book: Book) -> RolloutLog:
    log = latest(book.entries(kinds=KINDS))
    if log is None or log.ended is not None:
        raise UsageError("no rollout is under way", hint="invoke patch.run begins one when a window is open")
    return log


def _untouched(log: RolloutLog) -> set[str]:
    tried = {attempt.asset for event in log.happened if isinstance(event, Batch) for attempt in event.attempts}
    return set(log.assets) - tried


def _look(task: Task, book: Book, services: Services) -> Ran:
    """Read where it stands, begin a new one where that is due, and record a halt or an end."""
    now = services.now()
    ran = where_it_stands(task, book, at=int(now.timestamp()))
    if isinstance(ran.decision, Start) and (ran.log is None or ran.log.ended is not None):
        ran = _begin(task, book, services, at=int(now.timestamp()))
    decision, log = ran.decision, ran.log
    if log is None or log.ended is not None:
        return ran
    if isinstance(decision, Start) and log.lock is None and decision.wave != log.waves[0].name:
        text = f"no machine of wave {log.waves[0].name} was patched: nothing is proven for those after it"
        ran.decision = decision = Halt(wave=log.waves[0].name, code="unproven", text=text)
    if isinstance(decision, Halt) and log.halted is None:
        _record(task, book, services, "halt", halt_body(log.id, decision))
    if isinstance(decision, End):
        _record(task, book, services, "wave", end_body(log, decision.not_evaluable))
        ran = where_it_stands(task, book, at=int(now.timestamp()))
        if isinstance(ran.decision, Start):  # one rollout a call: the next one is the next call's
            ran.decision = Wait(until=None, code="ended", text="the rollout is over")
    return ran


def _refused(task: Task, book: Book, services: Services, ran: Ran, intervention: Intervention) -> Halt:
    """A batch that the contract refuses stops the rollout: the next call would be refused again, and again recorded."""
    assert ran.log is not None and isinstance(ran.decision, Start)
    codes = ", ".join(dict.fromkeys(f"{reason.clause}: {reason.code}" for reason in intervention.reasons))
    halt = Halt(wave=ran.decision.wave, code="refused", text=f"intervention {intervention.id} was refused: {codes}")
    _record(task, book, services, "halt", halt_body(ran.log.id, halt))
    return halt


def _begin(task: Task, book: Book, services: Services, *, at: int) -> Ran:
    """Record the plan of a new rollout, and say what it does first."""
    log = new_log(f"ro-{services.new_id().rpartition('-')[2]}", task.contract, task.waves(at), at=at)
    _record(task, book, services, "plan", plan_body(log))
    return where_it_stands(task, book, at=at)


def _at_first(task: Task, log: RolloutLog, at: int) -> Decision:
    """What a rollout that has not begun does first; no batch was measured for it."""
    contract, updates = task.terms(at)
    return _rollout(log, updates, Openings(contract, updates), LEAST_SECONDS).decide(at)


def _next_one(openings: Openings, log: RolloutLog | None, seconds: int, at: int) -> Decision:
    """Whether a new rollout may begin: Start with no machine named, or how long to wait."""
    since = at
    if log is not None and log.ended is not None:
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


def _rollout(log: RolloutLog, updates: SoftwareUpdates, openings: Openings, seconds: int) -> Rollout:
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


def _take(task: Task, ran: Ran, start: Start, services: Services, *, check: bool = False) -> Intervention:
    """One batch: one intervention."""
    log = ran.log
    assert log is not None
    at = services.now()
    _, updates = task.terms(int(at.timestamp()))
    known = {asset.name: asset for asset in task.assets}
    assets = tuple(known[name] for name in start.assets)
    _, day = terms_on(task.contract, at)
    work = Work(updates=updates, day=day, lock=log.lock, pool=task.pool, rollout=log.id)
    request = Request(
        contract=task.contract,
        assets=assets,
        plan=plan_software_updates(assets, task.content, work),
        accept=task.accept,
        ticket=None,
        check=check,
        rollout=None if check else RolloutPart(log.id, start.wave),
    )
    services.progress.note(f"rollout {log.id}: wave {start.wave}, {len(assets)} of {len(log.assets)} machines")
    return perform(request, services)


def _record(task: Task, book: Book, services: Services, kind: str, body: dict[str, object]) -> None:
    at = services.now()
    draft = Draft(kind, at, book.pseudonym(services.operator), body)
    book.append(under(book, task.contract, draft))
    book.sign(at)
