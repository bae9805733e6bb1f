"""Start, find and remove practice machines: systemd containers with sshd on a loopback port."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.errors import ExecutionError, UsageError
from provisioner.lab.access import Access, ensure_key, pin
from provisioner.lab.image import REPOSITORY, ensure_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provisioner.lab.engine import Engine

LABEL = "provisioner.lab"
LET_IN = """\
set -eu
cd ~technician
install -d -m 700 -o technician -g technician .ssh
grep -qxF "$1" .ssh/authorized_keys 2>/dev/null || echo "$1" >> .ssh/authorized_keys
chown technician: .ssh/authorized_keys
chmod 600 .ssh/authorized_keys
cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub
"""
INTRODUCE = """\
set -eu
{ grep -v '# practice$' /etc/hosts || true; printf '%s' "$1"; } > /etc/hosts.practice
cat /etc/hosts.practice > /etc/hosts  # podman mounts the file: it can be written, not replaced
rm /etc/hosts.practice
"""


@dataclass(frozen=True)
class Machine:
    """A practice machine as asked for: its name in the inventory, the loopback port of its sshd, its Debian release."""

    name: str
    port: int
    release: str = "bookworm"


@dataclass(frozen=True)
class Running:
    """A practice machine that answers. `host_key` is the key podman read from it, `ssh-ed25519 AAAA…`."""

    machine: Machine
    container: str
    host_key: str


@dataclass(frozen=True)
class Found:
    """A practice machine that exists. `state` is podman's word: running, exited, created, paused."""

    machine: Machine
    container: str
    image: str
    state: str


@dataclass(frozen=True)
class Lab:
    """The practice machines under one prefix. `cache` keeps what was built; a given `image` is used and nothing built.

    A given image needs systemd, sshd with its host keys made at start, python3, sudo and the user `technician`.
    """

    engine: Engine
    cache: Path
    prefix: str
    image: str = ""

    def up(self, machines: tuple[Machine, ...], access: Access, *, say: Callable[[str], None]) -> tuple[Running, ...]:
        """Make every machine run, let the client's key in, pin its host key; return them once each sshd answers.

        What runs already is left alone; a stopped one is started with what was on it; one of another image, release or
        port is made anew. Raises ExecutionError when one does not come up, UsageError when a port is asked for twice.
        """
        if len({machine.port for machine in machines}) < len(machines):
            raise UsageError("two practice machines cannot share a port")
        key = ensure_key(access)
        found = {one.machine.name: one for one in self.status()}
        images = {release: self._image(release, say) for release in sorted({machine.release for machine in machines})}
        for machine in machines:
            self._start(machine, images[machine.release], found=found.get(machine.name), say=say)
        for machine in machines:
            wait_for_sshd(machine.port)
        running = tuple(self._let_in(machine, key) for machine in machines)
        pin(access, {one.machine.port: one.host_key for one in running})
        return running

    def introduce(self, machines: tuple[Running, ...]) -> None:
        """Let each machine know the others by name: containers reach one another, not the loopback ports of here."""
        ask = ("inspect", "--format", "{{.Name}} {{.NetworkSettings.IPAddress}}")
        found = dict(line.split() for line in self.engine.call(*ask, *(one.container for one in machines)).splitlines())
        lines = "".join(f"{found[one.container]} {one.machine.name} # practice\n" for one in machines)
        for one in machines:
            self.engine.call("exec", "--interactive", one.container, "sh", "-s", "--", lines, given=INTRODUCE)

    def status(self) -> tuple[Found, ...]:
        """Return the machines of this prefix that exist, by name."""
        listed = self.engine.call("ps", "--all", "--filter", f"label={LABEL}={self.prefix}", "--format", "json")
        found = [_found(container) for container in json.loads(listed)]
        return tuple(sorted(found, key=lambda one: one.machine.name))

    def down(self, *, images: bool = False) -> tuple[str, ...]:
        """Remove the machines of this prefix, and with `images` what they were made from; return the names removed.

        Raises ExecutionError when machines of another prefix still use an image.
        """
        names = tuple(one.machine.name for one in self.status())
        if names:
            self._remove(*(self._container(name) for name in names))
        if images:
            whole = ("--format", "{{.Repository}}:{{.Tag}}", REPOSITORY)
            listed = self.engine.call("images", *whole).split()
            if listed:
                self.engine.call("rmi", *listed)
            for tree in self.cache.glob("*.tar"):
                tree.unlink()
        return names

    def _remove(self, *containers: str) -> None:
        """Remove containers; podman refuses one that stops at that very moment, and finds it stopped the next time."""
        try:
            self.engine.call("rm", "--force", "--time", "1", *containers)
        except ExecutionError as error:
            if "state improper" not in str(error):
                raise
            self.engine.call("rm", "--force", "--ignore", "--time", "1", *containers)

    def _container(self, name: str) -> str:
        return f"provisioner-{self.prefix}-{name}"

    def _image(self, release: str, say: Callable[[str], None]) -> str:
        return self.image or ensure_image(self.engine, release, cache=self.cache, say=say)

    def _start(self, machine: Machine, image: str, *, found: Found | None, say: Callable[[str], None]) -> None:
        container = self._container(machine.name)
        if found and (found.machine, found.image) != (machine, image):
            say(f"{machine.name} is another machine than asked for: made anew")
            self._remove(container)
            found = None
        if found is None:
            say(f"starting {machine.name} on 127.0.0.1:{machine.port}")
            self.engine.call("run", "--detach", f"--name={container}", *self._options(machine, image))
        elif found.state != "running":
            say(f"starting {machine.name} again")
            self.engine.call("start", container)

    def _options(self, machine: Machine, image: str) -> list[str]:
        # systemd ends a container that is to be restarted with an error of its own; `podman stop` keeps it stopped.
        options = ["--privileged", "--systemd=always", "--restart=on-failure", "--hostname=debian", "--pull=never"]
        options.append(f"--publish=127.0.0.1:{machine.port}:22")
        labels = {"": self.prefix, ".name": machine.name, ".port": machine.port, ".release": machine.release}
        options += [f"--label={LABEL}{suffix}={value}" for suffix, value in labels.items()]
        return [*options, f"--label={LABEL}.image={image}", image, "/sbin/init"]

    def _let_in(self, machine: Machine, key: str) -> Running:
        container = self._container(machine.name)
        host_key = self.engine.call("exec", "--interactive", container, "sh", "-s", "--", key, given=LET_IN).strip()
        if not host_key.startswith("ssh-ed25519 "):
            raise ExecutionError(f"{machine.name} has no Ed25519 host key, though its sshd answers")
        return Running(machine, container, host_key)


def wait_for_sshd(port: int, *, seconds: float = 60) -> None:
    """Return once an SSH server greets on 127.0.0.1:`port`; ExecutionError when none did within `seconds`."""
    deadline = time.monotonic() + seconds
    while not _greets(port):
        if time.monotonic() > deadline:
            raise ExecutionError(
                f"no SSH server answers on 127.0.0.1:{port} after {seconds:.0f} s",
                hint="many systemd containers need many inotify instances: sysctl fs.inotify.max_user_instances=1024",
            )
        time.sleep(0.05)


def _greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _found(container: dict[str, object]) -> Found:
    labels, names = container["Labels"], container["Names"]
    assert isinstance(labels, dict) and isinstance(names, list)
    machine = Machine(labels[f"{LABEL}.name"], int(labels[f"{LABEL}.port"]), labels[f"{LABEL}.release"])
    return Found(machine, names[0], labels[f"{LABEL}.image"], str(container["State"]))
