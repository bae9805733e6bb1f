"""The words of the model as people say them, in English: each is a text of the catalogues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.model.measurement import State
from provisioner.model.mission import MissionKind
from provisioner.model.values import Cause, Party

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import Enum

PHRASES: Mapping[Enum, str] = {
    State.RUNNING: "running",
    State.HELD: "held",
    State.MET: "met",
    State.BREACHED: "BREACHED",
    State.NOT_APPLICABLE: "not applicable",
    State.NOT_EVALUABLE: "not evaluable",
    Cause.CLIENT: "client",
    Cause.PROVIDER: "provider",
    Cause.THIRD_PARTY: "third party",
    Cause.FORCE_MAJEURE: "force majeure",
    Party.CLIENT: "client",
    Party.PROVIDER: "provider",
    MissionKind.WORKSTATION_SETUP: "workstation set-up",
    MissionKind.SOFTWARE_UPDATES: "software updates",
    MissionKind.BACKUP: "backup",
    MissionKind.HOSTING: "hosting",
    MissionKind.SERVICE_DESK: "service desk",
}

REASONS = (
    "no objective",
    "uncovered",
    "expired",
    "not started",
    "superseded",
    "already judged",
    "contract ended",
)
"""Why a measurement is not applicable (rule 5)."""

WHY = (
    "service",
    "closed",
    "closed day",
    "holiday",
    "hold",
    "resolved",
    "maintenance",
    "down",
    "up",
    "unknown",
)
"""Why a stretch of a trace counted, or did not."""
