"""What the backups of one client work with, and what its contract says of them at an instant."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioner.errors import UsageError
from provisioner.ledger.entry import Draft
from provisioner.missions.bodies import Request
from provisioner.missions.perform import perform
from provisioner.model.mission import MissionKind
from provisioner.model.objective import Metric
from provisioner.planning.backup import effective
from provisioner.terms.coverage import verdict
from provisioner.terms.term import terms_on

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from provisioner.ledger.book import Book
    from provisioner.missions.services import Services
    from provisioner.model.asset import Asset
    from provisioner.model.backup import Effective
    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.intervention import Intervention
    from provisioner.model.mission_terms import Backup
    from provisioner.model.plan import Content, Plan
    from provisioner.model.verdict import Reason

BACKUP, STATUS = "backup", "backup_status"
"""The playbooks that set up, and that read."""


@dataclass(frozen=True, kw_only=True)
class BackupTask:
    """What a client's backups work with: the contract that decides, every machine of hosts.yml, content by playbook.

    `accept` decides about an unknown host key; `host_key` returns the line `ssh-ed25519 AAAA…` under which a machine
    is known, empty where it was never reached.
    """

    client: str
    contract: LoadedContract
    assets: tuple[Asset, ...]
    content: Mapping[str, Content]
    accept: Callable[[str], bool]
    host_key: Callable[[Asset], str]

    def terms(self, at: int) -> tuple[Contract, Backup]:
        """The terms of the day an instant falls on; UsageError where they promise no backups."""
        contract, _ = terms_on(self.contract, datetime.fromtimestamp(at, UTC))
        backup = contract.missions.backup
        if backup is None:
            raise UsageError(f"contract {contract.id} promises no backup", hint="there is nothing to set up or to read")
        return contract, backup

    def stores(self, at: int) -> tuple[Asset, ...]:
        """The machines that are stores, in the order of the contract; UsageError for one that is no machine."""
        _, backup = self.terms(at)
        known = {asset.name: asset for asset in self.assets}
        gone = [name for name in backup.every_store if name not in known]
        if gone:
            said = f"missions.backup.stores: hosts.yml has no machine called {', '.join(gone)}"
            raise UsageError(said, hint="a store is a machine of hosts.yml, in a covered group")
        return tuple(known[name] for name in backup.every_store)

    def agents(self, at: int, *, host: str = "") -> tuple[Asset, ...]:
        """The covered machines that are no stores, by name, or the one that is named; UsageError where there is none.

        One that is named need not be covered: then the work is refused, and recorded.
        """
        _, backup = self.terms(at)
        if host:
            return (self._named(host, backup),)
        found = [asset for asset in self.assets if asset.name not in backup.every_store and self.covers(asset, at)]
        if not found:
            said = f"contract {self.contract.id} covers no machine that could be backed up"
            raise UsageError(said, hint="`invoke contract.show` lists what is covered; nothing was done or recorded")
        return tuple(sorted(found, key=lambda asset: asset.name))

    def _named(self, host: str, backup: Backup) -> Asset:
        found = next((asset for asset in self.assets if asset.name == host), None)
        if found is None:
            raise UsageError(f"client {self.client} has no machine called {host!a} in hosts.yml")
        if host in backup.every_store:
            raise UsageError(f"{host} is a store, and no agent", hint="leave --host out: its agents set it up")
        return found

    def covers(self, asset: Asset, at: int) -> bool:
        """Whether the contract covers the machine for backups at an instant."""
        when = datetime.fromtimestamp(at, UTC)
        return not verdict(self.contract, asset, MissionKind.BACKUP, at=when, uses=()).reasons

    def always_on(self, asset: Asset, at: int) -> bool:
        """Whether the contract promises that the machine is available: such a one is never taken to be off."""
        contract, _ = self.terms(at)
        groups = [one.group for one in contract.objectives if one.metric is Metric.AVAILABILITY]
        return any(group is None or group in asset.groups for group in groups)

    def effective(self, agents: Sequence[Asset], durations: Mapping[str, Sequence[int]], at: int) -> list[Effective]:
        """The policy of each agent, or why it has none, given how long its runs took."""
        _, backup = self.terms(at)
        return [effective(agent, backup, durations.get(agent.name, ())) for agent in agents]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a playbook of backups: its plan on these machines, and what is held against it beforehand."""

    plan: Plan
    assets: tuple[Asset, ...]
    reasons: tuple[Reason, ...] = ()
    check: bool = False


def carry_out(task: BackupTask, services: Services, run: Run) -> Intervention:
    """Do one run as an intervention; what its machines reported stands in `backups` of each of its assets.

    With reasons it is refused, and the refusal recorded. Raises what `perform` raises.
    """
    request = Request(
        contract=task.contract,
        assets=run.assets,
        plan=run.plan,
        accept=task.accept,
        ticket=None,
        check=run.check,
        reasons=run.reasons,
    )
    return perform(request, services)


def canary_seed(book: Book, client: str, asset: str) -> str:
    """Return what the canary files of a machine are made from: 64 hexadecimal digits, the same as long as the log is.

    Drawn from entry 0 of the log, whose salt is random: it needs no file of its own, and whoever has the log can check
    canary files. UsageError where the log has no entry yet.
    """
    first = book.entry(0)
    if first is None:
        raise UsageError(f"nothing was recorded of {client} yet", hint="`invoke backup.configure` begins")
    return hmac.new(first.hash, f"canary/{client}/{asset}".encode(), hashlib.sha256).hexdigest()


def begin_log(task: BackupTask, book: Book, services: Services) -> None:
    """Give a log without entries its first ones: its key, and the contract that what follows rests on."""
    if book.entry(0) is None:
        at = services.now()
        book.keep_contract(task.contract.text)
        named = {"contract": task.contract.id, "digest": task.contract.digest}
        book.append([Draft("contract", at, book.pseudonym(services.operator), named)], expected=0)
        book.sign(at)
