"""The one algorithm: admit, open, run, judge, close. Two entries bracket every change on a machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from provisioner.errors import ExecutionError, LedgerError, StillRunning
from provisioner.execution.ports import Order, Receipt, RunStatus
from provisioner.ledger.entry import Draft
from provisioner.missions.admission import admit, ask_client, request_for
from provisioner.missions.bodies import CHECK, Closing, closing_body, intent_body, refusal_body, without_secrets
from provisioner.missions.judge import judge
from provisioner.missions.recording import under
from provisioner.missions.recover import counts, last_task, recover
from provisioner.model.event import EventKind
from provisioner.model.intervention import AssetResult, Intervention, Outcome, worst
from provisioner.model.redaction import redactor, secrets_of
from provisioner.model.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from provisioner.execution.ports import Contact
    from provisioner.ledger.book import Book
    from provisioner.ledger.entry import Entry
    from provisioner.missions.bodies import Admission, Request
    from provisioner.missions.services import Services
    from provisioner.model.asset import Asset
    from provisioner.model.event import Event
    from provisioner.model.plan import Step


AT_ONCE = 20
"""How many machines are reached at once: as many as a run works on."""


@dataclass(frozen=True)
class _Desk:
    """What one intervention is worked on with."""

    request: Request
    services: Services
    book: Book
    intervention: str
    admission: Admission
    operator: str

    @property
    def clause(self) -> str:
        """The line of the contract that the work rests on."""
        return self.admission.clause

    @cached_property
    def hide(self) -> Callable[[str], str]:
        """What takes the secrets of the machines out of a text before it is kept or hashed."""
        return redactor(secret for asset in self.request.assets for secret in secrets_of(asset))


@dataclass
class _Work:
    """What is known so far of the work on the machines: it is what the closing entry tells, whatever happens next."""

    contacts: dict[str, Contact] = field(default_factory=dict)
    results: dict[str, AssetResult] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    seen: list[Event] = field(default_factory=list)
    simulated: bool = False


def perform(request: Request, services: Services) -> Intervention:
    """Given a request, admit it under its contract, do it, and return the intervention as recorded.

    A refusal, an unreachable machine, a failure and an interruption are outcomes. Raises LedgerError when something
    could not be recorded (its message says whether work was done), UsageError when another intervention holds an asset.
    """
    client = request.plan.client
    with ExitStack() as resources:
        with _nothing_done():
            book = resources.enter_context(services.open_book(client))
            recover(book, client, services)
            with services.leases.admission(client):
                at = services.now()
                name = services.new_id()
                admission = admit(request, book, services, intervention=name, at=at)
                desk = _Desk(request, services, book, name, admission, book.pseudonym(services.operator))
                if admission.reasons:
                    return _refuse(desk, at)
                for warning in admission.warnings:
                    services.progress.note(f"warning: {warning}")
                names = request.plan.assets
                for asset in names:
                    resources.enter_context(services.leases.hold(client, asset))
                # A controller may have died since: nothing new begins before its processes are proven dead.
                recover(book, client, services, held=frozenset(names))
                opened = _record(desk, "opened", _intent(desk), at)
        return _bracket(desk, opened, at)


@contextmanager
def _nothing_done() -> Iterator[None]:
    """Say with an error of the ledger that no machine was touched."""
    try:
        yield
    except LedgerError as error:
        raise LedgerError(f"{error}; no work was done", hint=error.hint) from error


def _refuse(desk: _Desk, at: datetime) -> Intervention:
    admission, request = desk.admission, None
    entry = _record(desk, "refused", refusal_body(_intent(desk), admission.reasons), at)
    desk.book.sign(at)
    if admission.requested:
        asked = request_for(desk.request, admission, intervention=desk.intervention, at=at)
        request = str(ask_client(desk.services.signing.requests, asked, desk.book))
    whole = _intervention(desk, at)
    return replace(whole, outcome=Outcome.REFUSED, reasons=admission.reasons, request=request, entries=(entry.index,))


def _intent(desk: _Desk) -> dict[str, object]:
    return intent_body(desk.intervention, desk.request, desk.admission)


def _bracket(desk: _Desk, opened: Entry, at: datetime) -> Intervention:
    progress, names = desk.services.progress, desk.request.plan.assets
    work = _Work(simulated=desk.request.check)
    fate: tuple[Outcome, Reason] | None = None
    try:
        progress.begin(desk.intervention, clause=desk.clause, assets=names, simulated=desk.request.check)
        _do(desk, work, _receipt(desk, opened))
    except KeyboardInterrupt:
        fate = (Outcome.INTERRUPTED, _reason(desk, "interrupted", "interrupted by the operator"))
    except ExecutionError as error:
        # Once something was seen of the run, nobody can say what it left.
        outcome, code = (Outcome.UNKNOWN, "not_ended") if work.seen else (Outcome.FAILED, "not_executed")
        fate = (outcome, _reason(desk, code, str(error)))
    except StillRunning:
        raise  # the intent stays open: the next command closes it once the run's processes are dead
    except BaseException:
        _close(desk, _closing(desk, work, (Outcome.UNKNOWN, _reason(desk, "crashed", "provisioner itself failed"))))
        raise
    closing = _closing(desk, work, fate)
    closed, ended = _close(desk, closing)
    return replace(
        _intervention(desk, at),
        simulated=closing.simulated,
        outcome=closing.outcome,
        closed=ended,
        reasons=tuple(dict.fromkeys(r.reason for r in closing.results if r.reason)),
        entries=(opened.index, closed.index),
        assets=closing.results,
    )


def _receipt(desk: _Desk, opened: Entry) -> Receipt:
    """What binds the machine to the log: a log written again has another leaf hash at this place."""
    return Receipt(
        log=desk.book.origin,
        client=desk.request.plan.client,
        intervention=desk.intervention,
        entry=opened.index,
        digest=opened.hash.hex(),
        plan_digest=desk.request.plan.digest,
    )


def _do(desk: _Desk, work: _Work, receipt: Receipt) -> None:
    """Reach every machine, run each step on those that are ready, judge; `work` holds what is known at any moment."""
    ready = _ready(desk, work)
    for step in desk.request.plan.steps:
        batch = tuple(asset for asset in ready if asset.name in step.assets)
        if batch:
            _run(desk, work, step=step, batch=batch, receipt=receipt)


def _ready(desk: _Desk, work: _Work) -> list[Asset]:
    """Reach every machine, several at once: one that does not answer costs the others no time."""
    assets = desk.request.assets
    reach = partial(desk.services.probe.reach, accept=desk.request.accept)
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(assets))) as pool:
        contacts = [reach(assets[0])] if len(assets) == 1 else list(pool.map(reach, assets))
    for asset, contact in zip(assets, contacts, strict=True):
        work.contacts[asset.name] = contact
        if contact.reason:
            outcome = Outcome.FAILED if contact.reached else Outcome.UNREACHABLE
            reason = _reason(desk, contact.reason, contact.text)
            work.results[asset.name] = AssetResult(name=asset.name, outcome=outcome, reason=reason)
    return [asset for asset in assets if not work.contacts[asset.name].reason]


def _run(desk: _Desk, work: _Work, *, step: Step, batch: tuple[Asset, ...], receipt: Receipt) -> None:
    def on_event(event: Event) -> None:
        work.seen.append(event)
        if event.kind in (EventKind.FAILED, EventKind.IGNORED, EventKind.UNREACHABLE):
            work.failures.setdefault(event.host, task_name(event))
        desk.services.progress.event(event)

    order = Order(
        intervention=desk.intervention,
        receipt=receipt,
        content=desk.request.plan.content,
        step=step,
        assets=batch,
        check=desk.request.check,
    )
    result = desk.services.executor.run(order, on_event)
    work.simulated = result.check
    for asset in batch:
        failed = work.failures.get(asset.name)
        judged = judge(asset.name, result, clause=desk.clause, failed_task=failed)
        if asset.name not in result.tallies:  # a run that was stopped leaves no tally, only what was seen of it
            seen = counts(work.seen, asset.name)
            judged = replace(judged, ok=seen.ok, changed=seen.changed, failed_task=failed or last_task(work.seen))
        work.results[asset.name] = judged
    if result.status is RunStatus.CANCELLED:
        raise KeyboardInterrupt  # the executor turned Ctrl-C into an orderly end of this run: no other one starts


def task_name(event: Event) -> str:
    """`role : task`, or the task alone when it is in no role."""
    return f"{event.role} : {event.task}" if event.role else event.task


def _closing(desk: _Desk, work: _Work, fate: tuple[Outcome, Reason] | None) -> Closing:
    """What is to be said at the end: machines without a result share the fate of the whole."""
    outcome, reason = fate or (Outcome.UNKNOWN, _reason(desk, "not_processed", "nothing was done on the machine"))
    missing = {
        name: AssetResult(name=name, outcome=outcome, failed_task=work.failures.get(name), reason=reason)
        for name in desk.request.plan.assets
    }
    results = tuple({**missing, **work.results}.values())
    whole = worst(tuple(result.outcome for result in results) + ((outcome,) if fate else ()))
    return Closing(outcome=whole, results=results, contacts=work.contacts, simulated=work.simulated)


def _close(desk: _Desk, closing: Closing) -> tuple[Entry, datetime]:
    at = desk.services.now()
    lacking = "its end could not be recorded"
    try:
        body = closing_body(desk.intervention, closing, lambda text: desk.book.keep(desk.hide(text), field=CHECK))
        entry = _record(desk, "closed", body, at)
        lacking = "its end is recorded but not signed"
        desk.book.sign(at)
    except LedgerError as error:
        worked = [name for name, contact in closing.contacts.items() if not contact.reason]
        work = f"work was done on {', '.join(worked)}" if worked else "no work was done"
        text = f"{error}; {work} (outcome {closing.outcome}), {lacking}"
        raise LedgerError(text, hint=error.hint or "the next command closes what is open and signs it") from error
    return entry, at


def _record(desk: _Desk, kind: str, body: dict[str, object], at: datetime) -> Entry:
    """Append one entry under the request's contract, without the secrets of the machines."""
    draft = Draft(kind, at, desk.operator, without_secrets(body, desk.hide))
    return desk.book.append(under(desk.book, desk.request.contract, draft))[-1]


def _reason(desk: _Desk, code: str, text: str) -> Reason:
    return Reason(code=code, clause=desk.clause, text=text)


def _intervention(desk: _Desk, at: datetime) -> Intervention:
    """What is said of an intervention whatever became of it."""
    plan = desk.request.plan
    return Intervention(
        id=desk.intervention,
        client=plan.client,
        contract=desk.request.contract.versions[0].contract.id,
        clause=desk.clause,
        plan_digest=plan.digest,
        mission=plan.mission,
        operator=desk.operator,
        outcome=Outcome.UNKNOWN,
        opened=at,
        closed=at,
        ticket=desk.request.ticket,
        simulated=desk.request.check,
        warnings=desk.admission.warnings,
    )
