"""Every case of the data file beside this one: what is recorded of a machine in, its state and reason out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioner.ledger.entry import Draft, Entry, make_entry
from provisioner.missions.rollout_entries import latest, standings

CASES: list[dict[str, Any]] = yaml.load((Path(__file__).parent / "states.yml").read_text(), Loader=yaml.BaseLoader)
AT = datetime(2026, 11, 24, 22, tzinfo=UTC)


def log(*drafts: tuple[str, dict[str, object]]) -> list[Entry]:
    return [make_entry(index, Draft(kind, AT, "op-1", body)) for index, (kind, body) in enumerate(drafts)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_state_and_reason(case: dict[str, Any]) -> None:
    reason = {"code": case["code"], "clause": "missions.software_updates"} if "code" in case else None
    rows = [dict(zip(("name", "asked", "found", "result"), row, strict=True)) for row in case["rows"]]
    asset = {"name": "ws-01", "outcome": case["outcome"], "checks": rows, "reason": reason}
    waves = [{"name": "canary", "soak_seconds": 0, "assets": ["ws-01"]}]
    entries = log(
        ("plan", {"rollout": "ro-1", "contract": "C", "contract_digest": "d", "waves": waves}),
        ("opened", {"intervention": "iv-1", "rollout": {"rollout": "ro-1", "wave": "canary"}}),
        (
            "closed",
            {"intervention": "iv-1", "simulated": False, "assets": [{**asset, "failed_task": case.get("task")}]},
        ),
    )
    found = latest(entries)
    assert found is not None
    (row,) = standings(found)
    assert (row.state, row.reason) == (case["state"], case.get("reason", ""))
