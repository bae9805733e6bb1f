"""A desk to type at: a client's folder, a state folder, and `invoke` as a subprocess."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.acceptance._park import Park

from provisioner.bridges.ssh_signature import SshSignatures
from provisioner.config.clients import load_client
from provisioner.config.role_inputs import load_role_inputs
from provisioner.ledger.book import open_book
from provisioner.missions.approvals import Signing
from provisioner.missions.bodies import Request
from provisioner.missions.perform import perform
from provisioner.missions.services import Services
from provisioner.planning.workstation_setup import plan_workstation_setup
from provisioner.testing import FakeExecutor, FakeLeases, FakeProbe, RecordingProgress, make_content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import LabMachine

    from provisioner.model.intervention import Intervention

CHECKOUT = Path(__file__).resolve().parents[2]
INVOKE = Path(sys.executable).parent / "invoke"

CONTRACT: dict[str, Any] = {
    "id": "ACCEPT-2026",
    "client": {"id": "demo", "name": "Acceptance"},
    "provider": {"name": "Tests"},
    "currency": "EUR",
    "timezone": "Europe/Paris",
    "monthly_fee": "100.00",
    "starts": "2026-01-01",
    "ends": "2199-12-31",
    "assets": ["workstations"],
    "missions": {"workstation_setup": {}},
}


@dataclass
class Desk:
    """One technician's desk. `hosts` are the entries of hosts.yml by group; change and `write` them as a test needs."""

    folder: Path
    contract: dict[str, Any] = field(default_factory=lambda: json.loads(json.dumps(CONTRACT)))
    hosts: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    password: str = "technician"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def client(self) -> Path:
        return self.folder / "inventories" / "demo"

    def add(self, group: str, name: str, port: int, **variables: Any) -> None:
        self.hosts.setdefault(group, {})[name] = {"ansible_host": "127.0.0.1", "ansible_port": port, **variables}

    def write(self) -> None:
        """Write contract.yml and hosts.yml; JSON is YAML."""
        login = {"ansible_user": "technician", "ansible_become_password": self.password}
        groups = {name: {"hosts": hosts} for name, hosts in ({"workstations": {}} | self.hosts).items()}
        self.client.mkdir(parents=True, exist_ok=True)
        (self.client / "contract.yml").write_text(json.dumps(self.contract, indent=1))
        (self.client / "hosts.yml").write_text(json.dumps({"all": {"vars": login, "children": groups}}, indent=1))

    def command(self, *words: str) -> tuple[list[str], dict[str, str]]:
        """The command line and the environment of `invoke WORDS` at this desk."""
        own = {"PROVISIONER_INVENTORIES": str(self.client.parent), "PROVISIONER_STATE": str(self.state)}
        return [str(INVOKE), *words], {**os.environ, **own, "PROVISIONER_OPERATOR": "Alice Acceptance"}

    def invoke(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Type `invoke WORDS`; nobody is at a terminal. No user's mistake may end in a traceback."""
        command, environment = self.command(*words)
        done = subprocess.run(
            command,
            env=environment,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=600,
            stdin=subprocess.DEVNULL,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done

    def ask(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Type `invoke WORDS --json` and return the exit code and the one document on stdout."""
        done = self.invoke(*words, "--json")
        assert done.stdout, f"exit {done.returncode}: {done.stderr}"
        return done.returncode, json.loads(done.stdout)

    def work_on(self, host: str, **asked: Any) -> Intervention:
        """Do what `onboard --host HOST` does, with the shipped fakes for the machine and the run: it takes no time.

        `asked` are fields of the request. The contract, the plan and the log are the desk's own.
        """
        found = load_client(self.client, roles=load_role_inputs(CHECKOUT / "roles"), decrypt=None)
        asset = next(asset for asset in found.inventory.assets if asset.name == host)
        request = Request(
            contract=found.contracts[0],
            assets=(asset,),
            plan=plan_workstation_setup(asset, make_content()),
            **{"accept": lambda _: False, "ticket": None, "check": False, **asked},
        )
        services = Services(
            now=lambda: datetime.now(UTC),
            new_id=lambda: f"iv-{secrets.token_hex(8)}",
            operator="Alice Acceptance",
            probe=FakeProbe(),
            executor=FakeExecutor(),
            leases=FakeLeases(),
            open_book=lambda client: open_book(f"sqlite:///{self.state}/ledger.db", client, state=self.state),
            progress=RecordingProgress(),
            signing=Signing(signatures=SshSignatures(), own_keys=frozenset(), requests=self.state / "requests"),
        )
        return perform(request, services)

    def kinds(self) -> list[str]:
        """The kinds of the entries in the log, in order; none when there is no log."""
        if not (self.state / "ledger.db").exists():
            return []
        return [entry["kind"] for entry in self.ask("audit.log", "--client", "demo")[1]["entries"]]

    def last(self) -> dict[str, Any]:
        """The body of the last entry."""
        rows = self.ask("audit.log", "--client", "demo")[1]["entries"]
        (entry,) = self.ask("audit.show", "--client", "demo", "--entry", str(rows[-1]["index"]))[1]["entries"]
        return dict(entry["body"])


@pytest.fixture(scope="session")
def new_desk(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Desk]:
    """Return a fresh desk with the client `demo`, whose host `kiosk-01` no contract covers."""

    def make() -> Desk:
        desk = Desk(tmp_path_factory.mktemp("desk"))
        desk.state.mkdir(mode=0o700)
        desk.add("kiosks", "kiosk-01", 9)
        desk.write()
        return desk

    return make


@pytest.fixture
def debian_park(new_desk: Callable[[], Desk], lab_machine: Callable[..., LabMachine]) -> Iterator[Park]:
    """Two machines as the lab makes them, Debian's own repositories included, under a contract of updates."""
    desk = new_desk()
    machines = {}
    for name in ("ws-01", "ws-02"):
        machine = machines[name] = lab_machine(f"{name}-{desk.folder.name}", state=desk.state)
        desk.add("workstations", name, machine.port)
    found = Park(desk, machines)
    found.terms()
    yield found
    # Machines of one test alone: with those of all of them at once systemd would find no inotify instance.
    for machine in machines.values():
        machine.engine.call("rm", "--force", "--ignore", "--time", "0", machine.running.container)


@pytest.fixture
def park(debian_park: Park) -> Park:
    """Two machines with version 1 of two packages; everything else of them is left alone by the tests."""
    for machine in debian_park.machines.values():
        # Only what the tests offer: what Debian offers on that day is none of their business.
        machine.shell("rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*")
    debian_park.offer("prov-alpha=1.0", "prov-beta=1.0")
    for machine in debian_park.machines.values():
        machine.shell("apt-get -q update && apt-get -q -y install prov-alpha prov-beta")
    return debian_park
