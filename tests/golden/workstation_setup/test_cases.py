"""Every case of the data files beside this one: contract, hosts, instant and log in, verdict and plan out."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioner.config.clients import ClientConfiguration, load_client
from provisioner.config.role_inputs import load_role_inputs
from provisioner.model.intervention import Outcome
from provisioner.model.mission import MissionKind
from provisioner.planning.workstation_setup import plan_workstation_setup
from provisioner.terms.allowances import Use
from provisioner.terms.coverage import verdict
from provisioner.testing import make_content

HERE = Path(__file__).parent
SETUP = MissionKind.WORKSTATION_SETUP


def read(name: str) -> Any:
    return yaml.load((HERE / f"{name}.yml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


BASE = read("base")
CASES = [case for name in ("coverage", "allowances") for case in read(name)]


def merged(base: Any, change: Any) -> Any:
    """Mappings are merged, everything else replaced; `null` takes a key away."""
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    both = {**base, **{key: merged(base.get(key), value) for key, value in change.items()}}
    return {key: value for key, value in both.items() if value != "null"}


def client(case: dict[str, Any], folder: Path) -> ClientConfiguration:
    """Write the case's files as a client's folder, and load it as a command does."""
    home = folder / BASE["contract"]["client"]["id"]
    home.mkdir()
    for name in ("contract", "hosts"):
        text = yaml.safe_dump(merged(BASE[name], case.get(name, {})), allow_unicode=True, sort_keys=False)
        (home / f"{name}.yml").write_text(text, encoding="utf-8")
    (folder / "roles").mkdir()
    return load_client(home, roles=load_role_inputs(folder / "roles"), decrypt=None)


def used(entry: dict[str, str]) -> Use:
    at = datetime.combine(date.fromisoformat(entry["on"]), time(11), tzinfo=UTC)
    counts = Outcome(entry["outcome"]).accepted and entry.get("simulated") != "true"
    return Use(asset=entry["asset"], mission=SETUP, at=at, counts=counts)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, Any], tmp_path: Path) -> None:
    found = client(case, tmp_path)
    asset = next(asset for asset in found.inventory.assets if asset.name == case.get("host", BASE["host"]))
    at = datetime.fromisoformat(case.get("now", BASE["now"]))
    decision = verdict(found.contracts[0], asset, SETUP, at=at, uses=[used(entry) for entry in case.get("log", [])])
    expect = case["expect"]
    assert decision.allowed == (expect["allowed"] == "true")
    assert {reason.code: reason.clause for reason in decision.reasons} == expect.get("reasons", {})
    assert decision.clause == expect.get("clause", "missions.workstation_setup")
    plan = plan_workstation_setup(asset, make_content())
    assert (plan.client, plan.assets) == ("acme", (asset.name,))


def test_no_case_is_there_twice_and_none_expects_what_nobody_looks_at() -> None:
    names = [case["name"] for case in CASES]
    assert len(names) == len(set(names)) >= 20
    keys = {key for case in CASES for key in case}
    assert keys == {"name", "expect", "contract", "hosts", "host", "now", "log"}
    assert {key for case in CASES for key in case["expect"]} == {"allowed", "clause", "reasons"}
