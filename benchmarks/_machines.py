"""Practice machines for the benchmarks, and how each contender reaches them."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from _bench import BIN, CHECKOUT, Contender

from provisioner.execution.receipts import receipt_variables
from provisioner.lab.access import Access
from provisioner.lab.engine import cache_folder, find_engine
from provisioner.lab.machines import Lab, Machine
from provisioner.model.asset import Address, Asset
from provisioner.testing import make_receipt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CLIENT = "bench"
LOGIN = {"ansible_user": "technician", "ansible_become_password": "technician"}


def assets_of(state: Path) -> tuple[Asset, ...]:
    """The machines that `machines` noted in this state folder."""
    ports: dict[str, int] = json.loads((state / "ports.json").read_text())
    return tuple(
        Asset(
            client=CLIENT,
            name=name,
            groups=frozenset({"workstations"}),
            address=Address(host="127.0.0.1", port=port, user="technician"),
            secrets={"become_password": "technician"},
        )
        for name, port in ports.items()
    )


@dataclass(frozen=True)
class Practice:
    """Machines that answer: a state folder with their keys, a client's folder, a plain inventory beside it."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def identity(self) -> Path:
        return self.state / "ssh" / CLIENT / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.state / "known_hosts" / CLIENT

    @property
    def assets(self) -> tuple[Asset, ...]:
        return assets_of(self.state)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PROVISIONER_INVENTORIES": str(self.folder / "inventories"),
            "PROVISIONER_STATE": str(self.state),
        }

    def plain(self, name: str, playbook: str, *, roles: Path = CHECKOUT / "roles") -> Contender:
        """A plain ansible-playbook on the same machines, with Ansible's default settings."""
        command = [str(BIN / "ansible-playbook"), "-i", str(self.folder / "plain.json"), playbook]
        return Contender(name, command, {"ANSIBLE_ROLES_PATH": str(roles)})


@contextmanager
def machines(count: int) -> Iterator[Practice]:
    """Start `count` fresh practice machines and remove them at the end."""
    cache = cache_folder(os.environ)
    lab = Lab(find_engine(cache), cache, f"bench-{os.getpid()}")
    with tempfile.TemporaryDirectory() as folder:
        practice = Practice(Path(folder))
        names = [f"ws-{number:02}" for number in range(1, count + 1)]
        ports = dict(zip(names, free_ports(count), strict=True))
        wanted = tuple(Machine(name, port) for name, port in ports.items())
        try:
            lab.up(wanted, Access(practice.state, CLIENT), say=lambda text: print(text, file=sys.stderr))
            write(practice, ports, CONTRACT)
            yield practice
        finally:
            lab.down()


def free_ports(count: int) -> list[int]:
    """Loopback ports that nothing listens on, as the kernel chose them."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def write(practice: Practice, ports: Mapping[str, int], contract: Mapping[str, object]) -> None:
    """Write what each contender reads: the client's folder with its contract, and the plain inventory."""
    (practice.state / "ports.json").write_text(json.dumps(ports))
    hosts = {name: {"ansible_host": "127.0.0.1", "ansible_port": port} for name, port in ports.items()}
    inventory = {"all": {"vars": LOGIN, "children": {"workstations": {"hosts": hosts}}}}
    client = practice.folder / "inventories" / CLIENT
    client.mkdir(parents=True)
    (client / "hosts.yml").write_text(json.dumps(inventory))
    (client / "contract.yml").write_text(json.dumps(contract))
    write_plain(practice, hosts, {})


def write_plain(practice: Practice, hosts: Mapping[str, object], variables: Mapping[str, object]) -> None:
    """Write the inventory of the plain ansible-playbook; with another receipt each time, as a run of ours."""
    ours = {
        "ansible_ssh_private_key_file": str(practice.identity),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={practice.known_hosts}",
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    receipt = receipt_variables(make_receipt(intervention=f"iv-{secrets.token_hex(8)}"))
    plain = {"all": {"vars": {**LOGIN, **ours, **receipt, **variables}, "hosts": hosts}}
    (practice.folder / "plain.json").write_text(json.dumps(plain))


CONTRACT = {
    "id": "BENCH",
    "client": {"id": CLIENT, "name": "Benchmark"},
    "provider": {"name": "Benchmark"},
    "currency": "EUR",
    "timezone": "Europe/Paris",
    "monthly_fee": "0.00",
    "starts": "2026-01-01",
    "ends": "2199-12-31",
    "assets": ["workstations"],
    "missions": {"workstation_setup": {}},
}
