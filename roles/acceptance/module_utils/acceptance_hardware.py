# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Readers for hardware_check: amounts and presence of hardware. Standard library only.

What a container or a virtual machine lacks is not applicable with the reason; what real hardware lacks is a failure.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from ansible.module_utils.acceptance_rows import in_container, not_applicable, output, row, settings

SUPPLIES = Path("/sys/class/power_supply")
SECURE_BOOT = Path("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c")


def absent(check, asked, what):
    """Return the row of a thing that is not there; why that may be so depends on what kind of machine this is."""
    if in_container():
        return not_applicable(check["name"], asked, f"a container has no {what} of its own")
    machine = output("systemd-detect-virt", "--vm").strip()
    if machine not in ("", "none"):
        return not_applicable(check["name"], asked, f"a virtual machine ({machine}) without {what}")
    return row(check["name"], asked, f"no {what}", ok=False)


def amount(what, unit, read):
    """Return a reader of an amount; `read` returns it as a whole number, or None if there is no such thing."""

    def reader(check):
        asked = f"at least {check['asked']} {unit}".strip()
        found = read()
        if found is None:
            yield absent(check, asked, what)
        else:
            yield row(check["name"], asked, f"{found} {unit}".strip(), ok=found >= int(check["asked"]))

    return reader


def presence(what, read):
    """Return a reader of a thing; `read` returns None if there is no such thing, otherwise (found, ok)."""

    def reader(check):
        found = read()
        yield absent(check, what, what) if found is None else row(check["name"], what, found[0], ok=found[1])

    return reader


def cpus():
    """Logical CPUs that a process may use, as coreutils counts them."""
    return int(output("nproc"))


def memory_mb():
    """MiB of RAM, as the C library tells it."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024**2


def disk_gb():
    """GB of 10^9 bytes of the largest fixed disk, as lsblk lists them."""
    if in_container():
        return None
    listed = json.loads(output("lsblk", "--json", "--bytes", "--nodeps", "--output", "NAME,TYPE,SIZE,RM,TRAN"))
    disks = (disk for disk in listed["blockdevices"] if disk["type"] == "disk" and not disk["name"].startswith("zram"))
    sizes = [int(disk["size"]) // 10**9 for disk in disks if not disk["rm"] and disk["tran"] != "usb"]
    return max(sizes, default=None)


def battery_health_percent():
    """Full charge of the worst battery in percent of its design; 0 if one does not tell."""
    if in_container():
        return None
    supplies = [{key[13:]: value for key, value in settings(path).items()} for path in SUPPLIES.glob("*/uevent")]
    batteries = [one for one in supplies if one.get("TYPE", "Battery") == "Battery" and one.get("SCOPE") != "Device"]
    return min((health(one) for one in batteries if one.get("PRESENT") == "1"), default=None)


def health(battery):
    """Return percent of the design, from energy (Wh) or charge (Ah)."""
    for unit in ("ENERGY", "CHARGE"):
        full, design = battery.get(f"{unit}_FULL", ""), battery.get(f"{unit}_FULL_DESIGN", "")
        if full.isdigit() and design.isdigit() and int(design):
            return min(100, int(full) * 100 // int(design))
    return 0


def tpm():
    """The device node of a TPM."""
    node = next(iter(() if in_container() else sorted(Path("/dev").glob("tpm[0-9]*"))), None)
    return (node.name, True) if node else None


def uefi():
    """The width of the firmware that started the kernel, which only UEFI tells."""
    width = Path("/sys/firmware/efi/fw_platform_size")
    return (f"UEFI, {width.read_text().strip()} bits", True) if width.is_file() and not in_container() else None


def secure_boot():
    """The firmware's own variable: its last byte is 1 if secure boot is on."""
    if in_container() or not SECURE_BOOT.is_file():
        return None
    on = SECURE_BOOT.read_bytes().endswith(b"\x01")
    return ("on" if on else "off"), on


READERS = {
    "cpus": amount("CPU", "", cpus),
    "memory_mb": amount("memory", "MiB", memory_mb),
    "disk_gb": amount("fixed disk", "GB", disk_gb),
    "battery_health_percent": amount("battery", "%", battery_health_percent),
    "require_tpm": presence("TPM", tpm),
    "require_uefi": presence("UEFI firmware", uefi),
    "require_secure_boot": presence("secure boot", secure_boot),
}
