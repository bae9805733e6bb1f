"""What a mission needs of the outside; `cli/wiring` builds it, `provisioner.testing` fakes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime

    from provisioner.execution.ports import Executor, Leases, Probe
    from provisioner.ledger.book import Book
    from provisioner.missions.approvals import Signing
    from provisioner.model.event import Event


class Progress(Protocol):
    """Tells the operator how an intervention goes."""

    def begin(self, intervention: str, *, clause: str, assets: tuple[str, ...], simulated: bool) -> None:
        """Say, before the first packet, the intervention's id, its clause and the machines it will touch."""
        ...

    def event(self, event: Event) -> None:
        """Say what a run just did."""
        ...

    def note(self, text: str) -> None:
        """Say one sentence."""
        ...


@dataclass(frozen=True, kw_only=True)
class Services:
    """The resources of one command. `now` returns aware instants; `operator` is a person's name, not a pseudonym."""

    now: Callable[[], datetime]
    new_id: Callable[[], str]
    operator: str
    probe: Probe
    executor: Executor
    leases: Leases
    open_book: Callable[[str], AbstractContextManager[Book]]
    progress: Progress
    signing: Signing
