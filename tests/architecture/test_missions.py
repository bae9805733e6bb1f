"""The same noun everywhere: each row of the missions' table has its plan, verb, playbook, task, page and golden cases.

The glossary has a row for each mission and outcome.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provisioner.cli.collection import namespace
from provisioner.model.intervention import Outcome
from provisioner.model.mission import MISSIONS, Mission, MissionKind

if TYPE_CHECKING:
    from invoke.collection import Collection

CHECKOUT = Path(__file__).resolve().parents[2]
GLOSSARY = CHECKOUT / "docs" / "glossary.md"


def has_task(collection: Collection, name: str) -> bool:
    return name in collection.task_names or name in collection.collections


def missing(mission: Mission, root: Path) -> list[str]:
    """What the mission's row promises and the checkout does not have."""
    noun = mission.kind.value
    wanted = [f"src/provisioner/planning/{noun}.py", f"src/provisioner/missions/{noun}.py", f"docs/how-to/{noun}.md"]
    wanted += [f"playbooks/{noun}.yml"] if mission.on_machines else []
    found = [name for name in wanted if not (root / name).is_file()]
    found += [] if any((root / "tests" / "golden" / noun).glob("*.yml")) else [f"tests/golden/{noun}/*.yml"]
    return found + ([] if has_task(namespace, mission.task) else [f"task {mission.task}"])


@pytest.mark.parametrize("mission", MISSIONS, ids=lambda mission: mission.kind.value)
def test_a_mission_has_everything_under_its_noun(mission: Mission) -> None:
    assert missing(mission, CHECKOUT) == []
    assert importlib.util.find_spec(f"provisioner.missions.{mission.kind.value}") is not None


def test_the_control_a_mission_without_them_is_found(tmp_path: Path) -> None:
    (mission,) = [mission for mission in MISSIONS if mission.kind is MissionKind.WORKSTATION_SETUP]
    assert len(missing(mission, tmp_path)) == 5
    assert missing(replace(mission, task="no_such_task"), CHECKOUT) == ["task no_such_task"]


def rows(page: str, heading: str) -> set[str]:
    """The first cells, in backticks, of the table under a heading."""
    _, _, after = page.partition(f"## {heading}\n")
    return set(re.findall(r"^\| `([a-z_]+)` \|", after.split("\n## ")[0], re.MULTILINE))


def test_the_glossary_has_every_mission_and_outcome() -> None:
    page = GLOSSARY.read_text(encoding="utf-8")
    assert rows(page, "Missions") == {kind.value for kind in MissionKind}
    assert rows(page, "Outcomes") == {outcome.value for outcome in Outcome}


def test_the_control_a_row_that_is_missing_is_seen() -> None:
    page = GLOSSARY.read_text(encoding="utf-8").replace("| `halted` |", "| halted |")
    assert {outcome.value for outcome in Outcome} - rows(page, "Outcomes") == {"halted"}


def test_no_word_of_the_glossary_is_explained_twice() -> None:
    words = re.findall(r"^\| ([a-z][a-z ]*) \|", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(set(words) - {"word", "mission", "outcome"}) == sorted(
        word for word in words if word not in ("word", "mission", "outcome")
    )
