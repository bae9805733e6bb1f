"""Setting backups up: what machines are given, what is refused and recorded, and what is not begun."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.missions._backups import KEY, Site, hours, saved, store

from provisioner.errors import UsageError
from provisioner.missions.backup_task import canary_seed
from provisioner.model.intervention import Outcome
from provisioner.model.values import Duration
from provisioner.testing import UNREACHABLE, FakeProbe


@pytest.fixture
def site(desk: Any) -> Site:
    return Site(desk)


def orders(site: Site) -> list[Any]:
    return list(site.desk.executor.orders)


def test_agents_and_stores_are_one_intervention(site: Site) -> None:
    found = site.configure()
    assert found.intervention.outcome is Outcome.CHANGED
    (order,) = orders(site)
    assert order.step.groups == {"agents": ("ws-01", "ws-02"), "stores": ("site", "offsite")}
    given = order.step.variables["ws-01"]
    assert (given["backup_agent_interval_minutes"], given["backup_agent_start"]) == (1440, False)
    assert given["backup_agent_store"]["host_key"] == KEY
    assert [one.policy is not None for one in found.effective] == [True, True]
    assert site.desk.kinds() == ["key", "contract", "opened", "closed"]
    (opened,) = site.desk.bodies("opened")
    assert (opened["mission"], opened["clause"], opened["content"]["playbook"]) == (
        "backup",
        "missions.backup",
        "backup",
    )


def test_secrets_are_in_no_plan_and_no_entry(site: Site) -> None:
    site.configure()
    (order,) = orders(site)
    assert "s3cret" not in json.dumps(order.step.variables)
    assert b"s3cret" not in b"".join(entry.leaf for entry in site.desk.entries())


def test_one_machine_and_its_stores_which_are_told_of_the_others_too(site: Site) -> None:
    site.configure(host="ws-02", now=True)
    (order,) = orders(site)
    assert order.step.assets == ("ws-02", "site", "offsite")
    assert order.step.variables["ws-02"]["backup_agent_start"] is True
    assert [each["name"] for each in order.step.variables["site"]["backup_store_agents"]] == ["ws-01", "ws-02"]


def test_a_look_in_check_mode_is_simulated(site: Site) -> None:
    found = site.configure(check=True)
    assert found.intervention.simulated and orders(site)[0].check


def test_a_seed_is_the_same_each_time_and_another_for_each_machine(site: Site) -> None:
    site.configure()
    site.configure()
    first, second = (order.step.variables for order in orders(site))
    assert first["ws-01"]["backup_agent_seed"] == second["ws-01"]["backup_agent_seed"]
    assert first["ws-01"]["backup_agent_seed"] != first["ws-02"]["backup_agent_seed"]
    with site.desk.book() as book:
        assert canary_seed(book, "demo", "ws-01") == first["ws-01"]["backup_agent_seed"]
        assert canary_seed(book, "other", "ws-01") != first["ws-01"]["backup_agent_seed"]


def test_no_seed_before_the_log_begins(site: Site) -> None:
    with site.desk.book() as book, pytest.raises(UsageError, match="nothing was recorded of demo"):
        canary_seed(book, "demo", "ws-01")


@pytest.mark.parametrize(
    ("terms", "code", "clause"),
    [
        ({"rpo": Duration(20, "m")}, "rpo", "missions.backup.rpo"),
        ({"rpo": None}, "no_rpo", "missions.backup.rpo"),
        ({"paths": None}, "no_paths", "missions.backup.paths"),
    ],
)
def test_a_promise_that_cannot_be_kept_is_refused_and_recorded_and_touches_nothing(
    site: Site, terms: dict[str, Any], code: str, clause: str
) -> None:
    site.terms = terms
    found = site.configure()
    assert found.intervention.outcome is Outcome.REFUSED
    assert {(reason.code, reason.clause) for reason in found.intervention.reasons} == {(code, clause)}
    (refused,) = site.desk.bodies("refused")
    assert [reason["code"] for reason in refused["reasons"]] == [code, code]
    assert (orders(site), site.desk.probe.reached) == ([], [])
    assert found.intervention.request is None, "no approval stands in for what cannot be done"


def test_what_was_measured_decides(site: Site) -> None:
    site.configure()
    site.holds(ws_01=store(*saved(8, seconds=26 * 3600)), ws_02=store(*saved(8)))
    site.watch()
    assert [reason.text for reason in site.configure().intervention.reasons] == [
        "ws-01: an rpo of 26h cannot be kept: every 15m, up to 3m of delay and 1560m for a run add up to more"
    ]
    site.configure(host="ws-02")
    (order,) = [one for one in orders(site) if one.step.assets == ("ws-02", "site", "offsite")]
    known = [each["name"] for each in order.step.variables["site"]["backup_store_agents"]]
    assert known == ["ws-01", "ws-02"], "the store goes on knowing the one whose promise cannot be kept"


def test_a_machine_that_no_contract_covers_is_refused_and_recorded(site: Site) -> None:
    found = site.configure(host="kiosk-01")
    assert found.intervention.outcome is Outcome.REFUSED
    assert "uncovered" in {reason.code for reason in found.intervention.reasons}


@pytest.mark.parametrize(
    ("host", "said"), [("ws-09", "has no machine called 'ws-09'"), ("site", "site is a store, and no agent")]
)
def test_a_machine_that_is_none_is_a_mistake(site: Site, host: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        site.configure(host=host)
    assert site.desk.kinds() == []


def test_secrets_that_the_inventory_lacks_are_named_before_anything_is_touched(site: Site) -> None:
    site.secrets = False
    with pytest.raises(UsageError) as caught:
        site.configure()
    assert str(caught.value) == (
        "the inventory lacks backup_agent_password of ws-01, ws-02; backup_store_vault_password of site, offsite"
    )
    assert (orders(site), site.desk.probe.reached) == ([], [])


def test_a_store_that_is_no_machine_is_a_mistake(site: Site) -> None:
    site.terms = {"stores": ("site", "cloud")}
    with pytest.raises(UsageError, match="has no machine called cloud"):
        site.configure()
    assert site.desk.kinds() == []


def test_a_store_that_nobody_met_is_read_first(site: Site) -> None:
    site.keys = {"offsite": KEY}
    site.desk.probe = FakeProbe(on_reach=lambda asset: site.keys.setdefault(asset.name, KEY))
    assert site.configure().intervention.outcome is Outcome.CHANGED
    assert [(order.content.playbook, order.step.assets) for order in orders(site)] == [
        ("backup_status", ("site",)),
        ("backup", ("ws-01", "ws-02", "site", "offsite")),
    ]


def test_a_store_that_cannot_be_met_ends_it_there(site: Site) -> None:
    site.keys = {"offsite": KEY}
    site.desk.probe = FakeProbe({"site": replace(UNREACHABLE, reason="host_key_unknown")})
    found = site.configure().intervention
    assert (found.outcome, found.reasons[0].code) == (Outcome.UNREACHABLE, "host_key_unknown")
    assert orders(site) == []


def test_a_contract_that_promises_no_backup_has_nothing_to_set_up(site: Site) -> None:
    task = site.task()
    (version,) = task.contract.versions
    missions = replace(version.contract.missions, backup=None)
    other = replace(version, contract=replace(version.contract, missions=missions))
    bare = replace(task, contract=replace(task.contract, versions=(other,)))
    with pytest.raises(UsageError, match="promises no backup"):
        bare.agents(hours(0))
