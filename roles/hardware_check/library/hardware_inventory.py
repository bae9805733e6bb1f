#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Read the hardware of this Linux machine and hold it against a minimum.

Given `minimum` (the keys of MINIMUM_SPEC, each optional), return `hardware` (environment, cpu, memory_mb in MiB, disks
and free_gb in GB of 10^9 bytes, firmware, batteries, tpm) and `checks`, a list of `{name, asked, found, result}` where
result is `pass`, `fail` or `not_applicable`. Fails with one sentence that names every shortfall. Nothing is changed and
only /proc, /sys and /run are read, so check mode reads the same.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

MINIMUM_SPEC = {
    "cpus": {"type": "int"},
    "memory_mb": {"type": "int"},
    "disk_gb": {"type": "int"},
    "free_gb": {"type": "int"},
    "battery_health_percent": {"type": "int"},
    "require_tpm": {"type": "bool", "default": False},
    "require_uefi": {"type": "bool", "default": False},
    "require_secure_boot": {"type": "bool", "default": False},
}
NOT_DISKS = ("loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd", "mtdblock")
VIRTUAL_VENDORS = ("qemu", "vmware", "innotek", "xen", "parallels", "bochs")
PASS, FAIL, NOT_APPLICABLE = "pass", "fail", "not_applicable"
SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


@dataclass(frozen=True)
class Environment:
    """Where the system runs: kind is physical, virtual or container; label is how a sentence names it."""

    kind: str
    label: str


def text(path: Path) -> str:
    """The content of a small file without surrounding blanks; empty when it is absent or unreadable."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def number(path: Path) -> int | None:
    """The whole number in a file; None when there is none (cgroups write `max` for no limit)."""
    content = text(path)
    return int(content) if content.isdigit() else None


def read_environment(root: Path) -> Environment:
    """A container says so in /run; a hypervisor shows in the CPU flags or in the DMI vendor."""
    engine = text(root / "run/systemd/container")
    if engine or (root / "run/.containerenv").exists() or (root / ".dockerenv").exists():
        return Environment("container", f"a container ({engine})" if engine else "a container")
    vendor = text(root / "sys/class/dmi/id/sys_vendor")
    product = text(root / "sys/class/dmi/id/product_name")
    flags = next((line for line in text(root / "proc/cpuinfo").splitlines() if line.startswith("flags")), "").split()
    if (
        "hypervisor" in flags
        or vendor.lower().startswith(VIRTUAL_VENDORS)
        or text(root / "sys/hypervisor/type") == "xen"
    ):
        maker = f"{vendor} {product}".strip()
        return Environment("virtual", f"a virtual machine ({maker})" if maker else "a virtual machine")
    return Environment("physical", "this machine")


def read_cpu(root: Path, usable: int) -> dict:
    """Model and number of usable logical CPUs: the affinity given, lowered by a cgroup quota."""
    lines = text(root / "proc/cpuinfo").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    quota, _, period = text(root / "sys/fs/cgroup/cpu.max").partition(" ")
    if not quota:
        quota = text(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us")
        period = text(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us")
    if quota.isdigit() and period.isdigit():
        usable = min(usable, max(1, int(quota) // int(period)))
    return {"model": model, "cpus": usable}


def read_memory_mb(root: Path) -> int | None:
    """MiB of RAM that the kernel manages (MemTotal), lowered by a cgroup limit."""
    lines = text(root / "proc/meminfo").splitlines()
    total = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:")), None)
    limits = [
        number(root / "sys/fs/cgroup/memory.max"),
        number(root / "sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ]
    known = [value for value in (total, *limits) if value is not None]
    return min(known) // 1024**2 if known else None


def read_disks(root: Path) -> list[dict]:
    """The fixed disks: name, model, size_gb (10^9 bytes), rotational; no USB, removable or virtual device."""
    disks = []
    for device in sorted((root / "sys/block").glob("*")):
        if device.name.startswith(NOT_DISKS) or not (device / "device").exists():
            continue
        if number(device / "removable") == 1 or "/usb" in str(device.resolve()):
            continue
        size = (number(device / "size") or 0) * 512
        disks.append(
            {
                "name": device.name,
                "model": text(device / "device/model"),
                "size_gb": size // 10**9,
                "rotational": number(device / "queue/rotational") == 1,
            }
        )
    return disks


def read_firmware(root: Path) -> dict:
    """Kind (uefi, bios, or unknown without DMI), vendor, version, date, secure boot (None: no such thing)."""
    dmi = root / "sys/class/dmi/id"
    kind = "uefi" if (root / "sys/firmware/efi").is_dir() else "bios" if dmi.is_dir() else "unknown"
    try:
        secure_boot = (root / SECURE_BOOT).read_bytes()[-1:] == b"\x01"
    except OSError:
        secure_boot = None
    return {
        "kind": kind,
        "vendor": text(dmi / "bios_vendor"),
        "version": text(dmi / "bios_version"),
        "date": text(dmi / "bios_date"),
        "secure_boot": secure_boot,
    }


def read_batteries(root: Path) -> list[dict]:
    """The machine's own batteries, not a mouse's: name and full charge as percent of its design (None: unknown)."""
    batteries = []
    for supply in sorted((root / "sys/class/power_supply").glob("*")):
        if text(supply / "type") != "Battery" or text(supply / "scope") == "Device":
            continue
        health = None
        for unit in ("energy", "charge"):
            full, design = number(supply / f"{unit}_full"), number(supply / f"{unit}_full_design")
            if full and design:
                health = min(100, full * 100 // design)
        batteries.append({"name": supply.name, "health_percent": health})
    return batteries


def read_tpm(root: Path) -> dict:
    """Whether there is a TPM, and its major version as text (empty when the kernel does not tell)."""
    chip = root / "sys/class/tpm/tpm0"
    return {"present": chip.exists(), "version": text(chip / "tpm_version_major")}


def inventory(root: Path, *, usable_cpus: int, free_gb: int) -> dict:
    """Everything read under `root`. Disks, firmware, battery and TPM seen in a container are its host's: left out."""
    where = read_environment(root)
    own = where.kind != "container"
    nothing = Path(os.devnull)
    return {
        "environment": {"kind": where.kind, "label": where.label},
        "cpu": read_cpu(root, usable_cpus),
        "memory_mb": read_memory_mb(root),
        "free_gb": free_gb,
        "disks": read_disks(root) if own else [],
        "firmware": read_firmware(root if own else nothing),
        "batteries": read_batteries(root) if own else [],
        "tpm": read_tpm(root if own else nothing),
    }


