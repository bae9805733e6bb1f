"""From the terms of a machine to its schedule: the promise is always kept, or nothing is begun and a reason said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.asset import HIDDEN
from provisioner.model.mission_terms import Backup, BackupTerms, Keep
from provisioner.model.values import Duration
from provisioner.planning.backup import RUNS, Work, effective, interval_of, plan_backup, plan_backup_status
from provisioner.terms.feasibility import BACKUP_INTERVALS, FIRST_RUN, backup_delay
from provisioner.testing import make_asset, make_content

KEY = "ssh-ed25519 AAAA"
TERMS: dict[str, Any] = {
    "rpo": Duration(26, "h"),
    "rto": Duration(4, "h"),
    "keep": Keep(daily=7, weekly=4),
    "paths": ("/home", "/etc"),
    "exclude": ("*.tmp",),
    "stores": ("site", "offsite"),
}
BACKUP = Backup(**TERMS)

seconds = st.integers(1, 60 * 86400)
lasting = st.integers(0, 3 * 86400)


@given(seconds, lasting)
def test_the_sum_never_passes_the_promise(rpo: int, duration: int) -> None:
    interval = interval_of(rpo, duration)
    if interval is not None:
        assert (interval + backup_delay(interval)) * 60 + duration <= rpo


@given(seconds, lasting)
def test_no_larger_interval_would_do_and_none_means_none(rpo: int, duration: int) -> None:
    """The brute force: every interval there is, asked one by one."""
    fitting = [each for each in BACKUP_INTERVALS if each * 60 + min(3600, each * 15 // 60 * 60) + duration <= rpo]
    assert interval_of(rpo, duration) == max(fitting, default=None)


@given(seconds, seconds, lasting, lasting)
def test_a_longer_rpo_or_a_shorter_run_never_means_more_often(rpo: int, more: int, duration: int, less: int) -> None:
    before = interval_of(rpo, duration) or 0
    assert (interval_of(rpo + more, duration) or 0) >= before
    assert (interval_of(rpo, max(duration - less, 0)) or 0) >= before


optional = st.fixed_dictionaries(
    {},
    optional={
        "rpo": st.integers(1, 5000).map(lambda n: Duration(n, "m")),
        "keep": st.builds(Keep, hourly=st.integers(0, 2), yearly=st.integers(0, 1)),
        "paths": st.sampled_from([(), ("/home",), ("/srv", "/etc")]),
        "stores": st.sampled_from([(), ("site",), ("site", "offsite")]),
    },
)


@given(optional, optional, st.lists(lasting, max_size=RUNS + 3))
def test_there_is_a_policy_that_keeps_the_promise_or_a_reason_never_neither(
    terms: dict[str, Any], servers: dict[str, Any], durations: list[int]
) -> None:
    backup = Backup(**terms, groups={"servers": BackupTerms(**servers)})
    found = effective(make_asset("srv-01", groups=("servers",)), backup, durations)
    assert (found.policy is None) is bool(found.reasons)
    if found.policy is not None:
        assert found.policy.expected <= found.policy.rpo
        assert found.policy.paths and found.policy.stores
        assert found.policy.duration == (max(durations[-RUNS:]) if durations else FIRST_RUN)
    assert all(reason.clause.startswith("missions.backup.") and "srv-01" in reason.text for reason in found.reasons)


def test_what_the_demo_promises() -> None:
    policy = effective(make_asset(), BACKUP, ()).policy
    assert policy is not None
    assert (policy.interval, policy.delay, policy.duration, policy.measured) == (1440, 60, FIRST_RUN, False)
    assert (policy.site, policy.stores, policy.expected) == ("site", ("site", "offsite"), 91800)


def test_a_run_that_takes_longer_makes_it_more_often_and_in_the_end_refused() -> None:
    intervals = [
        found.interval if (found := effective(make_asset(), BACKUP, [hours * 3600]).policy) else None
        for hours in (1, 2, 14, 22, 25, 26)
    ]
    assert intervals == [1440, 720, 480, 180, 30, None]
    (reason,) = effective(make_asset(), BACKUP, [26 * 3600]).reasons
    assert (reason.code, reason.clause) == ("rpo", "missions.backup.rpo")
    assert reason.text == (
        "ws-01: an rpo of 26h cannot be kept: every 15m, up to 3m of delay and 1560m for a run add up to more"
    )


def test_only_the_last_runs_count() -> None:
    assert effective(make_asset(), BACKUP, [26 * 3600, *[60] * RUNS]).policy is not None
    assert effective(make_asset(), BACKUP, [26 * 3600, *[60] * (RUNS - 1)]).policy is None


@pytest.mark.parametrize("key", ["rpo", "paths", "stores"])
def test_each_key_that_is_lacking_is_a_reason_of_its_own(key: str) -> None:
    (reason,) = effective(make_asset(), replace(BACKUP, **{key: None}), ()).reasons
    assert (reason.code, reason.clause) == (f"no_{key}", f"missions.backup.{key}")


def test_without_keep_everything_is_kept() -> None:
    policy = effective(make_asset(), replace(BACKUP, keep=None), ()).policy
    assert policy is not None and policy.keep == Keep()


def test_a_group_says_its_keys_and_the_mission_the_others() -> None:
    backup = replace(BACKUP, groups={"servers": BackupTerms(paths=("/srv",), rpo=Duration(2, "h"))})
    server = effective(make_asset("srv-01", groups=("servers",)), backup, ()).policy
    desk = effective(make_asset(), backup, ()).policy
    assert server is not None and desk is not None
    assert (server.paths, server.interval, server.exclude) == (("/srv",), 60, ("*.tmp",))
    assert (desk.paths, desk.interval) == (("/home", "/etc"), 1440)


def test_two_groups_that_say_different_things_are_named_and_equal_things_are_not() -> None:
    groups = {"a": BackupTerms(paths=("/srv",)), "b": BackupTerms(paths=("/srv",)), "c": BackupTerms(paths=("/x",))}
    backup = replace(BACKUP, groups=groups)
    assert list(backup.contradictions({"all", "a", "c"})) == [("paths", "c", "a")]
    assert list(backup.contradictions({"all", "a", "b"})) == []


def work(*agents: Any, **changes: Any) -> Work:
    known = {agent.name: effective(agent, BACKUP, ()) for agent in agents}
    seeds = {agent.name: "00" * 32 for agent in agents}
    fields = {"effective": known, "seeds": seeds, "host_keys": {"site": KEY, "offsite": KEY}, "start": False}
    return Work(**{**fields, **changes})


STORES = tuple(make_asset(name, groups=("stores",), variables={}) for name in ("site", "offsite"))
CONTENT = make_content("backup_agent", "backup_store", "acceptance")


def test_the_plan_says_to_each_machine_what_its_role_is_given_and_hides_secrets() -> None:
    one = make_asset(variables={"backup_agent_password": HIDDEN, "host_identity_hostname": "x"})
    other = make_asset("ws-02", variables={})
    step = plan_backup((one,), STORES, CONTENT, work(one, other, start=True)).steps[0]
    assert (step.assets, step.groups) == (
        ("ws-01", "site", "offsite"),
        {"agents": ("ws-01",), "stores": ("site", "offsite")},
    )
    assert step.variables["ws-01"] == {
        "backup_agent_password": HIDDEN,
        "backup_agent_client": "demo",
        "backup_agent_store": {"host": "127.0.0.1", "port": 2201, "user": "backup-demo", "host_key": KEY},
        "backup_agent_paths": ["/home", "/etc"],
        "backup_agent_exclude": ["*.tmp"],
        "backup_agent_interval_minutes": 1440,
        "backup_agent_delay_minutes": 60,
        "backup_agent_seed": "00" * 32,
        "backup_agent_start": True,
    }
    keep = {"hourly": 0, "daily": 7, "weekly": 4, "monthly": 0, "yearly": 0}
    known = [{"name": "ws-01", "keep": keep}, {"name": "ws-02", "keep": keep}]
    assert step.variables["site"] == {
        "backup_store_client": "demo",
        "backup_store_agents": known,
        "backup_store_site": True,
    }
    assert step.variables["offsite"]["backup_store_site"] is False


def test_agents_reach_a_store_where_its_inventory_says() -> None:
    agent, elsewhere = make_asset(variables={}), {"backup_store_address": "10.0.0.5", "backup_store_port": 22}
    stores = (replace(STORES[0], variables=elsewhere), STORES[1])
    found = plan_backup((agent,), stores, CONTENT, work(agent)).steps[0].variables["ws-01"]["backup_agent_store"]
    assert found == {"host": "10.0.0.5", "port": 22, "user": "backup-demo", "host_key": KEY}


def test_another_schedule_seed_or_key_of_a_store_is_another_plan() -> None:
    agent = make_asset(variables={})
    digest = plan_backup((agent,), STORES, CONTENT, work(agent)).digest
    changes: list[dict[str, Any]] = [
        {"start": True},
        {"seeds": {"ws-01": "11" * 32}},
        {"host_keys": {"site": "x", "offsite": KEY}},
    ]
    assert digest not in {plan_backup((agent,), STORES, CONTENT, work(agent, **each)).digest for each in changes}


def test_a_reading_sets_nothing_up() -> None:
    step = plan_backup_status((make_asset(),), STORES, make_content("backup_report")).steps[0]
    assert set(map(str, step.variables.values())) == {"{'backup_report_client': 'demo'}"}
    assert step.groups["stores"] == ("site", "offsite")
