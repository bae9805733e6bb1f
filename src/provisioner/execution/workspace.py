"""The sealed workspace of one run: a fresh 0700 folder that nothing else ever uses, removed afterwards.

A reused ansible-runner folder leaks one run's settings and secrets into the next (docs/explanation/execution.md). The
folder lives under the state folder, so after a crash the next start finds the events that were under way.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import string
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.errors import ExecutionError, UsageError
from provisioner.execution.first_contact import trusted
from provisioner.execution.readiness import PYTHON
from provisioner.execution.receipts import receipt_variables
from provisioner.model.asset import Transport

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from provisioner.execution.ports import Order
    from provisioner.model.asset import Asset


FORKS = 20
"""How many machines a run works on at once."""

_PLAIN = frozenset(" /._-+@=()'" + string.ascii_letters + string.digits)


def refuse_odd_path(state: Path) -> None:
    """Given the state folder, raise UsageError when a run's ansible.cfg or OpenSSH's options would misread its path.

    Spaces and letters of any language are fine; `:` `%` `$` `"` and the like mean something in one of those places.
    """
    odd = next((char for char in str(state) if char not in _PLAIN and (char.isascii() or not char.isprintable())), "")
    if odd:
        raise UsageError(
            f"{str(state)!r}: a run cannot be configured in a folder with {odd!r} in its path",
            hint="set PROVISIONER_STATE to a folder whose path has letters, digits, spaces and hyphens only",
        )


@dataclass(frozen=True)
class Workspace:
    """The paths of one run's folder."""

    root: Path

    @property
    def project(self) -> Path:
        """The copy of the playbook and its roles."""
        return self.root / "project"

    @property
    def inventory(self) -> Path:
        """The inventory of just this batch."""
        return self.root / "inventory" / "hosts.yml"

    @property
    def config(self) -> Path:
        """The only ansible.cfg that the run reads."""
        return self.root / "ansible.cfg"

    @property
    def secrets(self) -> Path:
        """What no word of the run may show, kept as long as the run's raw events: a JSON list of texts."""
        return self.root / "secrets.json"

    @property
    def alive(self) -> Path:
        """The lock that the run's processes hold."""
        return self.root / "alive.lock"

    @property
    def sockets(self) -> Path:
        """A short path for OpenSSH's control sockets, since a socket's path is limited to 107 bytes (unix(7))."""
        return Path((self.root / "sockets").readlink())

    def seal(self) -> None:
        """Make the folder; raise ExecutionError when it exists: a run's id is never used twice."""
        try:
            self.root.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            raise ExecutionError(f"a run with this id exists already: {self.root}") from None
        (self.root / "inventory").mkdir()
        (self.root / "home").mkdir()
        (self.root / "sockets").symlink_to(tempfile.mkdtemp(prefix="prov-"))

    def remove(self) -> None:
        """Remove the folder and the control sockets."""
        link = self.root / "sockets"
        if link.is_symlink():
            shutil.rmtree(link.readlink(), ignore_errors=True)
        shutil.rmtree(self.root, ignore_errors=True)

    def raw_events(self) -> Iterator[Mapping[str, object]]:
        """Yield the runner's event records found on disk in their order: written ones, then partial ones.

        A record cut short by a crash is passed over.
        """
        files = list((self.root / "artifacts").glob("*/job_events/*.json"))
        for path in sorted(files, key=_event_order):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if isinstance(record, dict):
                yield record


def _event_order(path: Path) -> tuple[int, float]:
    counter = path.name.partition("-")[0]
    written = counter.isdecimal() and not path.name.endswith("-partial.json")
    return (int(counter), 0.0) if written else (2**62, path.stat().st_mtime)


_NO_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
"""What JSON may write as it is and YAML may not, or reads as the end of a line (YAML 1.1, sections 5.1 and 5.4)."""


def _quoted(text: str) -> str:
    return _NO_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def unsafe_yaml(data: Mapping[str, object]) -> str:
    """Given data of JSON's kinds, return one line of YAML in which every text is unsafe: never read as a template.

    JSON's flow style is YAML (YAML 1.2, section 1.3). The whole is marked, not each text: ansible-core resolves a text
    that is marked itself anew, quotes or not, and reads `!unsafe "1.10"` as the number 1.1.
    """
    return f"!unsafe {_flow(data)}"


def _flow(value: object) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(str(key))}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return json.dumps(value)


