"""The image of a practice machine: a Debian release, built here from this machine's own package sources."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.errors import ExecutionError, MissingTool
from provisioner.lab.engine import last_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.lab.engine import Engine

REPOSITORY = "localhost/provisioner-lab"
INSTALLED = (
    *("ca-certificates", "dbus", "hostname", "iproute2", "openssh-server", "procps", "python3", "python3-apt", "sudo"),
    *("systemd", "systemd-sysv"),
)
PREFETCHED = (
    *("console-setup", "cups", "curl", "git", "htop", "keyboard-configuration", "locales", "network-manager"),
    *("nftables", "rsync", "systemd-timesyncd", "vim"),
)
PREPARE = Path(__file__).with_name("prepare.sh")
CHANGES = ('CMD ["/sbin/init"]', "STOPSIGNAL SIGRTMIN+3")
OPTIONS = ("Acquire::Check-Valid-Until", "Acquire::Check-Date", "Acquire::http::Proxy", "Acquire::https::Proxy")


@dataclass(frozen=True)
class Recipe:
    """All that an image is made from. `sources` are lines of sources.list, `options` lines of apt.conf."""

    release: str
    sources: tuple[str, ...]
    options: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Twelve hex digits that change whenever the image would."""
        parts = (self.release, *self.sources, *self.options, *INSTALLED, *PREFETCHED, *CHANGES, PREPARE.read_text())
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    @property
    def reference(self) -> str:
        """The image's full name in podman's storage."""
        return f"{REPOSITORY}:{self.release}-{self.digest}"


def read_recipe(release: str) -> Recipe:
    """Return the recipe for a Debian release (its code name), from the package sources of this machine.

    Raises MissingTool where this is no Debian machine with package lists: an existing image can be named instead.
    """
    fields = "$(CREATED_BY)|$(ORIGIN)|$(COMPONENT)|$(CODENAME)|$(REPO_URI)"
    targets = [line.split("|") for line in _output("apt-get", "indextargets", "--format", fields).splitlines()]
    places = {codename: uri for kind, origin, component, codename, uri in targets
              if (kind, origin, component) == ("Packages", "Debian", "main")}  # fmt: skip
    here = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    if here not in places:
        raise MissingTool(
            "a practice machine is built from Debian package sources, and this machine's apt knows none",
            hint="apt-get update on a Debian machine, or name an existing image",
        )
    sources = [f"deb {places[here]} {release} main", f"deb {places[here]} {release}-updates main"]
    if security := places.get(f"{here}-security"):
        sources.append(f"deb {security} {release}-security main")
    configured = _output("apt-config", "dump", "Acquire").splitlines()
    options = tuple(line for line in configured if line.split(" ")[0] in OPTIONS)
    return Recipe(release, tuple(sources), options)


def ensure_image(engine: Engine, release: str, *, cache: Path, say: Callable[[str], None]) -> str:
    """Return the full name of the image of `release`, building and importing it first when it is not there.

    It is also tagged `localhost/provisioner-lab:<release>`. The tree is kept under `cache`, so that an image removed
    from podman's storage comes back without a download.
    """
    recipe = read_recipe(release)
    if _exists(engine, recipe):
        return recipe.reference
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache / f"{release}.lock"):
        if _exists(engine, recipe):  # made by another session while this one waited
            return recipe.reference
        tree = cache / f"{release}-{recipe.digest}.tar"
        if not tree.exists():
            say(f"building Debian {release} for the practice machines (once, about two minutes)")
            _build(recipe, tree, sudo=engine.sudo)
            for old in set(cache.glob(f"{release}-*.tar")) - {tree}:
                old.unlink()
        say(f"importing {recipe.reference}")
        engine.call("import", *(f"--change={change}" for change in CHANGES), str(tree), recipe.reference, seconds=600)
        engine.call("tag", recipe.reference, f"{REPOSITORY}:{release}")
    return recipe.reference


def _exists(engine: Engine, recipe: Recipe) -> bool:
    return engine.attempt("image", "exists", recipe.reference).returncode == 0


def _build(recipe: Recipe, tree: Path, *, sudo: bool) -> None:
    """Write the tree of a practice machine as a tar file, whole or not at all."""
    if shutil.which("mmdebstrap") is None:
        raise MissingTool("mmdebstrap is not on this machine", hint="apt-get install mmdebstrap")
    command = [*(("sudo",) if sudo else ()), "env", f"PREFETCH={' '.join(PREFETCHED)}", "mmdebstrap", "--quiet"]
    command += ["--variant=minbase", "--format=tar", "--skip=cleanup/apt", f"--include={','.join(INSTALLED)}"]
    command += ["--dpkgopt=force-unsafe-io", f"--customize-hook={PREPARE}"]  # no fsync for each file, then or later
    command += [f"--aptopt={option}" for option in recipe.options]
    partial = tree.with_suffix(".partial")
    with partial.open("wb") as out:
        done = subprocess.run(
            [*command, recipe.release, "-", *recipe.sources], stdout=out, stderr=subprocess.PIPE, text=True, check=False
        )
    if done.returncode:
        partial.unlink()
        raise ExecutionError(f"mmdebstrap could not build Debian {recipe.release}: {_complaint(done.stderr)}")
    partial.rename(tree)


def _complaint(text: str) -> str:
    """Return the errors among what mmdebstrap and apt said, or the last thing said."""
    errors = [line for line in text.splitlines() if line.startswith("E:")]
    return "; ".join(errors) or last_line(text)


def _output(*command: str) -> str:
    if shutil.which(command[0]) is None:
        raise MissingTool(f"{command[0]} is not on this machine", hint="name an existing image: building needs Debian")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ExecutionError(f"{' '.join(command[:2])} failed ({done.returncode}): {last_line(done.stderr)}")
    return done.stdout


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock file for the time of the block, so that two sessions do not build the same image."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
