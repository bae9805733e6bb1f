"""One desk for the missions' tests: shipped fakes for the outside, and a real book in a folder of the test's own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.ledger.book import open_book
from provisioner.missions.approvals import Signing
from provisioner.missions.bodies import Request
from provisioner.missions.perform import perform
from provisioner.missions.services import Services
from provisioner.model.values import Duration
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
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from provisioner.ledger.book import Book
    from provisioner.ledger.entry import Entry
    from provisioner.missions.approvals import Signatures
    from provisioner.model.approval import Offer
    from provisioner.model.asset import Asset
    from provisioner.model.contract import Contract
    from provisioner.model.intervention import Intervention

OPERATOR = "Camille Operator"


@dataclass
class Desk:
    """Everything an intervention needs, each part to be replaced by a test before it asks for one."""

    state: Path
    probe: FakeProbe = field(default_factory=FakeProbe)
    executor: FakeExecutor = field(default_factory=FakeExecutor)
    leases: FakeLeases = field(default_factory=FakeLeases)
    progress: RecordingProgress = field(default_factory=RecordingProgress)
    contract: Contract = field(default_factory=make_contract)
    text: bytes = b"id: DEMO-2026\n"
    assets: tuple[Asset, ...] = field(default_factory=lambda: (make_asset(),))
    now: Callable[[], datetime] = field(default_factory=instants)
    open_book: Callable[[str], Any] | None = None
    signatures: Signatures = field(default_factory=FakeSignatures)
    own_keys: frozenset[str] = frozenset()
    operator: str = OPERATOR
    check: bool = False
    spent: str = ""
    approval: Offer | None = None
    roles: tuple[str, ...] = ()
    count: int = 0

    def book(self, client: str = "demo") -> Book:
        return open_book(f"sqlite:///{self.state}/ledger.db", client, state=self.state)

    def new_id(self) -> str:
        self.count += 1
        return f"iv-{self.count}"

    def services(self) -> Services:
        return Services(
            now=self.now,
            new_id=self.new_id,
            operator=self.operator,
            probe=self.probe,
            executor=self.executor,
            leases=self.leases,
            open_book=self.open_book or self.book,
            progress=self.progress,
            signing=Signing(signatures=self.signatures, own_keys=self.own_keys, requests=self.state / "requests"),
        )

    def request(self) -> Request:
        plans = [plan_workstation_setup(asset, make_content(*self.roles)) for asset in self.assets]
        return Request(
            contract=loaded(self.contract, text=self.text),
            assets=self.assets,
            plan=replace(plans[0], steps=tuple(step for plan in plans for step in plan.steps)),
            accept=lambda _: False,
            ticket=None,
            check=self.check,
            spent=Duration.parse(self.spent) if self.spent else None,
            approval=self.approval,
        )

    def perform(self) -> Intervention:
        return perform(self.request(), self.services())

    def entries(self) -> list[Entry]:
        with self.book() as book:
            return list(book.entries())

    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.entries()]

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        return [dict(entry.body) for entry in self.entries() if entry.kind == kind]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
