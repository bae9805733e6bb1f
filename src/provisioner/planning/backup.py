"""Plan backups: from the terms of a machine to its schedule, or to the reasons against it; and the runs that set it up.

The largest age of the newest snapshot is interval + delay + duration: the timer fires every interval, waits up to the
delay, and what a run saves is safe only when it ends.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from provisioner.model.backup import BackupPolicy, Effective
from provisioner.model.mission import MissionKind
from provisioner.model.mission_terms import Keep
from provisioner.model.plan import Plan, Step
from provisioner.model.verdict import Reason
from provisioner.planning.digest import plan_digest
from provisioner.terms.feasibility import BACKUP_INTERVALS, FIRST_RUN, backup_delay

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provisioner.model.asset import Asset
    from provisioner.model.mission_terms import Backup, BackupTerms
    from provisioner.model.plan import Content

CLAUSE = "missions.backup"
RUNS = 20
"""So many of the last runs say how long one lasts."""

_NEEDED = {
    "rpo": "nothing says how much may be lost, and so how often to save",
    "paths": "nothing says what to save",
    "stores": "nothing says where copies are kept",
}


def effective(asset: Asset, backup: Backup, durations: Sequence[int]) -> Effective:
    """Given an agent, the terms and how long its runs took (seconds, oldest first), return its policy, or reasons.

    The reasons name every key that is lacking, and an rpo that no interval keeps. Without `keep` everything is kept.
    """
    terms = backup.of(asset.groups)
    lacking = tuple(
        Reason(code=f"no_{key}", clause=f"{CLAUSE}.{key}", text=f"{asset.name}: {why}")
        for key, why in _NEEDED.items()
        if not getattr(terms, key)
    )
    known = Effective(agent=asset.name, policy=None, stores=terms.stores or (), keep=terms.keep or Keep())
    if lacking or terms.rpo is None:
        return replace(known, reasons=lacking)
    duration, rpo = max(durations[-RUNS:], default=FIRST_RUN), terms.rpo.seconds
    interval = interval_of(rpo, duration)
    if interval is None:
        return replace(known, reasons=(_too_short(asset.name, terms, duration),))
    policy = BackupPolicy(
        agent=asset.name,
        rpo=rpo,
        rto=terms.rto.seconds if terms.rto else None,
        keep=known.keep,
        paths=terms.paths or (),
        exclude=terms.exclude or (),
        stores=known.stores,
        interval=interval,
        delay=backup_delay(interval),
        duration=duration,
        measured=bool(durations),
    )
    return replace(known, policy=policy)


def interval_of(rpo: int, duration: int) -> int | None:
    """Given an rpo and how long a run lasts, in seconds, return the largest interval that keeps it, in minutes.

    None where not even the smallest does.
    """
    fits = (each for each in BACKUP_INTERVALS if (each + backup_delay(each)) * 60 + duration <= rpo)
    return max(fits, default=None)


def _too_short(agent: str, terms: BackupTerms, duration: int) -> Reason:
    least = BACKUP_INTERVALS[0]
    sum_ = f"every {least}m, up to {backup_delay(least)}m of delay and {-(-duration // 60)}m for a run"
    text = f"{agent}: an rpo of {terms.rpo} cannot be kept: {sum_} add up to more"
    return Reason(code="rpo", clause=f"{CLAUSE}.rpo", text=text)


@dataclass(frozen=True, kw_only=True)
class Work:
    """What agents and stores are set up with. `effective` has every agent of the contract, by name.

    `seeds` are what canary files are made from, by agent; `host_keys` each store's key, `ssh-ed25519 AAAA…`; `start`
    asks for one backup now.
    """

    effective: Mapping[str, Effective]
    seeds: Mapping[str, str]
    host_keys: Mapping[str, str]
    start: bool


def plan_backup(agents: Sequence[Asset], stores: Sequence[Asset], content: Content, work: Work) -> Plan:
    """Given the agents to set up and their stores, return the plan: one step with the groups `agents` and `stores`.

    A store is told of every agent that it is to know, not of those of this run alone. An agent without a policy gets
    no inputs: its plan is one to refuse.
    """
    sites = {store.name: store for store in stores}
    given = {
        agent.name: _agent(agent, policy, sites[policy.site], work)
        for agent in agents
        if (policy := work.effective[agent.name].policy) is not None
    }
    given |= {store.name: _store(store, work) for store in stores}
    known = {asset.name: _of_client(asset, content) for asset in (*agents, *stores)}
    return _plan(agents, stores, content, {name: known[name] | given.get(name, {}) for name in known})


def plan_backup_status(agents: Sequence[Asset], stores: Sequence[Asset], content: Content) -> Plan:
    """Given agents and stores, return the plan that only reads what they report."""
    both = (*agents, *stores)
    return _plan(agents, stores, content, {asset.name: {"backup_report_client": asset.client} for asset in both})


def _agent(agent: Asset, policy: BackupPolicy, site: Asset, work: Work) -> dict[str, object]:
    return {
        "backup_agent_client": agent.client,
        "backup_agent_store": _reached(site, work),
        "backup_agent_paths": list(policy.paths),
        "backup_agent_exclude": list(policy.exclude),
        "backup_agent_interval_minutes": policy.interval,
        "backup_agent_delay_minutes": policy.delay,
        "backup_agent_seed": work.seeds[agent.name],
        "backup_agent_start": work.start,
    }


def _reached(store: Asset, work: Work) -> dict[str, object]:
    """How agents reach a store: where its inventory says so, or where the controller does."""
    return {
        "host": store.variables.get("backup_store_address") or store.address.host,
        "port": store.variables.get("backup_store_port") or store.address.port,
        "user": f"backup-{store.client}",
        "host_key": work.host_keys[store.name],
    }


def _store(store: Asset, work: Work) -> dict[str, object]:
    known = [one for _, one in sorted(work.effective.items()) if store.name in one.stores]
    return {
        "backup_store_client": store.client,
        "backup_store_agents": [{"name": one.agent, "keep": asdict(one.keep)} for one in known],
        "backup_store_site": any(one.stores[0] == store.name for one in known),
    }


def _of_client(asset: Asset, content: Content) -> dict[str, object]:
    """What the client's files say for the roles of the content."""
    prefixes = tuple(f"{role}_" for role in content.roles)
    return {name: value for name, value in sorted(asset.variables.items()) if name.startswith(prefixes)}


def _plan(
    agents: Sequence[Asset], stores: Sequence[Asset], content: Content, variables: dict[str, dict[str, object]]
) -> Plan:
    both = (*agents, *stores)
    groups = {"agents": tuple(one.name for one in agents), "stores": tuple(one.name for one in stores)}
    steps = (Step(assets=tuple(one.name for one in both), variables=variables, groups=groups),)
    client, mission = both[0].client, MissionKind.BACKUP
    digest = plan_digest(client, mission, content=content, steps=steps)
    return Plan(client=client, mission=mission, content=content, steps=steps, digest=digest)
