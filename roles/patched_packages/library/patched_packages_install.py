#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Install packages in exactly the versions that are given.

Given `packages` (rows of patched_packages_choice), `staying`, {name: version} of those that must not change, the id of
the `rollout`, `folder`, and `pool`: whether they come from the files in `folder`/pool, each named by its SHA-256, and
from nowhere else, instead of the machine's own repositories. apt's timers are stopped for the time and started again;
another program that has dpkg locked is waited for, at most `patience` seconds; an interrupted dpkg is repaired first.
Settings that were changed on the machine are kept; nothing is removed and nothing is forced. Without a pool what is
about to be installed is noted, and its files are fetched first. With `put_off` nothing is done but to start the timers
that an earlier work, killed in the middle, has left stopped.

Returns `trouble`, the installer's complaint in one line, else empty: it does not fail the task, since what became of
the machine is read afterwards in any case. `waited` seconds, `repaired`, `tied` (the packages that stay because one
that must not change does), `restart` (why one is due), `stale_services`, and without a pool `archives`, a list of
`{path, sha256}` of the files, those of an earlier try that was cut short included.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.patch_level_boot import restart_reasons
from ansible.module_utils.patch_level_machine import stale
from ansible.module_utils.patched_packages_resolving import tied_ones, write_preferences
from ansible.module_utils.patched_packages_timers import quiet, restore

CLEAN = {
    "LC_ALL": "C",
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "DEBIAN_FRONTEND": "noninteractive",
    "UCF_FORCE_CONFFOLD": "1",
    "NEEDRESTART_SUSPEND": "1",
}
NOTE = Path("/var/lib/provisioner/rollout.json")
LOCK = Path("/var/lib/dpkg/lock-frontend")
KEEP_SETTINGS = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
LONGEST = 2700


class Trouble(Exception):
    """The installer's complaint."""


