"""Backup: set agents and stores up as the contract promises, or say why that promise cannot be kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.errors import UsageError
from provisioner.missions.backup_entries import KINDS, history
from provisioner.missions.backup_task import BACKUP, STATUS, Run, begin_log, canary_seed, carry_out
from provisioner.missions.recover import recover
from provisioner.planning.backup import Work, plan_backup, plan_backup_status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provisioner.missions.backup_task import BackupTask
    from provisioner.missions.services import Services
    from provisioner.model.asset import Asset
    from provisioner.model.backup import Effective
    from provisioner.model.intervention import Intervention

SECRETS = {"agents": "backup_agent_password", "stores": "backup_store_vault_password"}
"""The secret that each kind of machine needs of the client's inventory."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked for: every agent of the contract or `host` alone, one backup `now`, or a look in `check` mode."""

    host: str = ""
    now: bool = False
    check: bool = False


@dataclass(frozen=True, kw_only=True)
class Configured:
    """What came of it: the intervention, and the policy of each agent that was asked for, or why it has none."""

    intervention: Intervention
    effective: tuple[Effective, ...]


def configure(task: BackupTask, services: Services, wish: Wish) -> Configured:
    """Set up the agents that are asked for and their stores, as one intervention; refused, and recorded, as a whole.

    A store that was never reached is read first, since agents are given its host key: where that fails, the failed
    reading is what came of it. Raises UsageError for a secret that the inventory lacks, for a machine that is none,
    where nothing is covered or promised, and what `perform` raises.
    """
    at = int(services.now().timestamp())
    every, stores = task.agents(at), task.stores(at)
    agents = task.agents(at, host=wish.host)
    every = tuple({asset.name: asset for asset in (*every, *agents)}.values())
    with services.open_book(task.client) as book:
        recover(book, task.client, services)
        begin_log(task, book, services)
        durations = history(book.entries(kinds=KINDS), origin=book.origin).durations
        seeds = {agent.name: canary_seed(book, task.client, agent.name) for agent in every}
    known = task.effective(every, durations, at)
    asked = tuple(one for one in known if one.agent in {agent.name for agent in agents})
    stores = _theirs(asked, stores)
    reasons = tuple(reason for one in asked for reason in one.reasons)
    if not reasons:
        _refuse_lacking([one for one in agents if task.covers(one, at)], stores)
        if met := _meet(task, services, stores):
            return Configured(intervention=met, effective=asked)
    keys = {store.name: task.host_key(store) for store in stores}
    work = Work(effective={one.agent: one for one in known}, seeds=seeds, host_keys=keys, start=wish.now)
    plan = plan_backup(agents, stores, task.content[BACKUP], work)
    run = Run(plan=plan, assets=(*agents, *stores), reasons=reasons, check=wish.check)
    return Configured(intervention=carry_out(task, services, run), effective=asked)


def _theirs(asked: Sequence[Effective], stores: tuple[Asset, ...]) -> tuple[Asset, ...]:
    names = {name for one in asked for name in one.stores}
    return tuple(store for store in stores if store.name in names)


def _refuse_lacking(agents: Sequence[Asset], stores: Sequence[Asset]) -> None:
    lacking = list(_lacking(agents, SECRETS["agents"])) + list(_lacking(stores, SECRETS["stores"]))
    if lacking:
        hint = "give each a secret of its own in a vault file: host_vars/NAME/vault.yml, made by ansible-vault encrypt"
        raise UsageError(f"the inventory lacks {'; '.join(lacking)}", hint=hint)


def _lacking(assets: Sequence[Asset], name: str) -> Iterator[str]:
    without = [asset.name for asset in assets if not asset.confidential.get(name)]
    if without:
        yield f"{name} of {', '.join(without)}"


def _meet(task: BackupTask, services: Services, stores: Sequence[Asset]) -> Intervention | None:
    """Read the stores whose key nobody knows yet; return that reading where one of them is unknown all the same."""
    strangers = tuple(store for store in stores if not task.host_key(store))
    if not strangers:
        return None
    plan = plan_backup_status((), strangers, task.content[STATUS])
    met = carry_out(task, services, Run(plan=plan, assets=strangers))
    return None if all(task.host_key(store) for store in strangers) else met
