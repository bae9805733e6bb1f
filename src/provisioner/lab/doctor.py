"""What this machine has and lacks for provisioner: looked at, not assumed, and with the remedy for each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.errors import MissingTool, ProvisionerError, UsageError
from provisioner.lab.engine import Engine, find_engine, last_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Look = Callable[[], str]  # returns what was found, or raises a ProvisionerError whose hint is the remedy

VAULT = "PROVISIONER_VAULT_PASSWORD_FILE"
ROOM = {"state": 1, "cache": 3}
"""Gigabytes that must be free in the state folder (ledger, plans) and in the cache (images of practice machines)."""


RUN_NEEDS = {
    "ansible-playbook": "run `make demo`, or install requirements.lock",
    "ssh": "apt-get install openssh-client",
    **dict.fromkeys(("setpriv", "flock", "unshare"), "apt-get install util-linux"),
}
"""The programs of a run, each with how to get it; a machine reached by WinRM needs no ssh."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `remedy` says how to get it; on one that is `ok` it is advice."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Surroundings:
    """Where to look: the state folder, the lab's cache, the environment's variables, and the time now (aware)."""

    state: Path
    cache: Path
    environ: Mapping[str, str]
    now: datetime


def checks(around: Surroundings, refusals: Mapping[str, Callable[[], object]]) -> tuple[Finding, ...]:
    """Return a finding for everything provisioner needs here, practice machines included.

    `refusals` are what other packages would refuse to start with, by name: each returns when all is well, or raises a
    ProvisionerError. Nothing is changed but `around.cache`, where find_engine remembers its answer.
    """
    looks: dict[str, Look] = {
        "python": _python,
        "python packages": _packages,
        **{name: partial(find_program, name, remedy) for name, remedy in RUN_NEEDS.items()},
        "ssh-keygen": lambda: find_program("ssh-keygen", "apt-get install openssh-client"),
        "git": lambda: find_program("git", "apt-get install git"),
        "containment": _containment,
        "state folder": lambda: _state_folder(around.state),
        "state folder, space": lambda: _space(around.state, ROOM["state"]),
        "vault password file": lambda: _vault(around.environ),
        "practice machines: podman": lambda: _podman(around.cache),
        "practice machines: mmdebstrap": lambda: find_program("mmdebstrap", "apt-get install mmdebstrap"),
        "practice machines: space": lambda: _space(around.cache, ROOM["cache"]),
    }
    looks |= {name: _allowed(refuses) for name, refuses in refusals.items()}
    return (*(_look(name, look) for name, look in looks.items()), _clock(around.now))


def _look(name: str, look: Look) -> Finding:
    try:
        return Finding(name, True, look())
    except ProvisionerError as error:
        return Finding(name, False, str(error), error.hint)
    except OSError as error:
        return Finding(name, False, str(error), "see to it that this user can read it, or work as its owner")


def _allowed(refuses: Callable[[], object]) -> Look:
    def look() -> str:
        refuses()
        return "nothing against it"

    return look


def find_program(name: str, remedy: str) -> str:
    """Return the path of a program: beside this Python, else on PATH; MissingTool with the remedy if it is nowhere."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise MissingTool(f"{name} is not on this machine", hint=remedy)
    return found


def _python() -> str:
    version = sys.version.split()[0]
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise MissingTool(f"Python {version}", hint="use Python 3.11, 3.12 or 3.13")
    return f"{version}, {sys.executable}"


def _packages() -> str:
    """Compare what the project declares with what is installed; extras and versions are the lock file's matter."""
    try:
        declared = [line for line in metadata.requires("provisioner") or () if "extra ==" not in line]
    except metadata.PackageNotFoundError:
        raise MissingTool("provisioner itself is not installed", hint="pip install --no-deps -e .") from None
    missing = []
    for name in (re.split(r"[^A-Za-z0-9._-]", line)[0] for line in declared):
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        remedy = "pip install --require-hashes --no-deps -r requirements.lock"
        raise MissingTool(f"not installed: {', '.join(sorted(missing))}", hint=remedy)
    return f"all {len(declared)} that it needs"


def _containment() -> str:
    """Try what every run of Ansible is wrapped in: a PID namespace, for a plain user inside a user namespace."""
    as_root = os.geteuid() == 0
    find_program("unshare", RUN_NEEDS["unshare"])
    namespaces = ("--pid",) if as_root else ("--user", "--map-current-user", "--pid")
    done = subprocess.run(
        ["unshare", *namespaces, "--fork", "--kill-child=KILL", "true"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        remedy = (
            "run it as root" if as_root else "run it as root, or allow user namespaces: sysctl user.max_user_namespaces"
        )
        raise MissingTool(f"no PID namespace: {last_line(done.stderr)}", hint=remedy)
    return f"unshare {' '.join(namespaces)}"


def _state_folder(folder: Path) -> str:
    if not folder.exists():
        return f"{folder} will be made at first use"
    status = folder.stat()
    if status.st_mode & 0o077:
        raise UsageError(f"{folder} is open to others ({status.st_mode & 0o777:04o})", hint=f"chmod 700 {folder}")
    if status.st_uid != os.geteuid():
        raise UsageError(
            f"{folder} belongs to user {status.st_uid}, not to you", hint=f"chown -R {os.geteuid()} {folder}"
        )
    return f"{folder}, yours alone"


def _space(folder: Path, needed: int) -> str:
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free / 1e9
    if free < needed:
        raise UsageError(
            f"{free:.1f} GB free for {folder}, {needed} GB needed", hint="make room, or choose another folder"
        )
    return f"{free:.0f} GB free for {folder}"


def _vault(environ: Mapping[str, str]) -> str:
    named = environ.get(VAULT, "")
    if not named:
        return f"none: {VAULT} is not set, so no inventory may hold vault files"
    path = Path(named)
    if not path.is_file() or not os.access(path, os.R_OK):
        raise UsageError(f"{path} cannot be read", hint=f"let {VAULT} name the file of the vault password")
    if path.stat().st_mode & 0o077:
        raise UsageError(f"{path} is open to others", hint=f"chmod 600 {path}")
    return str(path)


def _podman(cache: Path) -> str:
    engine: Engine = find_engine(cache)
    how = f"with settings of ours, {engine.settings}" if engine.settings else "with its defaults"
    return f"{engine.program} starts systemd containers {how}{', by sudo' if engine.sudo else ''}"


def _clock(now: datetime) -> Finding:
    """A clock before this package was installed is wrong; one that nothing is known to set is worth a word."""
    installed = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    text = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    set_it = "set the clock, and keep it right: apt-get install systemd-timesyncd"
    if now < installed:
        return Finding("clock", False, f"{text} is before these files were written", set_it)
    if shutil.which("timedatectl"):
        command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
        if subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() == "yes":
            return Finding("clock", True, f"{text}, synchronised")
    return Finding("clock", True, f"{text}, not known to be synchronised", set_it)