def run(*command, timeout=LONGEST, folder="/"):
    """Run a program; raise Trouble with the line in which it says why it failed."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False, env=CLEAN,
            stdin=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Trouble(f"{command[0]} did not end within {timeout} s") from None
    if done.returncode:
        lines = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
        which = [line for line in lines if line.startswith("dpkg: error")]
        told = which or [line for line in lines if line.startswith("E: ")] or lines or ["no reason given"]
        raise Trouble(f"{Path(command[0]).name}: {told[0]} (exit {done.returncode})")
    return done.stdout


def wait_for_dpkg(patience):
    """Wait until no other program has dpkg locked; return the seconds it took. Raises Trouble after `patience`."""
    begun = time.monotonic()
    while True:
        with LOCK.open("a") as handle:
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                pass
            else:
                return int(time.monotonic() - begun)
        if time.monotonic() - begun > patience:
            raise Trouble(f"another program has dpkg locked for more than {patience} s")
        time.sleep(1)


def repair():
    """Finish what an interrupted dpkg left; return whether there was anything."""
    audit = subprocess.run(["dpkg", "--audit"], capture_output=True, text=True, check=False, env=CLEAN).stdout
    if not audit.strip() and not any(Path("/var/lib/dpkg/updates").glob("[0-9]*")):
        return False
    # A package that cannot be configured may be the very one that is to be replaced: what is left is read afterwards.
    with suppress(Trouble):
        run("dpkg", "--force-confdef", "--force-confold", "--configure", "--pending")
    return True


def digest(path):
    """SHA-256 of a file, hex."""
    found = hashlib.sha256()
    with path.open("rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            found.update(block)
    return found.hexdigest()


def repository(folder):
    """Make a repository of the files in `folder`/pool; return the options with which apt knows no other.

    Raises Trouble for a file that is not what its name says.
    """
    pool, stanzas = folder / "pool", []
    for path in sorted(pool.glob("*.deb")):
        if digest(path) != path.stem:
            raise Trouble(f"{path.name} is not the file that the lock names")
        control = run("dpkg-deb", "--field", str(path)).strip()
        stanzas.append(f"{control}\nFilename: ./{path.name}\nSize: {path.stat().st_size}\nSHA256: {path.stem}\n")
    (pool / "Packages").write_text("\n".join(stanzas))
    listed = folder / "pool.list"
    listed.write_text(f"deb [trusted=yes] file:{pool} ./\n")
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    options = {"Dir::Etc::sourcelist": listed, "Dir::Etc::sourceparts": "-", "Dir::State::lists": folder / "lists"}
    chosen = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    run("apt-get", "-q", *chosen, "update")
    return chosen


def options(folder, *, pool, patience):
    """Return the options with which apt does what is asked for here."""
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    found = [*KEEP_SETTINGS, "-o", f"DPkg::Lock::Timeout={patience}", "-o", f"Dir::Cache::archives={archives}"]
    found += ["-o", "APT::Keep-Downloaded-Packages=true", "--no-remove", "--only-upgrade"]
    return [*found, *repository(folder)] if pool and any((folder / "pool").glob("*.deb")) else found


def exactly(row):
    """Return a package in the version it is to have, as apt-get takes it."""
    return f"{row['name']}:{row['architecture']}={row['version']}".replace(":all=", "=")


def remember(rollout, packages):
    """Note what is about to be installed, beside what earlier tries of the rollout were given."""
    try:
        note = json.loads(NOTE.read_text())
    except (OSError, ValueError):
        note = {}
    known = note["packages"] if note.get("rollout") == rollout else []
    keyed = {(row["name"], row["architecture"]): row for row in [*known, *packages]}
    NOTE.parent.mkdir(mode=0o755, exist_ok=True)
    NOTE.write_text(json.dumps({"rollout": rollout, "packages": list(keyed.values())}))


def fetch(archives, packages, chosen):
    """Fetch the files of packages, and return them; apt leaves none of a repository on the machine itself."""
    if packages:
        run("apt-get", "-q", "-y", *chosen, "--download-only", "install", *map(exactly, packages))
    found = {digest(path): path for path in archives.glob("*.deb")}
    lacking = [row for row in packages if row["sha256"] not in found]
    if lacking:
        run("apt-get", "-q", "download", *map(exactly, lacking), folder=archives)
        found = {digest(path): path for path in archives.glob("*.deb")}
    return [{"path": str(path), "sha256": name} for name, path in sorted(found.items())]


def work(given, told):
    """Do all of it; add to what the task tells."""
    told["waited"] = wait_for_dpkg(given["patience"])
    told["repaired"] = repair()
    folder, packages = Path(given["folder"]), given["packages"]
    chosen = options(folder, pool=given["pool"], patience=given["patience"])
    if packages and given["staying"]:
        chosen += write_preferences(given["staying"], folder / "preferences")
        told["tied"] = tied_ones(packages, given["staying"], chosen)
        packages = [row for row in packages if row not in told["tied"]]
    if not given["pool"]:
        remember(given["rollout"], packages)
        told["archives"] = fetch(folder / "archives", packages, chosen)
    if packages:
        run("apt-get", "-q", "-y", *chosen, "install", *map(exactly, packages))


def main():
    """Install, then say whether a restart is due."""
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "dict", "required": True},
            "staying": {"type": "dict", "default": {}},
            "rollout": {"type": "str", "default": ""},
            "folder": {"type": "str", "required": True},
            "pool": {"type": "bool", "default": False},
            "patience": {"type": "int", "default": 600},
            "put_off": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    told = {"trouble": "", "waited": 0, "repaired": False, "tied": [], "archives": []}
    if module.params["put_off"]:
        if not module.check_mode:
            restore()
        module.exit_json(changed=False, restart=[], stale_services=[], **told)
    if not module.check_mode:
        with quiet():
            try:
                work(module.params, told)
            except (Trouble, OSError, SystemError) as problem:
                told["trouble"] = str(problem)
    asked, stale_services, _ = stale()
    changed = len(module.params["packages"]) > len(told["tied"]) or told["repaired"]
    module.exit_json(changed=changed, restart=restart_reasons() + asked, stale_services=stale_services, **told)


if __name__ == "__main__":
    main()
