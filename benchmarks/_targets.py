"""Light targets: containers of the practice machines' image whose only process is sshd, each with its own dpkg.

Fifty systemd containers need more inotify instances than a kernel grants; these need none. What they lack is systemd:
`systemctl` is there and answers nothing, so apt's timers are not stopped and no failed unit is ever seen; and there is
no journal. Everything else that a run does on them is what it does on a machine.
"""

from __future__ import annotations

import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from _bench import CHECKOUT
from _machines import CLIENT, Practice, free_ports

from provisioner.lab.access import Access, ensure_key, pin
from provisioner.lab.engine import cache_folder, find_engine
from provisioner.lab.image import ensure_image
from provisioner.lab.machines import LET_IN, wait_for_sshd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provisioner.lab.engine import Engine

PACKAGE, OLD, NEW = "prov-alpha", "1.0", "2.0"
AT_ONCE = 4

SEED = f"""\
set -eu
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
cat > /root/repository.sh
sh /root/repository.sh /srv/apt {PACKAGE}={OLD}
cp /srv/apt/*.deb /srv/
apt-get -q update
apt-get -q -y install {PACKAGE}
sh /root/repository.sh /srv/apt {PACKAGE}={NEW}
cp /srv/apt/*.deb /srv/
mkdir -p /run/sshd
"""
"""Its repository offers the new version alone, and the files of both are kept to put a version back."""

SERVE = "mkdir -p /run/sshd && ssh-keygen -A > /dev/null && exec /usr/sbin/sshd -D"


@dataclass(frozen=True)
class Targets:
    """Targets that answer: what contenders read of them, and their containers by name."""

    practice: Practice
    ports: Mapping[str, int]
    engine: Engine
    prefix: str

    @property
    def first_processes(self) -> tuple[int, ...]:
        """The process id, here, of each target's sshd."""
        containers = [f"{self.prefix}-{name}" for name in self.ports]
        return tuple(map(int, self.engine.call("inspect", "--format={{.State.Pid}}", *containers).split()))

    @property
    def canary(self) -> str:
        """The one that has its turn before the others."""
        return next(iter(self.ports))

    @property
    def wave(self) -> dict[str, int]:
        """All the others, with their ports."""
        return {name: port for name, port in self.ports.items() if name != self.canary}

    def put(self, version: str, *, on: Iterable[str]) -> None:
        """Give targets a version of the package."""
        self._shell(f"dpkg --force-downgrade --install /srv/{PACKAGE}_{version}_all.deb", on)

    def expect(self, version: str, *, on: Iterable[str]) -> None:
        """Raise ExecutionError unless each of these targets has this version."""
        self._shell(f"dpkg-query --show {PACKAGE} | grep -qw {version}", on)

    def _shell(self, script: str, on: Iterable[str]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            containers = [f"{self.prefix}-{name}" for name in on]
            list(pool.map(lambda one: self.engine.call("exec", "-i", one, "sh", "-s", given=script), containers))


@contextmanager
def targets(count: int) -> Iterator[Targets]:
    """Start `count` targets, and remove them and their image at the end."""
    cache = cache_folder(os.environ)
    engine, prefix = find_engine(cache), f"provisioner-bench-{os.getpid()}"
    names = [f"ws-{number:02}" for number in range(1, count + 1)]
    image = f"localhost/{prefix}"
    with tempfile.TemporaryDirectory() as folder:
        found = Targets(Practice(Path(folder)), dict(zip(names, free_ports(count), strict=True)), engine, prefix)
        try:
            base = ensure_image(engine, "bookworm", cache=cache, say=lambda text: print(text, file=sys.stderr))
            _make_image(engine, base, image)
            _start(found, image)
            yield found
        finally:
            containers = [prefix, *(f"{prefix}-{name}" for name in names)]
            engine.call("rm", "--force", "--ignore", "--time", "0", *containers, seconds=600)
            engine.attempt("rmi", image)


def _make_image(engine: Engine, base: str, image: str) -> None:
    """Make the image of the targets: the machines' own, with a repository and a package in it."""
    seed = image.rpartition("/")[2]
    engine.call("run", "--detach", f"--name={seed}", "--privileged", "--pull=never", base, "sleep", "infinity")
    script = (CHECKOUT / "tests" / "apt_repository.sh").read_text()
    engine.call("exec", "-i", seed, "sh", "-c", SEED, given=script)
    engine.call("commit", "--quiet", seed, image, seconds=600)
    engine.call("rm", "--force", "--time", "0", seed)


def _start(found: Targets, image: str) -> None:
    """Start the targets, let the client in, and note the key of each."""
    access = Access(found.practice.state, CLIENT)
    key, engine = ensure_key(access), found.engine

    def start(name: str) -> tuple[int, str]:
        port, container = found.ports[name], f"{found.prefix}-{name}"
        options = ["--privileged", "--systemd=false", "--pull=never", "--hostname=debian", f"--name={container}"]
        engine.call("run", "--detach", *options, f"--publish=127.0.0.1:{port}:22", image, "sh", "-c", SERVE)
        wait_for_sshd(port)
        return port, engine.call("exec", "-i", container, "sh", "-s", "--", key, given=LET_IN).strip()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        pin(access, dict(pool.map(start, found.ports)))
