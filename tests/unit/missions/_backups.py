"""A client with two machines to back up and two stores, faked: what each reports is for the test to say."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from provisioner.missions.backup import Configured, Wish, configure
from provisioner.missions.backup_status import Watched, watch
from provisioner.missions.backup_task import BackupTask
from provisioner.model.asset import HIDDEN
from provisioner.model.backup import AgentReport, Checked, MachineReport, RunState, Snapshot, StoreReport
from provisioner.model.mission_terms import Backup, Keep, Missions
from provisioner.model.values import Duration
from provisioner.testing import FakeProbe, loaded, make_asset, make_content, make_contract, result, succeed

if TYPE_CHECKING:
    from provisioner.execution.ports import Order, RunResult
    from provisioner.model.asset import Asset

MORNING = datetime(2026, 12, 1, 8, tzinfo=UTC)
KEY = "ssh-ed25519 AAAAC3Nz"
TERMS: dict[str, Any] = {
    "rpo": Duration(26, "h"),
    "keep": Keep(daily=7),
    "paths": ("/home",),
    "stores": ("site", "offsite"),
}


@dataclass
class Clock:
    """A clock that a test puts forward; it goes on by a second each time it is read."""

    at: datetime = MORNING

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


def hours(count: float) -> int:
    """The instant that many hours before the morning."""
    return int((MORNING - timedelta(hours=count)).timestamp())


def run_of(at: int) -> str:
    return f"{at:032x}"


def saved(*ages: float, seconds: int = 300, lacks: bool = False) -> tuple[Snapshot, ...]:
    """Snapshots of complete runs, each with its manifest, so many hours before the morning."""
    found = []
    for at in map(hours, ages):
        tag = f"run:{run_of(at)}"
        found.append(Snapshot(f"c{at:063x}", f"{at:064x}", at, at + seconds, (tag,)))
        more = ("incomplete",) if lacks else ()
        found.append(Snapshot(f"d{at:063x}", f"e{at:063x}", at, at + seconds + 5, (tag, "manifest", *more)))
    return tuple(found)


def store(*snapshots: Snapshot, ok: bool = True) -> StoreReport:
    return StoreReport(at=hours(0.5), vault=snapshots, vault_checked=Checked(hours(1), ok, "", "1/7"), vault_bytes=1000)


def last_run(age: float, state: RunState = RunState.COMPLETED, reason: str = "", **more: Any) -> AgentReport:
    at = hours(age)
    report = AgentReport(run_of(at), at, at + 60, state, reason, "", "", "c" * 64, 0, 0, 7, 700, 60)
    return report._replace(**more)


@dataclass
class Site:
    """What the machines report, by name; `keys` are the host keys known of them, and `desk` the desk of the tests."""

    desk: Any
    clock: Clock = field(default_factory=Clock)
    terms: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    secrets: bool = True
    keys: dict[str, str] = field(default_factory=lambda: {"site": KEY, "offsite": KEY})
    reports: dict[str, MachineReport] = field(default_factory=dict)
    names: tuple[str, ...] = ("ws-01", "ws-02")

    def asset(self, name: str, group: str, secret: str) -> Asset:
        given = {secret: "s3cret"} if self.secrets else {}
        return make_asset(name, groups=(group,), variables=dict.fromkeys(given, HIDDEN), confidential=given, secrets={})

    def task(self) -> BackupTask:
        backup = Backup(**{**TERMS, **self.terms})
        contract = make_contract(
            timezone="UTC", assets=("workstations", "stores"), missions=Missions(backup=backup), **self.fields
        )
        agents = [self.asset(name, "workstations", "backup_agent_password") for name in self.names]
        stores = [self.asset(name, "stores", "backup_store_vault_password") for name in ("site", "offsite")]
        kiosk = make_asset("kiosk-01", groups=("kiosks",), variables={})
        return BackupTask(
            client="demo",
            contract=loaded(contract),
            assets=(*agents, *stores, kiosk),
            content={
                "backup": replace(make_content("backup_agent", "backup_store"), playbook="backup"),
                "backup_status": replace(make_content("backup_report"), playbook="backup_status"),
            },
            accept=lambda _: False,
            host_key=lambda asset: self.keys.get(asset.name, ""),
        )

    def answer(self, order: Order) -> RunResult:
        done = result(succeed(order).tallies, check=order.check)
        names = {asset.name for asset in order.assets}
        return replace(done, backups={name: report for name, report in self.reports.items() if name in names})

    def _ready(self) -> None:
        self.desk.now = self.clock
        self.desk.executor.answer = self.answer

    def configure(self, **wish: Any) -> Configured:
        self._ready()
        return configure(self.task(), self.desk.services(), Wish(**wish))

    def watch(self) -> Watched:
        self._ready()
        return watch(self.task(), self.desk.services())

    def off(self, *names: str, reason: str = "timeout") -> None:
        from provisioner.testing import UNREACHABLE

        self.desk.probe = FakeProbe({name: replace(UNREACHABLE, reason=reason) for name in names})

    def holds(self, **vaults: StoreReport) -> None:
        """Let the site report these of each machine, by its name with an underscore; machines report they are up."""
        agents = {name.replace("_", "-"): report for name, report in vaults.items()}
        self.reports = {
            "site": MachineReport(agents=agents),
            "offsite": MachineReport(),
            **{name: MachineReport(booted=hours(1000)) for name in self.names},
            **{name: one for name, one in self.reports.items() if name in self.names},
        }
