# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Readers for patched_packages: what dpkg, systemd and the boot itself say after an update. Standard library only."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ansible.module_utils.acceptance_rows import compare, not_applicable, output, row
from ansible.module_utils.acceptance_software import records

FLAG = Path("/run/reboot-required")
NEEDRESTART_SECONDS = 120
START_SECONDS = 20
LEAST_FREE_MIB = 16
ABSENT = "needrestart is not installed: nothing was looked at"


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


def unseen(check):
    """What this machine has no program to look at, each with the reason."""
    for one in check["asked"]:
        yield not_applicable(f"{check['name']} {one['name']}", "looked at", one["why"])


def told(check):
    """What the work met on its way and dealt with."""
    yield row(check["name"], check["asked"], check["said"], ok=True)


def needrestart(*options):
    """Return the [(key, value)] that needrestart tells; None on a machine without it, OSError where it says nothing."""
    try:
        lines = output("needrestart", "-b", "-r", "l", *options, seconds=NEEDRESTART_SECONDS).splitlines()
    except FileNotFoundError:
        return None
    if not any(line.startswith("NEEDRESTART-VER") for line in lines):
        raise OSError("needrestart gave no answer")
    return [line.partition(": ")[::2] for line in lines]


def stale_services(check):
    """No service runs on files from before an update; what needrestart left alone is named."""
    known = needrestart("-l")
    if known is None:
        yield not_applicable(check["name"], check["asked"], ABSENT)
        return
    named = sorted(value for key, value in known if key == "NEEDRESTART-SVC")
    if named:
        why = f"{', '.join(named)}: on files from before an update; needrestart does not restart it by itself"
        yield not_applicable(check["name"], check["asked"], why)
    else:
        yield compare(check["name"], check["asked"], "none")


def started_by_itself(names):
    """Return those services that the machine starts by itself: another unit wants them, and they are no person's."""
    if not names:
        return []
    told = output("systemctl", "show", "--property=Id,WantedBy,RequiredBy", *names)
    units = [dict(line.split("=", 1) for line in one.splitlines() if "=" in line) for one in told.split("\n\n")]
    wanted = [unit["Id"] for unit in units if unit.get("WantedBy") or unit.get("RequiredBy")]
    return [name for name in wanted if not name.startswith(("user@", "user-runtime-dir@"))]


def services_back(check):
    """Each service that ran before the work, and that the machine starts by itself, runs again."""
    asked = started_by_itself(check["asked"])
    late = time.monotonic() + START_SECONDS
    while True:
        lines = output("systemctl", "list-units", "--type=service", "--state=running", "--plain", "--no-legend")
        missing = sorted(set(asked) - {line.split()[0] for line in lines.splitlines() if line.strip()})
        if not missing or time.monotonic() > late:
            break
        time.sleep(1)
    yield row(check["name"], f"{len(asked)} run", missing or f"{len(asked)} run", ok=not missing)


def disk_sane(check):
    """The file systems of / and /var can be written to, and are not full."""
    for path in ("/", "/var"):
        found = os.statvfs(path)
        free = found.f_bavail * found.f_frsize >> 20
        full = free < LEAST_FREE_MIB or (found.f_files > 0 and found.f_favail == 0)
        state = "read-only" if found.f_flag & os.ST_RDONLY else "full" if full else check["asked"]
        yield compare(f"{check['name']} {path}", check["asked"], state)


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
    reasons = restart_reasons(int(ticks))
    if reasons and check["asked"] == "never":
        why = f"{', '.join(reasons)}; the contract says never"
        yield not_applicable(f"{check['name']} due", "none due", why)
    else:
        yield row(f"{check['name']} due", "none due", reasons or "none due", ok=not reasons)


def restart_reasons(ticks):
    """Return why a restart is due: a package asked for it since this boot, or another kernel is installed than runs."""
    kernel = next(int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines() if line[:6] == "btime ")
    # A flag that is older than this boot says nothing: the machine was restarted since.
    asked = FLAG.exists() and FLAG.stat().st_mtime > kernel + ticks / os.sysconf("SC_CLK_TCK")
    known = dict(needrestart("-k") or ())
    older = known.get("NEEDRESTART-KSTA") in ("2", "3")
    return ["one is due"] * asked + [f"kernel {known.get('NEEDRESTART-KEXP')} does not run"] * older


def failed_units(check):
    """No unit of systemd has failed that had not before."""
    lines = output("systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager").splitlines()
    failed = sorted({line.split()[0] for line in lines if line.strip()} - set(check["asked"]))
    yield row(check["name"], "none failed since", failed or "none failed since", ok=not failed)


READERS = {
    "complaint": complaint,
    "disk_sane": disk_sane,
    "dpkg": dpkg,
    "failed_units": failed_units,
    "kept_back": kept_back,
    "not_now": not_now,
    "package_versions": package_versions,
    "pending_updates": pending_updates,
    "restart": restart,
    "services_back": services_back,
    "stale_services": stale_services,
    "told": told,
    "unseen": unseen,
}
