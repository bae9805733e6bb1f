#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Read what updates this machine waits for, and return it as the fact `patch_level`.

With `refresh` the lists of packages are fetched first, waiting at most `patience` seconds for another program that has
them locked. The fact: `pending`, a list of `{name, architecture, before, version, sha256, origin, security, kept}`, in
order, where `before` is empty for a package that an update brings along and `kept` says why an update would not be
taken (`held`, `phased`, `removal`, `dependencies`), else empty; `restart`, the reasons for which a restart is due;
`boot`, the identity of this boot; `failed_units`; `free_mib` of the file systems of / and /var; `interrupted`, whether
dpkg was; `on_battery`. Lists of packages that cannot be fetched fail the task: what is not known is not current.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.patch_level_boot import boot, restart_reasons

CLEAN = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}


def run(*command, timeout=60):
    """Return (status, output, errors) of a program."""
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False, env=CLEAN,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def refresh(patience):
    """Fetch the lists of packages; raise OSError with apt's own words when one of them could not be."""
    deadline = time.monotonic() + patience
    while True:
        command = ["apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update"]
        status, _, errors = run(*command, timeout=patience + 300)
        if status == 0:
            return
        locked = "Could not get lock" in errors or "Unable to lock" in errors
        if not locked or time.monotonic() > deadline:
            said = [line for line in errors.splitlines() if line.startswith(("E:", "W:"))] or errors.splitlines()
            raise OSError(f"apt-get update: {said[0] if said else f'exit {status}'}")
        time.sleep(2)


def is_security(origin):
    """Whether an origin is one of security updates."""
    return origin.archive.endswith("-security") or origin.label == "Debian-Security"


def pending():
    """Return the pending updates, as the docstring of the module says."""
    import apt
    import apt_pkg

    cache = apt.Cache()
    offered = [package for package in cache if package.is_upgradable]
    cache.upgrade(dist_upgrade=True)
    removal = any(package.marked_delete for package in cache.get_changes())
    if removal:
        cache.clear()
        cache.upgrade(dist_upgrade=False)
    brought = [package for package in cache.get_changes() if package.marked_install]
    rows = []
    for package in sorted({*offered, *brought}, key=lambda one: (one.shortname, one.architecture())):
        held = package._pkg.selected_state == apt_pkg.SELSTATE_HOLD
        phased = getattr(package, "phasing_applied", False)
        taken = package.marked_upgrade or package.marked_install
        why = "held" if held else "phased" if phased else "removal" if removal else "dependencies"
        candidate = package.candidate
        origin = candidate.origins[0]
        rows.append(
            {
                "name": package.shortname,
                "architecture": candidate.architecture,
                "before": package.installed.version if package.installed else "",
                "version": candidate.version,
                "sha256": candidate.sha256 or "",
                "origin": f"{origin.origin} {origin.archive}".strip(),
                "security": any(is_security(one) for one in candidate.origins),
                "kept": "" if taken and not held else why,
            }
        )
    return rows


def on_battery():
    """Whether a machine that has mains power is off it now."""
    supplies = Path("/sys/class/power_supply")
    mains = [path.parent for path in supplies.glob("*/type") if path.read_text().strip() == "Mains"]
    return bool(mains) and not any((one / "online").read_text().strip() == "1" for one in mains)


def level():
    """Return the whole fact."""
    units = run("systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager")[1]
    return {
        "pending": pending(),
        "restart": restart_reasons(),
        "boot": boot(),
        "failed_units": sorted(line.split()[0] for line in units.splitlines() if line.strip()),
        "free_mib": {path: os.statvfs(path).f_bavail * os.statvfs(path).f_frsize >> 20 for path in ("/", "/var")},
        "interrupted": bool(run("dpkg", "--audit")[1].strip()) or any(Path("/var/lib/dpkg/updates").glob("[0-9]*")),
        "on_battery": on_battery(),
    }


def main():
    """Refresh, read, return."""
    module = AnsibleModule(
        argument_spec={"refresh": {"type": "bool", "default": True}, "patience": {"type": "int", "default": 300}},
        supports_check_mode=True,
    )
    try:
        import apt  # noqa: F401
    except ImportError:
        module.fail_json(msg="python3-apt is missing on this machine; install it: apt-get install python3-apt")
    try:
        if module.params["refresh"]:
            refresh(module.params["patience"])
        found = level()
    except (OSError, SystemError, subprocess.TimeoutExpired) as problem:
        module.fail_json(msg=f"The patch level cannot be read: {problem}")
    module.exit_json(changed=False, ansible_facts={"patch_level": found})


if __name__ == "__main__":
    main()
