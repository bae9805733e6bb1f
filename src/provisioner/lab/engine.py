"""podman as this machine can run it: with its defaults where they work, with settings of ours where they do not.

Some machines (cgroup v1, tight limits) cannot start a systemd container with podman's defaults. Nothing of the
machine is changed for that: the settings are a file of ours, named by `CONTAINERS_CONF` for our own calls only.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.errors import ExecutionError, MissingTool

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
"""
PACKAGES = "podman runc"


@dataclass(frozen=True)
class Engine:
    """A podman that starts systemd containers here. `settings` is the file CONTAINERS_CONF must name, if any."""

    program: str
    settings: Path | None = None
    sudo: bool = False

    @property
    def command(self) -> tuple[str, ...]:
        """The words before podman's own arguments, `sudo` and the settings included."""
        settings = ("env", f"CONTAINERS_CONF={self.settings}") if self.settings else ()
        return (*(("sudo",) if self.sudo else ()), *settings, self.program)

    def environment(self, folder: Path) -> dict[str, str]:
        """Return the variables with which another program (Molecule) that calls `podman` gets this very engine.

        For a plain user, `folder` receives a `podman` that is this engine under sudo, and PATH begins with it.
        """
        if not self.sudo:
            return {"CONTAINERS_CONF": str(self.settings)} if self.settings else {}
        folder.mkdir(parents=True, exist_ok=True)
        shim = folder / "podman"
        shim.write_text(f'#!/bin/sh\nexec {shlex.join(self.command)} "$@"\n')
        shim.chmod(0o755)
        return {"PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}

    def call(self, *arguments: str, given: str = "", seconds: float = 120) -> str:
        """Run `podman ARGUMENTS`, `given` on its standard input, and return its output; ExecutionError if it fails."""
        done = self.attempt(*arguments, given=given, seconds=seconds)
        if done.returncode:
            raise ExecutionError(f"podman {arguments[0]} failed ({done.returncode}): {last_line(done.stderr)}")
        return done.stdout

    def attempt(self, *arguments: str, given: str = "", seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run `podman ARGUMENTS` and return how it ended, whatever that is; ExecutionError after `seconds`."""
        try:
            return subprocess.run(
                [*self.command, *arguments], input=given, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            raise ExecutionError(f"podman {arguments[0]} did not end within {seconds:.0f} s") from None


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder, outside any checkout, where the lab keeps what can be made again (XDG base directories)."""
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "provisioner" / "lab"


def find_engine(cache: Path) -> Engine:
    """Return a podman that can start systemd containers here; what was found is remembered under `cache`.

    Raises MissingTool, saying what to install, when there is no podman, no sudo for a plain user, or no setting works.
    """
    program = shutil.which("podman")
    if program is None:
        raise MissingTool("podman is not on this machine", hint=f"apt-get install {PACKAGES}")
    sudo = os.geteuid() != 0
    if sudo and shutil.which("sudo") is None:
        raise MissingTool("the practice machines need root, and sudo is not on this machine", hint="run it as root")
    cache.mkdir(parents=True, exist_ok=True)
    plain = Engine(program, sudo=sudo)
    ours = Engine(program, settings=cache / "containers.conf", sudo=sudo)
    remembered = cache / f"engine-{_circumstances(plain)}"
    if remembered.exists():
        return ours if remembered.read_text() == "ours" else plain
    said = _objection(plain, cache)
    if said:
        (cache / "containers.conf").write_text(SETTINGS)
        said_of_ours = _objection(ours, cache)
        if said_of_ours:
            raise MissingTool(
                f"podman cannot start a systemd container here; with its defaults: {said}; with ours: {said_of_ours}",
                hint=f"apt-get install {PACKAGES}; without a container engine, run provisioner against real machines",
            )
    remembered.write_text("ours" if said else "plain")
    return ours if said else plain


def last_line(text: str) -> str:
    """Return the last line of what a program said that is not blank."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


def _circumstances(engine: Engine) -> str:
    """Return a name that changes with what the answer depends on: podman, kernel, user and settings already given."""
    version = engine.attempt("--version").stdout
    parts = (version, os.uname().release, str(os.geteuid()), os.environ.get("CONTAINERS_CONF", ""))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _objection(engine: Engine, cache: Path) -> str:
    """Start a systemd container from this machine's own /usr (no image is needed); return why it failed, or nothing."""
    root = cache / "probe"
    for folder in ("usr", "etc", "tmp"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        if not (root / name).is_symlink():
            (root / name).symlink_to(f"usr/{name}")
    options = ("--rm", "--privileged", "--systemd=always", "--volume", "/usr:/usr:ro")
    done = engine.attempt("run", *options, "--rootfs", str(root), "/usr/bin/true")
    return last_line(done.stderr) if done.returncode else ""