def lacking(hardware: dict, what: str) -> tuple[str, str]:
    """(result, found) for a thing that is required and absent: a failure on real hardware, not applicable elsewhere."""
    where = hardware["environment"]
    if where["kind"] == "physical":
        return FAIL, f"no {what}"
    return NOT_APPLICABLE, f"{where['label']} has no {what} of its own"


def at_least(hardware: dict, *, asked: int, found: int | None, unit: str, what: str) -> tuple[str, str]:
    """(result, found) for an amount; None is a thing that is absent."""
    if found is None:
        return lacking(hardware, what)
    return PASS if found >= asked else FAIL, f"{found} {unit}".strip()


def required(hardware: dict, *, found: str, what: str) -> tuple[str, str]:
    """(result, found) for a thing that must be there; an empty `found` is one that is absent."""
    return (PASS, found) if found else lacking(hardware, what)


def judge_amounts(hardware: dict, minimum: dict) -> list[dict]:
    """One row for every amount asked for."""
    batteries = [battery["health_percent"] for battery in hardware["batteries"]]
    known = None not in batteries
    disk = max((disk["size_gb"] for disk in hardware["disks"]), default=None)
    amounts = (
        ("cpus", hardware["cpu"]["cpus"], "", "CPU"),
        ("memory_mb", hardware["memory_mb"], "MiB", "memory"),
        ("disk_gb", disk, "GB", "fixed disk"),
        ("free_gb", hardware["free_gb"], "GB", "file system"),
        ("battery_health_percent", min(batteries, default=None) if known else None, "%", "battery with a known health"),
    )
    rows = []
    for name, found, unit, what in amounts:
        asked = minimum.get(name)
        if asked is not None:
            result, seen = at_least(hardware, asked=asked, found=found, unit=unit, what=what)
            rows.append({"name": name, "asked": f"at least {asked} {unit}".strip(), "found": seen, "result": result})
    return rows


def judge_presence(hardware: dict, minimum: dict) -> list[dict]:
    """One row for every thing that must be there. Secure boot that exists and is off is a failure everywhere."""
    tpm, firmware = hardware["tpm"], hardware["firmware"]
    things = (
        ("require_tpm", f"TPM {tpm['version']}".strip() if tpm["present"] else "", "TPM"),
        ("require_uefi", "UEFI" if firmware["kind"] == "uefi" else "", "UEFI firmware"),
        ("require_secure_boot", "on" if firmware["secure_boot"] else "", "secure boot"),
    )
    rows = []
    for name, found, what in things:
        if minimum.get(name):
            result, seen = required(hardware, found=found, what=what)
            if name == "require_secure_boot" and firmware["secure_boot"] is False:
                result, seen = FAIL, "off"
            rows.append({"name": name, "asked": what, "found": seen, "result": result})
    return rows


def judge(hardware: dict, minimum: dict) -> list[dict]:
    """Given an inventory and a minimum, return the rows {name, asked, found, result}; what is not asked has none."""
    return judge_amounts(hardware, minimum) + judge_presence(hardware, minimum)


def shortfall(checks: list[dict]) -> str:
    """One sentence naming each check that failed; empty when none did."""
    failed = [f"{row['name']} (asked {row['asked']}, found {row['found']})" for row in checks if row["result"] == FAIL]
    return f"The hardware is below the minimum: {', '.join(failed)}." if failed else ""


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={"minimum": {"type": "dict", "default": {}, "options": MINIMUM_SPEC}},
        supports_check_mode=True,
    )
    hardware = inventory(
        Path("/"),
        usable_cpus=len(os.sched_getaffinity(0)),
        free_gb=shutil.disk_usage("/").free // 10**9,
    )
    checks = judge(hardware, module.params["minimum"])
    sentence = shortfall(checks)
    if sentence:
        module.fail_json(msg=sentence, hardware=hardware, checks=checks)
    module.exit_json(changed=False, hardware=hardware, checks=checks)


if __name__ == "__main__":
    main()
