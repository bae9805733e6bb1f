"""An asset: a machine under (or beside) contract, as `hosts.yml` describes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


HIDDEN = "********"
"""What stands where a secret is not to be seen."""


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

    `variables` are typed by the argument_specs of our roles; anything else was refused by the loader. What a role marks
    `no_log` stands in them as HIDDEN; `confidential` has the whole value of each such input, for the run alone.
    `secrets` are connection secrets (`become_password`, `password`). Neither is ever printed, hashed or recorded.
    """

    client: str
    name: str
    groups: frozenset[str]
    address: Address
    variables: Mapping[str, object] = field(default_factory=dict)
    confidential: Mapping[str, object] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
