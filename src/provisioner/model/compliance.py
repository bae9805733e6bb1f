"""Compliance: whether a machine is inside the contract's deadlines for updates, as its last scan proves it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.model.advisory import Severity


class Compliance(StrEnum):
    """What can be said of a machine."""

    WITHIN = "within"
    PAST = "past"
    NOT_EVALUABLE = "not_evaluable"


@dataclass(frozen=True, kw_only=True)
class MachineCompliance:
    """One machine under the deadlines. `reason` is a code, and only where it is not evaluable.

    The codes are those of a scan without an age (`Unaged`), and `never_scanned`, `scan_too_old`, `no_deadlines`.
    `scanned` is when it was scanned last, `due` by severity when the oldest update that it lacked then is to be
    installed: POSIX seconds.
    """

    asset: str
    state: Compliance
    reason: str = ""
    scanned: int | None = None
    due: Mapping[Severity, int] = field(default_factory=dict)
