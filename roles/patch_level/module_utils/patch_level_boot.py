# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Which boot this is, and whether another one is due. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path

FLAG = Path("/run/reboot-required")


def booted():
    """Return when the first process started, in seconds since the epoch: in a container later than the kernel."""
    ticks = int(Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19])
    kernel = next(int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines() if line[:6] == "btime ")
    return kernel + ticks / os.sysconf("SC_CLK_TCK")


def boot():
    """Return the identity of this boot: the kernel's and the start of the first process (both change on a machine)."""
    ticks = Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19]
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}/{ticks}"


def restart_reasons():
    """Return why a restart is due. A flag older than this boot says nothing: the machine was restarted since."""
    if not FLAG.exists() or FLAG.stat().st_mtime <= booted():
        return []
    packages = Path(f"{FLAG}.pkgs")
    named = sorted(set(packages.read_text().split())) if packages.exists() else []
    return named or ["a package asked for it"]
