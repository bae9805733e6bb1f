"""What acceptance reads again for hardware_check, network_profile and peripherals: each reader can say fail."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

FOLDER = Path(__file__).parents[3] / "roles/acceptance/module_utils"


def load(name: str) -> ModuleType:
    """Load a module_utils file under the name that Ansible gives it on a machine."""
    full = f"ansible.module_utils.{name}"
    spec = importlib.util.spec_from_file_location(full, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    spec.loader.exec_module(module)
    return module


load("acceptance_rows")
hardware, network, peripherals = (load(f"acceptance_{name}") for name in ("hardware", "network", "peripherals"))


def results(module: ModuleType, kind: str, asked: Any) -> list[str]:
    return [row["result"] for row in module.READERS[kind]({"name": "x", "kind": kind, "asked": asked})]


def answer(monkeypatch: pytest.MonkeyPatch, module: ModuleType, **said: str) -> None:
    """Have the programs that a reader runs say this; others say nothing."""
    monkeypatch.setattr(module, "output", lambda *command: said.get(command[0].replace("-", "_"), ""))


@pytest.mark.parametrize(("asked", "result"), [(4, "pass"), (5, "fail")])
def test_an_amount_is_read_again(monkeypatch: pytest.MonkeyPatch, asked: int, result: str) -> None:
    answer(monkeypatch, hardware, nproc="4\n")
    assert results(hardware, "cpus", asked) == [result]


@pytest.mark.parametrize(
    ("container", "virtual", "result"),
    [(True, "none", "not_applicable"), (False, "kvm", "not_applicable"), (False, "none", "fail")],
)
def test_missing_hardware_is_a_failure_on_real_hardware_only(
    monkeypatch: pytest.MonkeyPatch, container: bool, virtual: str, result: str
) -> None:
    answer(monkeypatch, hardware, systemd_detect_virt=virtual, lsblk='{"blockdevices": []}')
    monkeypatch.setattr(hardware, "in_container", lambda: container)
    monkeypatch.setattr(hardware, "SUPPLIES", Path("/nonexistent"))
    monkeypatch.setattr(hardware, "SECURE_BOOT", Path("/nonexistent"))
    for kind in ("disk_gb", "battery_health_percent", "require_secure_boot"):
        assert results(hardware, kind, 1) == [result]


def test_only_fixed_disks_count(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = """{"blockdevices": [
        {"name": "sda", "type": "disk", "size": 2000000000000, "rm": false, "tran": "usb"},
        {"name": "sdb", "type": "disk", "size": 2000000000000, "rm": true, "tran": null},
        {"name": "zram0", "type": "disk", "size": 2000000000000, "rm": false, "tran": null},
        {"name": "nvme0n1", "type": "disk", "size": 512110190592, "rm": false, "tran": "nvme"}]}"""
    answer(monkeypatch, hardware, lsblk=listed)
    monkeypatch.setattr(hardware, "in_container", lambda: False)
    assert hardware.disk_gb() == 512


@pytest.mark.parametrize(("full", "health"), [("POWER_SUPPLY_ENERGY_FULL=41\n", 82), ("", 0)])
def test_a_battery_is_read_from_its_uevent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, full: str, health: int
) -> None:
    for name, text in (
        ("BAT0", f"POWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_PRESENT=1\nPOWER_SUPPLY_ENERGY_FULL_DESIGN=50\n{full}"),
        ("mouse", "POWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_SCOPE=Device\nPOWER_SUPPLY_PRESENT=1\n"),
        ("AC", "POWER_SUPPLY_TYPE=Mains\nPOWER_SUPPLY_PRESENT=1\n"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "uevent").write_text(text)
    monkeypatch.setattr(hardware, "SUPPLIES", tmp_path)
    monkeypatch.setattr(hardware, "in_container", lambda: False)
    assert hardware.battery_health_percent() == health


@pytest.mark.parametrize(("mounted", "result"), [(False, ["pass", "fail"]), (True, ["pass", "not_applicable"])])
def test_name_servers_are_those_of_the_c_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mounted: bool, result: list[str]
) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# comment\nsearch acme.example\nnameserver 192.0.2.53\n")
    monkeypatch.setattr(network, "RESOLV_CONF", file)
    monkeypatch.setattr(network, "is_mounted", lambda: mounted)
    assert results(network, "dns_servers", ["192.0.2.53", "192.0.2.54"]) == result
    assert results(network, "dns_search", ["acme.example"]) == ["pass"]


def test_name_servers_behind_systemd_resolved_are_what_it_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 127.0.0.53\n")
    monkeypatch.setattr(network, "RESOLV_CONF", file)
    answer(monkeypatch, network, resolvectl="Global: 192.0.2.53\nLink 2 (eth0): 2001:db8::53\n")
    assert results(network, "dns_servers", ["192.0.2.53", "2001:db8::53", "127.0.0.53"]) == ["pass", "pass", "fail"]


@pytest.mark.parametrize(
    ("login", "apt", "result"), [("a", "a", "pass"), ("a", "b", "fail"), ("b", "a", "fail"), ("a", "", "fail")]
)
def test_a_proxy_holds_for_logins_and_for_apt(
    monkeypatch: pytest.MonkeyPatch, login: str, apt: str, result: str
) -> None:
    monkeypatch.setattr(network, "settings", lambda _: {"http_proxy": login})
    answer(monkeypatch, network, apt_config=f"proxy='{apt}'\n" if apt else "")
    assert results(network, "proxy", {"http": "a"}) == [result]


@pytest.mark.parametrize(
    ("mode", "taken", "result"), [(0o600, "office\n", "pass"), (0o644, "office\n", "fail"), (0o600, "", "fail")]
)
def test_a_profile_is_closed_to_others_and_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: int, taken: str, result: str
) -> None:
    file = tmp_path / "provisioner-office.nmconnection"
    file.touch()
    file.chmod(mode)
    monkeypatch.setattr(network, "PROFILES", tmp_path)
    monkeypatch.setattr(network.shutil, "which", lambda _: "/usr/bin/nmcli")
    answer(monkeypatch, network, nmcli=taken)
    assert results(network, "networkmanager_profiles", ["office"]) == [result]
    monkeypatch.setattr(network.shutil, "which", lambda _: None)
    assert results(network, "networkmanager_profiles", ["office"]) == ["not_applicable"]


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ("device-uri=socket://192.0.2.60 printer-is-accepting-jobs=true printer-info='An office'", "pass"),
        ("device-uri=socket://192.0.2.61 printer-is-accepting-jobs=true", "fail"),
        ("device-uri=socket://192.0.2.60 printer-is-accepting-jobs=false", "fail"),
        ("", "fail"),
    ],
)
def test_a_printer_is_read_by_its_options(monkeypatch: pytest.MonkeyPatch, said: str, result: str) -> None:
    answer(monkeypatch, peripherals, lpoptions=said, lpstat="labels\n")
    asked = [{"name": "labels", "uri": "socket://192.0.2.60", "model": "raw"}]
    assert results(peripherals, "printers", asked) == [result]


def test_jobs_default_and_absence_of_printers(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, peripherals, lpstat="office-3  provisioner-test  1024\n")
    asked = [{"name": "office", "uri": "usb://HP/LaserJet"}, {"name": "off", "uri": "usb://HP/LaserJet"}]
    assert results(peripherals, "printer_jobs", asked) == ["pass", "fail"]
    answer(monkeypatch, peripherals, lpstat="system default destination: office\n")
    assert results(peripherals, "default_printer", ["office"]) == ["pass"]
    assert results(peripherals, "default_printer", ["labels"]) == ["fail"]
    answer(monkeypatch, peripherals, lpstat="office\nold\n")
    assert results(peripherals, "printers_absent", ["old", "gone"]) == ["fail", "pass"]
