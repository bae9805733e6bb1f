"""Names and addresses of machines: which are accepted, and why the others are not."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import get_args

from provisioner.model.values import HostName, shown

_HOST: str = get_args(HostName)[1].pattern
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
_RESERVED = ("localhost", "all", "ungrouped")


def name_problem(name: str) -> str:
    """Given a machine's name in hosts.yml, return what is wrong with it in a sentence, or nothing."""
    if "[" in name and "]" in name:
        return f"ranges such as {shown(name)} are not allowed; name every machine"
    if name != name.lower() and name.isascii() and re.fullmatch(_HOST, name.lower()):
        return f"host names are lower case: write {name.lower()}"
    if not re.fullmatch(_HOST, name):
        return f"expected a host name of a-z, 0-9, hyphens and dots (labels up to 63, in all 253), found {shown(name)}"
    if name in _RESERVED:
        return f"{name} has a meaning of its own to Ansible; use another name"
    return f"{name} is a device name on Windows; use another name" if _DEVICE.fullmatch(name) else ""


def address_problem(text: str, *, port_given: bool) -> str:
    """Given an address (a host name, IPv4 or IPv6), return why no machine under contract can be there, or nothing."""
    if "%" in text:
        return f"an IPv6 zone such as {shown(text)} means something on one controller only; use a global address"
    address = literal(text)
    if address is None:
        return _hostname_problem(text, port_given=port_given)
    address = (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
    if (
        address.is_unspecified
        or address.is_multicast
        or address.is_link_local
        or address == IPv4Address("255.255.255.255")
    ):
        return f"{text} is no machine's own address (unspecified, multicast, link-local or broadcast)"
    if address.is_loopback and not port_given:
        return f"{text} is this very machine; a loopback address needs ansible_port"
    return ""


def literal(text: str) -> IPv4Address | IPv6Address | None:
    """Given text, return the IP address it writes out, or None."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def _hostname_problem(text: str, *, port_given: bool) -> str:
    if not re.fullmatch(_HOST, text.lower()) or not text.isascii():
        return f"expected a host name, an IPv4 or an IPv6 address, found {shown(text)}"
    if re.fullmatch(r"([0-9]+|0x[0-9a-f]*)", text.lower().rpartition(".")[2]):
        return f"{shown(text)} is neither a host name nor a complete IP address; set ansible_host"
    if text.lower() == "localhost" and not port_given:
        return "localhost is this very machine; a loopback address needs ansible_port"
    return ""