def connection_variables(asset: Asset, *, identity: Path | None, authorities: Path | None) -> dict[str, object]:
    """Given an asset, return the `ansible_*` variables of its connection: ours alone, never the client's.

    `identity` is the only SSH key to try (None: the technician's own), `authorities` the client's CA file, if any.
    """
    address = asset.address
    variables: dict[str, object] = {
        "ansible_host": address.host,
        "ansible_port": address.port,
        "ansible_user": address.user,
        "ansible_connection": address.transport.value,
    }
    if address.transport is Transport.WINRM:
        variables |= {
            "ansible_winrm_transport": "ntlm",
            "ansible_winrm_server_cert_validation": "validate",
            "ansible_winrm_ca_trust_path": str(trusted(authorities)),
            "ansible_winrm_proxy": None,
        }
    elif identity is not None:
        # An agent with many keys would be asked first, and use up the logins that sshd allows (MaxAuthTries is 6).
        variables |= {
            "ansible_ssh_private_key_file": str(identity),
            "ansible_ssh_common_args": "-o IdentitiesOnly=yes",
        }
    names = {"become_password": "ansible_become_password", "password": "ansible_password"}
    return variables | {names[kind]: secret for kind, secret in asset.secrets.items()}


def render_inventory(order: Order, connections: Mapping[str, Mapping[str, object]]) -> str:
    """Given an order and each asset's connection variables, return the YAML inventory of just that batch.

    Here, and nowhere else, what a step's variables hide is put back. The receipt's inputs go before the step's: what is
    left on the machine is what the run says. A group of the step has those of its machines that are in the batch; it is
    there without any, so that a play on it finds nobody rather than a name that Ansible does not know.
    """
    receipt = receipt_variables(order.receipt)
    hosts = {}
    for asset in order.assets:
        given = order.step.variables.get(asset.name, {})
        whole = {name: value for name, value in asset.confidential.items() if name in given}
        hosts[asset.name] = {**given, **whole, **receipt, **connections[asset.name]}
    lines = [f"    {json.dumps(name)}: {unsafe_yaml(variables)}" for name, variables in hosts.items()]
    return "\n".join(["all:", "  hosts:", *lines, *_children(order, hosts), ""])


def _children(order: Order, hosts: Collection[str]) -> Iterator[str]:
    if order.step.groups:
        yield "  children:"
    for group, names in order.step.groups.items():
        members: dict[str, object] = {name: {} for name in names if name in hosts}
        yield f"    {json.dumps(group)}: {_flow({'hosts': members})}"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Time limits in seconds: to connect, between keepalives (three may be missed), for the run, without any output."""

    connect: int = 10
    keepalive: int = 5
    run: int = 3600
    silence: int = 1200


def _ssh_arguments(known_hosts: Path, limits: Limits) -> str:
    """OpenSSH's arguments in one line that shlex.split, which Ansible uses, takes apart again."""
    options = {
        "ControlMaster": "auto",
        "ControlPersist": "60s",
        "UserKnownHostsFile": f'"{known_hosts}"',
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "ConnectTimeout": limits.connect,
        "ServerAliveInterval": limits.keepalive,
        "ServerAliveCountMax": 3,
    }
    words = ["-F", "none"]
    for key, value in options.items():
        words += ["-o", f"{key}={value}"]
    return shlex.join(words)


def render_config(workspace: Workspace, known_hosts: Path, limits: Limits) -> str:
    """Return the run's ansible.cfg: host keys checked against `known_hosts` alone, keepalives, no retries, no cows.

    What a module is given enters no journal of the machine: Ansible leaves secrets of several lines in what it logs.
    Pipelining stays off on purpose: with a terminal on the machine's side sshd hangs up what a dead controller left.
    """
    settings: dict[str, dict[str, object]] = {
        "defaults": {
            "roles_path": workspace.project / "roles",
            "home": workspace.root / "home",
            "local_tmp": workspace.root / "home" / "tmp",
            "host_key_checking": True,
            "timeout": limits.connect,
            "forks": FORKS,
            "retry_files_enabled": False,
            "nocows": True,
            "no_target_syslog": True,
            "inject_facts_as_vars": False,
            "interpreter_python": PYTHON,
        },
        "inventory": {"enable_plugins": "yaml"},
        "ssh_connection": {
            "ssh_args": _ssh_arguments(known_hosts, limits),
            "control_path_dir": workspace.sockets,
            "control_path": "%(directory)s/%%C",
            "pipelining": False,
            "usetty": True,
            "retries": 0,
        },
    }
    sections = (
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in body.items()) for name, body in settings.items()
    )
    return "\n".join(sections)
