from __future__ import annotations

from provisioner.model.asset import HIDDEN
from provisioner.model.mission import MissionKind
from provisioner.planning.workstation_setup import plan_workstation_setup
from provisioner.testing import make_asset, make_content

MINE = {"host_identity_hostname": "ws-01", "acceptance_hostname": "ws-01"}


def test_one_step_on_one_asset_with_the_variables_of_the_contents_roles() -> None:
    asset = make_asset(variables={**MINE, "os_baseline_banner": "of a role that does not run", "other": 1})
    plan = plan_workstation_setup(asset, make_content("host_identity", "acceptance"))
    assert (plan.client, plan.mission, plan.assets) == ("demo", MissionKind.WORKSTATION_SETUP, ("ws-01",))
    assert [dict(step.variables) for step in plan.steps] == [{"ws-01": MINE}]


def test_secrets_and_the_address_are_in_neither_plan_nor_digest() -> None:
    plain = make_asset(variables=MINE)
    secret = make_asset(variables=MINE, secrets={"become_password": "hunter2"}, address="elsewhere")
    one, two = (plan_workstation_setup(asset, make_content()) for asset in (plain, secret))
    assert one == two
    assert "hunter2" not in repr(two)


def test_the_secrets_of_roles_are_in_neither_plan_nor_digest() -> None:
    hidden = {**MINE, "acceptance_wifi": HIDDEN}
    one, two = (
        plan_workstation_setup(make_asset(variables=hidden, confidential={"acceptance_wifi": text}), make_content())
        for text in ("hunter2", "hunter3")
    )
    assert one == two
    assert "hunter" not in repr(one)


def test_a_variable_changes_the_digest() -> None:
    one, two = (make_asset(variables={"host_identity_hostname": name}) for name in ("ws-01", "ws-1"))
    content = make_content()
    assert plan_workstation_setup(one, content).digest != plan_workstation_setup(two, content).digest
