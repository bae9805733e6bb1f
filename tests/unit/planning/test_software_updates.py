"""What the roles are told of a contract's terms, and that they know each of these words."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioner.model.mission_terms import Pin, Sessions, SoftwareUpdates
from provisioner.model.rollout import Excepted
from provisioner.model.values import Size
from provisioner.planning.software_updates import Work, plan_software_updates
from provisioner.testing import make_asset, make_content

SPECS = Path(__file__).resolve().parents[3] / "roles/patched_packages/meta/argument_specs.yml"
PIN = Pin(
    package="linux-image-*", reason="driver", owner="n2@example.org", until=date(2026, 12, 31),
    hardware=("10de:*",), modules=("nvidia",),
)  # fmt: skip


def told(updates: SoftwareUpdates, *, day: date = date(2026, 12, 31), **more: Any) -> dict[str, Any]:
    """What ws-01 is told on a day, without the name of the role."""
    work = Work(updates=updates, day=day, lock=None, pool="/pool", rollout="ro-1", **more)
    plan = plan_software_updates((make_asset(), make_asset("ws-02")), make_content("patched_packages"), work)
    variables = plan.steps[0].variables["ws-01"]
    return {name.removeprefix("patched_packages_"): value for name, value in variables.items()}


def test_a_hold_is_told_with_its_conditions_until_its_last_day() -> None:
    updates = SoftwareUpdates(pinned=(PIN,))
    expected = {
        "package": "linux-image-*", "reason": "driver", "owner": "n2@example.org", "until": "2026-12-31",
        "hardware": ["10de:*"], "modules": ["nvidia"], "below": "",
    }  # fmt: skip
    assert told(updates)["pinned"] == [expected]
    assert told(updates, day=date(2027, 1, 1))["pinned"] == []


def test_sessions_and_space() -> None:
    assert (told(SoftwareUpdates())["sessions"], told(SoftwareUpdates())["free"]) == ("defer", {})
    updates = SoftwareUpdates(sessions=Sessions.IGNORE, free={"/": Size(2, "GiB"), "/boot": Size(300, "MiB")})
    assert (told(updates)["sessions"], told(updates)["free"]) == ("ignore", {"/": 2048, "/boot": 300})


def test_what_never_installed_is_told_to_its_machine_only() -> None:
    until = int(datetime(2026, 12, 30, 5, tzinfo=UTC).timestamp())
    left = (Excepted("ws-01", "vim", "2", 3, until), Excepted("ws-02", "git", "2", 3, until))
    assert told(SoftwareUpdates(), excepted=left)["excepted"] == [
        {"name": "vim", "version": "2", "until": "2026-12-30"}
    ]


def test_the_role_knows_every_word_it_is_told() -> None:
    options = yaml.safe_load(SPECS.read_text())["argument_specs"]["main"]["options"]
    left = (Excepted("ws-01", "vim", "2", 3, 0),)
    given = told(SoftwareUpdates(pinned=(PIN,)), excepted=left)
    assert {f"patched_packages_{name}" for name in given} <= options.keys()
    for name in ("pinned", "excepted"):
        assert given[name][0].keys() == options[f"patched_packages_{name}"]["options"].keys()


@pytest.mark.parametrize(("text", "mib"), [("500MiB", 500), ("2GiB", 2048)])
def test_a_size_is_read_as_it_is_written(text: str, mib: int) -> None:
    assert (str(Size.parse(text)), Size.parse(text).mib) == (text, mib)


@pytest.mark.parametrize("text", ["0MiB", "500", "2GB", "-1GiB", "1.5GiB", ""])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        Size.parse(text)
