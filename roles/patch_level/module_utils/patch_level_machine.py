# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""What a machine is and who is at it now, as far as updates ask for it. Standard library only."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

CLEAN = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}
ALWAYS, WHERE_MOUNTED = ("/", "/var"), ("/boot", "/usr")
SERVICE = "NEEDRESTART-SVC"
KERNEL_IS_OLDER = ("2", "3")  # another build of the running version, or a newer version, is installed


def run(*command, timeout=60):
    """Return (status, output, errors) of a program."""
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False, env=CLEAN,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def release(os_release=Path("/etc/os-release")):
    """Return the codename of the distribution, such as bookworm; empty where it has none."""
    lines = (line.partition("=") for line in os_release.read_text().splitlines())
    return next((value.strip().strip("\"'") for key, _, value in lines if key == "VERSION_CODENAME"), "")


def on_battery(supplies=Path("/sys/class/power_supply")):
    """Whether a machine that has mains power is off it now."""
    mains = [path.parent for path in supplies.glob("*/type") if path.read_text().strip() == "Mains"]
    return bool(mains) and not any((one / "online").read_text().strip() == "1" for one in mains)


def free_mib():
    """Return the free space by path: of / and /var in any case, of /boot and /usr where they are mount points."""
    paths = [*ALWAYS, *(path for path in WHERE_MOUNTED if os.path.ismount(path))]
    return {path: os.statvfs(path).f_bavail * os.statvfs(path).f_frsize >> 20 for path in paths}


def sessions(listed, shown):
    """Given what loginctl lists, and a function that shows a session, say who is at the machine.

    `graphical` where one session is a person's, graphical, active, and neither idle nor locked; else empty.
    """
    for line in listed.splitlines():
        if not line.strip():
            continue
        pairs = dict(pair.partition("=")[::2] for pair in shown(line.split()[0]).splitlines())
        here = pairs.get("Class") == "user" and pairs.get("Type") in ("x11", "wayland", "mir")
        if here and pairs.get("State") == "active" and "yes" not in (pairs.get("IdleHint"), pairs.get("LockedHint")):
            return "graphical"
    return ""


def session():
    """Return (who is at the machine now, why that is unknown); never a name."""
    try:
        status, listed, _ = run("loginctl", "list-sessions", "--no-legend", "--no-pager")
    except OSError:
        return "unknown", "there is no logind on this machine: nothing was looked at"
    if status:
        return "unknown", "logind does not answer: nothing was looked at"
    wanted = [f"--property={name}" for name in ("Class", "Type", "State", "IdleHint", "LockedHint")]
    return sessions(listed, lambda one: run("loginctl", "show-session", one, *wanted)[1]), ""


def needrestart(told):
    """Given what `needrestart -b` told, return (reasons for a restart, services that run on old files)."""
    pairs = [line.partition(": ")[::2] for line in told.splitlines() if line.startswith("NEEDRESTART-")]
    known = dict(pairs)
    older = known.get("NEEDRESTART-KSTA") in KERNEL_IS_OLDER
    running, installed = known.get("NEEDRESTART-KCUR", "?"), known.get("NEEDRESTART-KEXP", "?")
    reasons = [f"kernel {installed} is installed, {running} runs"] if older else []
    return reasons, sorted({value for key, value in pairs if key == SERVICE})


def stale():
    """Return (reasons for a restart, services that run on old files, why that was not looked at)."""
    try:
        status, told, _ = run("needrestart", "-b", "-r", "l", timeout=120)
    except OSError:
        return [], [], "needrestart is not installed: nothing was looked at"
    except subprocess.TimeoutExpired:
        return [], [], "needrestart did not end in time: nothing was looked at"
    if status or "NEEDRESTART-VER" not in told:
        return [], [], f"needrestart gave no answer (exit {status}): nothing was looked at"
    return *needrestart(told), ""


def units(*options):
    """Return the units that systemd lists with some options, by name."""
    told = run("systemctl", "list-units", *options, "--plain", "--no-legend", "--no-pager")[1]
    return sorted(line.split()[0] for line in told.splitlines() if line.strip())


def devices(folder=Path("/sys/bus/pci/devices")):
    """Return the PCI devices as vendor:device, hex, each once."""
    pairs = ([(one / name).read_text().strip()[2:] for name in ("vendor", "device")] for one in folder.glob("*"))
    return sorted({":".join(pair) for pair in pairs})


def modules(path=Path("/proc/modules")):
    """Return the kernel modules that are loaded."""
    return sorted(line.split()[0] for line in path.read_text().splitlines()) if path.exists() else []
