"""Faults of a machine's network and of its sshd, made inside the machine's own namespaces, and their end."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import LabMachine


@dataclass(frozen=True)
class Fault:
    """What befalls a machine, and what ends it."""

    name: str
    begin: Callable[[LabMachine], object]
    end: Callable[[LabMachine], object]


def _filtered(verb: str, *target: str) -> Callable[[LabMachine], object]:
    """A rule for every packet that comes in for sshd, of connections that stand as well."""

    def act(machine: LabMachine) -> None:
        process = machine.engine.call("inspect", "--format", "{{.State.Pid}}", machine.running.container).strip()
        inside = [*(["sudo"] if machine.engine.sudo else []), "nsenter", "--target", process, "--net"]
        rule = ["iptables", "--wait", verb, "INPUT", "--protocol", "tcp", "--dport", "22", "--jump", *target]
        subprocess.run([*inside, *rule], check=True, capture_output=True, text=True, timeout=60)

    return act


def _typed(script: str) -> Callable[[LabMachine], object]:
    return lambda machine: machine.shell(script)


DROPPED = Fault("dropped", _filtered("--insert", "DROP"), _filtered("--delete", "DROP"))
"""Packets vanish: nobody says that nobody is there."""

_RESET = ("REJECT", "--reject-with", "tcp-reset")
RESET = Fault("reset", _filtered("--insert", *_RESET), _filtered("--delete", *_RESET))
"""Every packet is answered with a reset."""

FROZEN = Fault("frozen", _typed("pkill -STOP sshd"), _typed("pkill -CONT sshd"))
"""sshd stands still: the kernel takes connections for it, and nothing is said on them."""

STOPPED = Fault("stopped", _typed("systemctl stop ssh; pkill -KILL sshd || true"), _typed("systemctl start ssh"))
"""sshd is stopped and its connections are closed: new ones are refused."""

FAULTS = (DROPPED, RESET, FROZEN, STOPPED)
