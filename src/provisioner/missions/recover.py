"""Recovery: on start, close every open intent of a dead controller truthfully, never by guessing success."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from provisioner.errors import UsageError
from provisioner.ledger.entry import Draft
from provisioner.missions.bodies import CHECK, Closing, closing_body, open_intents
from provisioner.model.event import EventKind
from provisioner.model.intervention import AssetResult, Outcome
from provisioner.model.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.ledger.book import Book
    from provisioner.missions.bodies import Intent
    from provisioner.missions.services import Services
    from provisioner.model.event import Event

KINDS = ("opened", "closed")


def recover(book: Book, client: str, services: Services, *, held: frozenset[str] = frozenset()) -> None:
    """Close each open intent of the client as `interrupted`, with the last task seen, and remove what runs left.

    `held` are the assets whose leases the caller holds. An intent with an asset whose lease somebody else holds belongs
    to a living controller and is left alone. Raises StillRunning while a process of a dead controller's run lives.
    """
    left = services.executor.left()  # before the log is read: a run that begins now is open in it
    intents = open_intents(book.entries(kinds=KINDS))
    for intent in intents:
        with ExitStack() as leases:
            try:
                for asset in set(intent.assets) - held:
                    leases.enter_context(services.leases.hold(client, asset))
            except UsageError:
                continue
            # Read again now that nobody else can close it: its controller may just have ended, or another command's.
            if intent in open_intents(book.entries(kinds=KINDS)):
                _close(book, intent, services)
                book.sign(services.now())
            services.executor.discard(intent.intervention)
    for intervention in set(left) - {intent.intervention for intent in intents}:
        services.executor.discard(intervention)


def _close(book: Book, intent: Intent, services: Services) -> None:
    seen = services.executor.salvage(intent.intervention)
    task = last_task(seen)
    reason = Reason(code="controller_died", clause="", text="the controller died")
    results = tuple(
        replace(counts(seen, name), outcome=Outcome.INTERRUPTED, failed_task=task, reason=reason)
        for name in intent.assets
    )
    closing = Closing(outcome=Outcome.INTERRUPTED, results=results, contacts={}, simulated=intent.simulated)
    body = closing_body(intent.intervention, closing, partial(book.keep, field=CHECK))
    operator = book.pseudonym(services.operator)
    book.append([Draft("closed", services.now(), operator, {**body, "recovered": True, "last_task": task})])
    services.progress.note(
        f"closed {intent.intervention} as interrupted: its controller died; last task seen: {task or 'none'}"
    )


def last_task(events: Iterable[Event]) -> str | None:
    """Given the events of a run, return `role : task` of the last task that began; None when none did."""
    tasks = [event for event in events if event.kind is EventKind.TASK]
    return f"{tasks[-1].role} : {tasks[-1].task}".removeprefix(" : ") if tasks else None


def counts(events: Iterable[Event], host: str) -> AssetResult:
    """Given the events of a run, return how many tasks ended well on the host, as far as was seen; outcome unknown."""
    mine = [event.kind for event in events if event.host == host]
    changed = mine.count(EventKind.CHANGED)
    return AssetResult(name=host, outcome=Outcome.UNKNOWN, ok=mine.count(EventKind.OK) + changed, changed=changed)
