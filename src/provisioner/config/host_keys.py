"""The keys of hosts.yml that say how to reach a machine. Anything else named `ansible_*` is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provisioner.config.addresses import address_problem, literal
from provisioner.config.document import did_you_mean
from provisioner.model.asset import Address, Transport
from provisioner.model.values import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRETS = {"ansible_password": "password", "ansible_become_password": "become_password"}
"""The keys that hold a secret, and what `Asset.secrets` calls them."""

_SHAPES = {
    "ansible_host": (r"[^\s]{1,253}", "a host name, an IPv4 or an IPv6 address"),
    "ansible_port": ("[1-9][0-9]{0,4}", "a port from 1 to 65535"),
    "ansible_user": (r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,63}", "a login name such as technician"),
    "ansible_connection": ("ssh|winrm", "ssh or winrm"),
    "ansible_password": (r"[^\n\t]{1,256}", "a password on one line"),
    "ansible_become_password": (r"[^\n\t]{1,256}", "a password on one line"),
    "host_key": ("SHA256:[A-Za-z0-9+/]{43}", "a key's fingerprint as ssh-keygen -l shows it, such as SHA256:…"),
}
HOST_KEYS = {key: expected for key, (_, expected) in _SHAPES.items()}
"""Every such key, and what it holds."""

_DEFAULT_PORTS = {Transport.SSH: 22, Transport.WINRM: 5986}


def is_host_key(key: str) -> bool:
    """Given a key, return whether it is about reaching a machine: ours, or one that Ansible would read as such."""
    return key in _SHAPES or key.startswith("ansible_")


def pattern(key: str) -> str:
    """Given such a key, return the pattern of its text."""
    return _SHAPES[key][0]


def host_key_problem(key: str, value: object) -> str:
    """Given such a key and its value, return what is wrong in a sentence, or nothing. Secrets are not shown."""
    if key not in _SHAPES:
        return (
            f"{shown(key)[1:-1]} is not accepted from a client's file, because such settings can run commands on the"
            f" controller{did_you_mean(key, _SHAPES)}"
        )
    shape, expected = _SHAPES[key]
    if not isinstance(value, str) or not re.fullmatch(shape, value) or (key == "ansible_port" and int(value) > 65535):
        found = f", found {shown(value)}" if isinstance(value, str) and key not in SECRETS else ""
        return f"expected {expected}{found}"
    return ""


def address_of(name: str, keys: Mapping[str, str]) -> tuple[Address, str]:
    """Given a machine's name and its keys, each valid by itself, return its address; then what is wrong, if so."""
    host = keys.get("ansible_host", name)
    transport = Transport(keys.get("ansible_connection", "ssh"))
    address = Address(
        host=host.lower(),
        port=int(keys.get("ansible_port", _DEFAULT_PORTS[transport])),
        user=keys.get("ansible_user", ""),
        transport=transport,
        host_key=keys.get("host_key", ""),
    )
    problem = address_problem(host, port_given="ansible_port" in keys)
    if not problem and not address.user:
        problem = "ansible_user is required: the login on this machine, here or in one of its groups"
    return address, problem


def endpoint(address: Address) -> tuple[str, int]:
    """Given an address, return what must be unique among machines: the host in one spelling, and the port."""
    return str(literal(address.host) or address.host), address.port
