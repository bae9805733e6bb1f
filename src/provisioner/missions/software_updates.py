"""Software updates: drive the rollout of a client as far as it goes now, batch by batch, each an intervention."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.missions.bodies import Request, RolloutPart
from provisioner.missions.perform import perform
from provisioner.missions.recover import recover
from provisioner.missions.rollout_entries import end_body, halt_body, new_log, plan_body
from provisioner.missions.rollout_state import Ran, at_first, where_it_stands
from provisioner.missions.rollout_steering import record
from provisioner.model.intervention import Outcome
from provisioner.model.rollout import End, Halt, Start, Wait
from provisioner.planning.software_updates import Work, plan_software_updates
from provisioner.terms.term import terms_on

if TYPE_CHECKING:
    from provisioner.ledger.book import Book
    from provisioner.missions.rollout_task import Task
    from provisioner.missions.services import Services
    from provisioner.model.intervention import Intervention


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
            ran = Ran(log=log, decision=at_first(task, log, at=at), zone=ran.zone)
        if isinstance(ran.decision, Start):
            ran.interventions.append(_take(task, ran, ran.decision, services, check=True))
        return ran


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
        record(task, book, services, kind="halt", body=halt_body(log.id, decision))
    if isinstance(decision, End):
        record(task, book, services, kind="wave", body=end_body(log, decision.not_evaluable))
        task.tidy(frozenset(package.sha256 for package in log.lock or ()))
        ran = where_it_stands(task, book, at=int(now.timestamp()))
        if isinstance(ran.decision, Start):  # one rollout a call: the next one is the next call's
            ran.decision = Wait(until=None, code="ended", text="the rollout is over")
    return ran


def _refused(task: Task, book: Book, services: Services, ran: Ran, intervention: Intervention) -> Halt:
    """A batch that the contract refuses stops the rollout: the next call would be refused again, and again recorded."""
    assert ran.log is not None and isinstance(ran.decision, Start)
    codes = ", ".join(dict.fromkeys(f"{reason.clause}: {reason.code}" for reason in intervention.reasons))
    halt = Halt(wave=ran.decision.wave, code="refused", text=f"intervention {intervention.id} was refused: {codes}")
    record(task, book, services, kind="halt", body=halt_body(ran.log.id, halt))
    return halt


def _begin(task: Task, book: Book, services: Services, *, at: int) -> Ran:
    """Record the plan of a new rollout, and say what it does first."""
    log = new_log(f"ro-{services.new_id().rpartition('-')[2]}", task.contract, task.waves(at), at=at)
    record(task, book, services, kind="plan", body=plan_body(log))
    return where_it_stands(task, book, at=at)


def _take(task: Task, ran: Ran, start: Start, services: Services, *, check: bool = False) -> Intervention:
    """One batch: one intervention."""
    log = ran.log
    assert log is not None
    at = services.now()
    _, updates = task.terms(int(at.timestamp()))
    known = {asset.name: asset for asset in task.assets}
    assets = tuple(known[name] for name in start.assets)
    _, day = terms_on(task.contract, at)
    work = Work(updates=updates, day=day, lock=log.lock, pool=task.pool, rollout=log.id, excepted=ran.excepted)
    request = Request(
        contract=task.contract,
        assets=assets,
        plan=plan_software_updates(assets, task.content, work),
        accept=task.accept,
        ticket=None,
        check=check,
        rollout=None if check else RolloutPart(log.id, start.wave, start.until),
    )
    services.progress.note(f"rollout {log.id}: wave {start.wave}, {len(assets)} of {len(log.assets)} machines")
    return perform(request, services)
