"""One intervention of `missions.perform` with the shipped fakes: they say when a machine would have been touched."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from provisioner.ledger.book import open_book
from provisioner.missions.approvals import Signing
from provisioner.missions.bodies import Request
from provisioner.missions.perform import perform
from provisioner.missions.services import Services
from provisioner.planning.workstation_setup import plan_workstation_setup
from provisioner.testing import (
    FakeExecutor,
    FakeLeases,
    FakeProbe,
    FakeSignatures,
    RecordingProgress,
    instants,
    loaded,
    make_asset,
    make_content,
    make_contract,
    succeed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from provisioner.execution.ports import Order, RunResult
    from provisioner.ledger.book import Book
    from provisioner.model.asset import Asset


def intervene(state: Path, name: str, *, say: Callable[[str], object]) -> None:
    """Perform the intervention `name` on one machine; say `acted <name>` at the first packet and at the run."""

    def answer(order: Order) -> RunResult:
        say(f"acted {order.intervention}")
        return succeed(order)

    def reached(_asset: Asset) -> None:
        say(f"acted {name}")

    @contextmanager
    def book(client: str) -> Iterator[Book]:
        with open_book(f"sqlite:///{state}/ledger.db", client, state=state) as one:
            yield one

    asset = make_asset()
    services = Services(
        now=instants(),
        new_id=lambda: name,
        operator="Camille Operator",
        probe=FakeProbe(on_reach=reached),
        executor=FakeExecutor(answer=answer),
        leases=FakeLeases(),
        open_book=book,
        progress=RecordingProgress(),
        signing=Signing(signatures=FakeSignatures(), own_keys=frozenset(), requests=state / "requests"),
    )
    plan = plan_workstation_setup(asset, make_content())
    contract = loaded(make_contract())
    perform(
        Request(contract=contract, assets=(asset,), plan=plan, accept=lambda _: False, ticket=None, check=False),
        services,
    )
