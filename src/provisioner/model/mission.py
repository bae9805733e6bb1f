"""Missions: the kinds of work a contract promises. This table is what the alignment test reads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MissionKind(StrEnum):
    """A kind of work, under the key it has in a contract's `missions`."""

    WORKSTATION_SETUP = "workstation_setup"
    SOFTWARE_UPDATES = "software_updates"
    BACKUP = "backup"
    HOSTING = "hosting"
    SERVICE_DESK = "service_desk"


@dataclass(frozen=True)
class Mission:
    """One row: the kind, the invoke task (or task group) that does it, whether it changes machines."""

    kind: MissionKind
    task: str
    on_machines: bool


MISSIONS: tuple[Mission, ...] = (
    Mission(MissionKind.WORKSTATION_SETUP, "onboard", on_machines=True),
    Mission(MissionKind.SOFTWARE_UPDATES, "patch", on_machines=True),
    Mission(MissionKind.BACKUP, "backup", on_machines=True),
)
"""The missions that are executed today; the other kinds load from a contract and wait for theirs."""
