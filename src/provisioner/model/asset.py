"""An asset: a machine under (or beside) contract, as `hosts.yml` describes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Transport(StrEnum):
    """How a machine is reached."""

    SSH = "ssh"
    WINRM = "winrm"


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a machine listens, as whom we log in, and its pinned key in OpenSSH's `SHA256:…` form, or empty."""

    host: str
    port: int
    user: str
    transport: Transport = Transport.SSH
    host_key: str = ""


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A machine: its name in hosts.yml, every group it is in (parents included), where it is, and its role variables.

    `variables` are typed by the argument_specs of our roles; anything else was refused by the loader. `secrets` are
    connection secrets (`become_password`, `password`): never printed, hashed or recorded.
    """

    client: str
    name: str
    groups: frozenset[str]
    address: Address
    variables: Mapping[str, object] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
