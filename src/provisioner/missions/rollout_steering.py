"""What a person says of a rollout that is under way: halt it, let it go on, give it up. Each is an entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.errors import UsageError
from provisioner.ledger.entry import Draft
from provisioner.missions.recording import under
from provisioner.missions.rollout_entries import KINDS, end_body, halt_body, latest, resume_body
from provisioner.missions.rollout_state import BY_PERSON, replayed
from provisioner.model.rollout import Halt
from provisioner.planning.openings import Openings

if TYPE_CHECKING:
    from provisioner.ledger.book import Book
    from provisioner.missions.rollout_entries import RolloutLog
    from provisioner.missions.rollout_task import Task
    from provisioner.missions.services import Services


def halt_rollout(task: Task, book: Book, services: Services, *, reason: str) -> None:
    """Let nothing more start until it is resumed; UsageError where no rollout is under way or it is halted already."""
    log = _under_way(book)
    if log.halted is not None:
        hint = "patch.resume lets it go on; patch.halt --end gives it up"
        raise UsageError(f"rollout {log.id} is halted already: {log.halted.code}", hint=hint)
    wave = next((wave.name for wave in log.waves if log.untouched.intersection(wave.assets)), log.waves[-1].name)
    halt = Halt(wave=wave, code=BY_PERSON, text=book.keep(reason, field="reason"))
    record(task, book, services, kind="halt", body=halt_body(log.id, halt))


def resume_rollout(task: Task, book: Book, services: Services, *, reason: str) -> None:
    """Let a halted rollout go on; UsageError where it is not halted, or the contract wants a second person."""
    log = _under_way(book)
    if log.halted is None:
        raise UsageError(f"rollout {log.id} is not halted", hint="invoke patch.run goes on with it")
    contract, _ = task.terms(int(services.now().timestamp()))
    if "patch.resume" in contract.approvals.second_person and book.pseudonym(services.operator) == log.by:
        said = f"approvals.second_person of contract {contract.id} wants another person than who ran it last"
        raise UsageError(said, hint="let a colleague type it: PROVISIONER_OPERATOR says who")
    record(task, book, services, kind="resume", body=resume_body(log.id, book.keep(reason, field="reason")))


def end_rollout(task: Task, book: Book, services: Services, *, reason: str) -> None:
    """Give a rollout up, halted or not: each machine keeps its state, and the next window begins another one.

    Raises UsageError where none is under way, or a batch of it is: who drives it holds the lease meanwhile.
    """
    with services.leases.rollout(task.client, f"process of {services.operator}"):
        log = _under_way(book)
        for asset in log.untouched:
            log.reasons[asset] = "the rollout was given up before its turn"
        contract, updates = task.terms(int(services.now().timestamp()))
        found = replayed(log, updates, openings=Openings(contract, updates), seconds=0)
        body = end_body(log, found.not_evaluable, given_up=book.keep(reason, field="reason"))
        record(task, book, services, kind="wave", body=body)


def record(task: Task, book: Book, services: Services, *, kind: str, body: dict[str, object]) -> None:
    """Append one entry about a rollout, under its contract, and sign."""
    at = services.now()
    draft = Draft(kind, at, book.pseudonym(services.operator), body)
    book.append(under(book, task.contract, draft))
    book.sign(at)


def _under_way(book: Book) -> RolloutLog:
    log = latest(book.entries(kinds=KINDS))
    if log is None or log.ended is not None:
        raise UsageError("no rollout is under way", hint="invoke patch.run begins one when a window is open")
    return log
