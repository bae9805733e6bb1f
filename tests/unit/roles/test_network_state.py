"""The module of the role network_profile that tells who decides name resolution."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "roles/network_profile/library/network_state.py"
MOUNTINFO = """22 1 253:0 / / rw,relatime - ext4 /dev/vda rw
99 22 253:0 /run/c1/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda rw
"""

spec = importlib.util.spec_from_file_location("network_state", SOURCE)
assert spec is not None
assert spec.loader is not None
network_state = importlib.util.module_from_spec(spec)
spec.loader.exec_module(network_state)


@pytest.mark.parametrize(
    ("mounted", "link", "networkmanager", "who"),
    [
        (False, "", False, "file"),
        (False, "", True, "networkmanager"),
        (False, "/run/NetworkManager/resolv.conf", False, "networkmanager"),
        (False, "/run/systemd/resolve/stub-resolv.conf", True, "resolved"),
        (False, "/run/resolvconf/resolv.conf", True, "foreign"),
        (True, "", True, "mounted"),
    ],
)
def test_who_decides(mounted: bool, link: str, networkmanager: bool, who: str) -> None:
    found, reason = network_state.resolver(mounted=mounted, link=link, networkmanager=networkmanager)
    assert found == who
    assert bool(reason) == (who in ("foreign", "mounted"))


def test_a_file_mounted_from_outside_is_recognised() -> None:
    assert network_state.is_mount_point("/etc/resolv.conf", MOUNTINFO)
    assert not network_state.is_mount_point("/etc/hosts", MOUNTINFO)
