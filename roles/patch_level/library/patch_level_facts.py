#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Read what updates this machine waits for, and return it as the fact `patch_level`.

With `refresh` the lists of packages are fetched first, waiting at most `patience` seconds for another program that has
them locked. The fact: `release`, the codename of the distribution; `pending`, a list of `{name, architecture, before,
version, sha256, origin, security, kept, source, source_before, source_version, undo}`, in order, where `before` is
empty for a package that an update brings along, `kept` says why an update would not be taken (`held`, `phased`,
`removal`, `dependencies`), else empty, and `undo` whether the installed version can be had again; `restart`, the
reasons for which a restart is due; `boot`, the identity of this boot; `failed_units`; `services`, those that run;
`stale_services`, those that run on files from before an update; `free_mib` by mount point; `interrupted`, whether dpkg
was; `on_battery`; `session`, who is at the machine; `devices` and `modules`; `unseen`, a list of `{name, why}`: what
this machine has no program to look at. Lists of packages that cannot be fetched fail the task: what is not known is not
current.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.patch_level_boot import boot, restart_reasons
from ansible.module_utils.patch_level_machine import (
    devices,
    free_mib,
    modules,
    on_battery,
    release,
    run,
    session,
    stale,
    units,
)

ARCHIVES = Path("/var/cache/apt/archives")


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


def undoable(version):
    """Whether an installed version can be had again: a repository offers it, or apt kept its file."""
    offered = any(origin.archive != "now" for origin in version.origins)
    file = f"{version.package.shortname}_{version.version.replace(':', '%3a')}_{version.architecture}.deb"
    return offered or (ARCHIVES / file).exists()


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
        candidate, installed = package.candidate, package.installed
        origin = candidate.origins[0]
        rows.append(
            {
                "name": package.shortname,
                "architecture": candidate.architecture,
                "before": installed.version if installed else "",
                "version": candidate.version,
                "sha256": candidate.sha256 or "",
                "origin": f"{origin.origin} {origin.archive}".strip(),
                "security": any(is_security(one) for one in candidate.origins),
                "kept": "" if taken and not held else why,
                "source": (installed or candidate).source_name,
                "source_before": installed.source_version if installed else "",
                "source_version": candidate.source_version,
                "undo": bool(installed) and undoable(installed),
            }
        )
    return rows


def level():
    """Return the whole fact."""
    asked, stale_services, no_needrestart = stale()
    who, no_logind = session()
    unseen = [("stale services", no_needrestart), ("session", no_logind)]
    return {
        "release": release(),
        "pending": pending(),
        "restart": restart_reasons() + asked,
        "boot": boot(),
        "failed_units": units("--failed"),
        "services": units("--type=service", "--state=running"),
        "stale_services": stale_services,
        "free_mib": free_mib(),
        "interrupted": bool(run("dpkg", "--audit")[1].strip()) or any(Path("/var/lib/dpkg/updates").glob("[0-9]*")),
        "on_battery": on_battery(),
        "session": who,
        "devices": devices(),
        "modules": modules(),
        "unseen": [{"name": name, "why": why} for name, why in unseen if why],
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
