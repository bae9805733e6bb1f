"""Seen: everything that is known of the backups of one machine at one instant, before anybody judges it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.model.backup import AgentReport, BackupPolicy, MachineReport, Probe, Recorded, StoreReport
    from provisioner.model.service_event import Drill


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Everything known of one machine at `at`. `stores` has a report by store, None where it could not be read.

    `answers` says whether the machine does, `machine` is its own report; `configured` when it was last set up,
    `recorded` what the log has of it, oldest first; `always_on` that its availability is promised; `ticket` the open
    one about its silence. Without a policy `lacking` says why.
    """

    at: int
    policy: BackupPolicy | None
    stores: Mapping[str, StoreReport | None]
    answers: bool = True
    machine: MachineReport | None = None
    configured: int | None = None
    recorded: tuple[Recorded, ...] = ()
    drills: tuple[Drill, ...] = ()
    probes: tuple[Probe, ...] = ()
    always_on: bool = False
    ticket: str | None = None
    lacking: str = ""

    @property
    def agent(self) -> AgentReport | None:
        """What the machine says of its last run."""
        return self.machine.agent if self.machine else None
