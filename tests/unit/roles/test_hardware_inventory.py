"""The module of the role hardware_check, over small /proc and /sys trees."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from types import ModuleType

SOURCE = Path(__file__).parents[3] / "roles/hardware_check/library/hardware_inventory.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hardware_inventory", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


hardware_inventory = load()

LAPTOP = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Core X\nflags\t\t: fpu sse\n",
    "proc/meminfo": "MemTotal:        8032164 kB\nMemFree: 1 kB\n",
    "sys/class/dmi/id/sys_vendor": "LENOVO\n",
    "sys/class/dmi/id/bios_vendor": "LENOVO\n",
    "sys/class/dmi/id/bios_version": "N2XET38W\n",
    "sys/class/dmi/id/bios_date": "02/14/2024\n",
    "sys/firmware/efi/fw_platform_size": "64\n",
    "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": "\x06\x00\x00\x00\x01",
    "sys/block/nvme0n1/device/model": "Fast 512\n",
    "sys/block/nvme0n1/size": "1000215216\n",
    "sys/block/nvme0n1/queue/rotational": "0\n",
    "sys/block/nvme0n1/removable": "0\n",
    "sys/block/sdb/device/model": "Stick\n",
    "sys/block/sdb/size": "9000215216\n",
    "sys/block/sdb/removable": "1\n",
    "sys/block/loop0/size": "9000215216\n",
    "sys/class/power_supply/BAT0/type": "Battery\n",
    "sys/class/power_supply/BAT0/energy_full": "41000000\n",
    "sys/class/power_supply/BAT0/energy_full_design": "50000000\n",
    "sys/class/power_supply/AC/type": "Mains\n",
    "sys/class/power_supply/mouse/type": "Battery\n",
    "sys/class/power_supply/mouse/scope": "Device\n",
    "sys/class/tpm/tpm0/tpm_version_major": "2\n",
}
EVERYTHING = {
    "cpus": 4,
    "memory_mb": 7500,
    "disk_gb": 500,
    "free_gb": 20,
    "battery_health_percent": 80,
    "require_tpm": True,
    "require_uefi": True,
    "require_secure_boot": True,
}
OWN_HARDWARE = ("disk_gb", "battery_health_percent", "require_tpm", "require_uefi", "require_secure_boot")


def machine(root: Path, files: dict[str, str], *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    for name, content in files.items():
        if not name.startswith(without):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
    found: dict[str, Any] = hardware_inventory.inventory(root, usable_cpus=8, free_gb=100)
    return found


def results(hardware: dict[str, Any], minimum: dict[str, Any]) -> dict[str, str]:
    return {row["name"]: row["result"] for row in hardware_inventory.judge(hardware, minimum)}


def test_reads_a_laptop(tmp_path: Path) -> None:
    assert machine(tmp_path, LAPTOP) == {
        "environment": {"kind": "physical", "label": "this machine"},
        "cpu": {"model": "Core X", "cpus": 8},
        "memory_mb": 7843,
        "free_gb": 100,
        "disks": [{"name": "nvme0n1", "model": "Fast 512", "size_gb": 512, "rotational": False}],
        "firmware": {
            "kind": "uefi",
            "vendor": "LENOVO",
            "version": "N2XET38W",
            "date": "02/14/2024",
            "secure_boot": True,
        },
        "batteries": [{"name": "BAT0", "health_percent": 82}],
        "tpm": {"present": True, "version": "2"},
    }


def test_a_laptop_that_has_everything_passes(tmp_path: Path) -> None:
    checks = hardware_inventory.judge(machine(tmp_path, LAPTOP), EVERYTHING)
    assert {row["result"] for row in checks} == {"pass"}
    assert [row["name"] for row in checks] == list(EVERYTHING)
    assert hardware_inventory.shortfall(checks) == ""


def test_every_shortfall_is_named_in_one_sentence(tmp_path: Path) -> None:
    minimum = {"cpus": 16, "memory_mb": 16000, "disk_gb": 500, "require_tpm": True}
    checks = hardware_inventory.judge(machine(tmp_path, LAPTOP, without=("sys/class/tpm",)), minimum)
    assert hardware_inventory.shortfall(checks) == (
        "The hardware is below the minimum: cpus (asked at least 16, found 8), "
        "memory_mb (asked at least 16000 MiB, found 7843 MiB), require_tpm (asked TPM, found no TPM)."
    )


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("disk_gb", "sys/block/nvme0n1"),
        ("battery_health_percent", "sys/class/power_supply/BAT0"),
        ("require_tpm", "sys/class/tpm"),
        ("require_uefi", "sys/firmware/efi"),
        ("require_secure_boot", "sys/firmware/efi/efivars"),
    ],
)
def test_required_and_absent_fails_on_real_hardware_only(tmp_path: Path, name: str, absent: str) -> None:
    real = machine(tmp_path / "real", LAPTOP, without=(absent,))
    virtual = LAPTOP | {"proc/cpuinfo": "flags : fpu hypervisor\n"}
    guest = machine(tmp_path / "guest", virtual, without=(absent,))
    asked = {name: EVERYTHING[name]}
    assert results(real, asked) == {name: "fail"}
    row = hardware_inventory.judge(guest, asked)[0]
    assert row["result"] == "not_applicable"
    assert row["found"].startswith("a virtual machine (LENOVO) has no ")


@pytest.mark.parametrize("sign", ["run/systemd/container", "run/.containerenv", ".dockerenv"])
def test_a_container_never_passes_on_the_hardware_of_its_host(tmp_path: Path, sign: str) -> None:
    hardware = machine(tmp_path, LAPTOP | {sign: ""} if sign != "run/systemd/container" else LAPTOP | {sign: "podman"})
    found = results(hardware, EVERYTHING)
    assert {name: found[name] for name in OWN_HARDWARE} == dict.fromkeys(OWN_HARDWARE, "not_applicable")
    assert found["cpus"] == "pass"


def test_a_container_is_judged_by_its_own_limits(tmp_path: Path) -> None:
    limits = {
        "run/systemd/container": "podman",
        "sys/fs/cgroup/cpu.max": "200000 100000",
        "sys/fs/cgroup/memory.max": str(512 * 1024**2),
    }
    hardware = machine(tmp_path, LAPTOP | limits)
    assert (hardware["cpu"]["cpus"], hardware["memory_mb"]) == (2, 512)
    assert results(hardware, {"cpus": 4, "memory_mb": 7500}) == {"cpus": "fail", "memory_mb": "fail"}


def test_no_limit_of_the_cgroup_changes_nothing(tmp_path: Path) -> None:
    limits = {"sys/fs/cgroup/cpu.max": "max 100000", "sys/fs/cgroup/memory.max": "max"}
    hardware = machine(tmp_path, LAPTOP | limits)
    assert (hardware["cpu"]["cpus"], hardware["memory_mb"]) == (8, 7843)


def test_secure_boot_that_is_off_fails_even_in_a_virtual_machine(tmp_path: Path) -> None:
    off = {
        "proc/cpuinfo": "flags : hypervisor\n",
        "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": "\x06\x00\x00\x00\x00",
    }
    assert results(machine(tmp_path, LAPTOP | off), {"require_secure_boot": True}) == {"require_secure_boot": "fail"}


def test_a_battery_of_unknown_health_does_not_pass(tmp_path: Path) -> None:
    hardware = machine(tmp_path, LAPTOP, without=("sys/class/power_supply/BAT0/energy_full",))
    assert hardware["batteries"] == [{"name": "BAT0", "health_percent": None}]
    assert results(hardware, {"battery_health_percent": 1}) == {"battery_health_percent": "fail"}


def test_a_disk_on_usb_does_not_count(tmp_path: Path) -> None:
    files = {name: content for name, content in LAPTOP.items() if "nvme" not in name}
    bus = tmp_path / "sys/devices/usb1/sdc"
    (bus / "device").mkdir(parents=True)
    (bus / "size").write_text("1000215216")
    (tmp_path / "sys/block").mkdir(parents=True)
    (tmp_path / "sys/block/sdc").symlink_to(bus)
    assert machine(tmp_path, files)["disks"] == []


def test_nothing_asked_is_nothing_judged(tmp_path: Path) -> None:
    minimum = {"cpus": None, "require_tpm": False}
    assert hardware_inventory.judge(machine(tmp_path, LAPTOP, without=("sys/class/tpm",)), minimum) == []


@given(asked=st.integers(0, 64), found=st.integers(0, 64))
def test_an_amount_passes_exactly_when_it_reaches_what_was_asked(asked: int, found: int) -> None:
    where = {"environment": {"kind": "physical", "label": "this machine"}}
    result, _ = hardware_inventory.at_least(where, asked=asked, found=found, unit="", what="CPU")
    assert (result == "pass") == (found >= asked)
