# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Readers for patched_packages: what dpkg, systemd and the boot itself say after an update. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path

from ansible.module_utils.acceptance_rows import compare, not_applicable, output, row
from ansible.module_utils.acceptance_software import records

FLAG = Path("/run/reboot-required")


def package_versions(check):
    """Each package in exactly the version that was chosen, wholly installed."""
    known = records()
    for package in check["asked"]:
        named = known.get(f"{package['name']}:{package['architecture']}") or known.get(package["name"])
        state, version = named or ("absent", "")
        found = version if state == "installed" else f"{state} {version}".strip()
        yield row(f"{check['name']} {package['name']}", package["version"], found, ok=found == package["version"])


def kept_back(check):
    """Each update that was offered and is not taken, with the reason: it was not done, and not to be done."""
    for package in check["asked"]:
        yield not_applicable(f"{check['name']} {package['name']}", package["version"], package["why"])


def pending_updates(check):
    """As many updates are pending as the first reading found; apt's own list is another program's."""
    listed = [line for line in output("apt", "list", "--upgradable").splitlines() if "upgradable from" in line]
    yield compare(check["name"], int(check["asked"]), len(listed))


def complaint(check):
    """What the installer said."""
    yield row(check["name"], check["asked"], check["said"] or "no complaint", ok=not check["said"])


def not_now(check):
    """A machine whose turn is put off: nothing was done, for the reason that is given."""
    yield not_applicable(check["name"], check["asked"], check["reason"])


def dpkg(check):
    """No package is half installed or half configured."""
    audit = output("dpkg", "--audit").split("\n")
    broken = [line.split()[0] for line in audit if line.startswith(" ") and line.strip()]
    broken += [path.name for path in Path("/var/lib/dpkg/updates").glob("[0-9]*")]
    yield row(check["name"], check["asked"], broken or "whole", ok=not broken)


def restart(check):
    """After a restart another boot answers; and none is due, unless the contract says never."""
    ticks = Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19]
    boot = f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}/{ticks}"
    if check["before"]:
        found = "the same boot" if boot == check["before"] else "another boot"
        yield compare(f"{check['name']} done", "another boot", found)
    # A flag that is older than this boot says nothing: the machine was restarted since.
    kernel = next(int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines() if line[:6] == "btime ")
    due = FLAG.exists() and FLAG.stat().st_mtime > kernel + int(ticks) / os.sysconf("SC_CLK_TCK")
    if due and check["asked"] == "never":
        yield not_applicable(f"{check['name']} due", "none due", "one is due; the contract says never")
    else:
        yield row(f"{check['name']} due", "none due", "one is due" if due else "none due", ok=not due)


def failed_units(check):
    """No unit of systemd has failed that had not before."""
    lines = output("systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager").splitlines()
    failed = sorted({line.split()[0] for line in lines if line.strip()} - set(check["asked"]))
    yield row(check["name"], "none failed since", failed or "none failed since", ok=not failed)


READERS = {
    "complaint": complaint,
    "dpkg": dpkg,
    "failed_units": failed_units,
    "kept_back": kept_back,
    "not_now": not_now,
    "package_versions": package_versions,
    "pending_updates": pending_updates,
    "restart": restart,
}
