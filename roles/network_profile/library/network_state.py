#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Tell how name servers can be set on this machine, and which files of a list exist.

Given `paths` (absolute), return `existing`, those that exist, and `resolver`: resolved, networkmanager or file when
name servers can be set by their drop-in or by /etc/resolv.conf itself; mounted or foreign when they cannot, and then
`reason` says why. `in_use` are the servers and domains that /etc/resolv.conf names now. Nothing is changed, so check
mode reads the same.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

RESOLV_CONF = "/etc/resolv.conf"
LINK_OWNERS = {"/run/systemd/resolve/": "resolved", "/run/NetworkManager/": "networkmanager"}


def is_mount_point(path: str, mountinfo: str) -> bool:
    """Whether `path` is itself a mount point, from /proc/self/mountinfo (its fifth field, proc(5))."""
    return any(line.split()[4] == path for line in mountinfo.splitlines() if line)


def resolver(*, mounted: bool, link: str, networkmanager: bool) -> tuple[str, str]:
    """Return (who, why not): resolv.conf is a mount or not, `link` is its target or "", NetworkManager is connected."""
    if mounted:
        return "mounted", f"{RESOLV_CONF} is mounted from outside by the container engine"
    if link:
        owner = next((name for folder, name in LINK_OWNERS.items() if link.startswith(folder)), "foreign")
        return owner, f"{RESOLV_CONF} is a link to {link}, which another program writes" if owner == "foreign" else ""
    return ("networkmanager" if networkmanager else "file"), ""


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={"paths": {"type": "list", "elements": "path", "default": []}},
        supports_check_mode=True,
    )
    connected = False
    if shutil.which("nmcli"):
        _, state, _ = module.run_command(["nmcli", "-t", "-f", "STATE", "general"])
        connected = state.startswith("connected")
    path = Path(RESOLV_CONF)
    who, reason = resolver(
        mounted=is_mount_point(RESOLV_CONF, Path("/proc/self/mountinfo").read_text(encoding="utf-8")),
        link=str(path.resolve()) if path.is_symlink() else "",
        networkmanager=connected,
    )
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines()) if path.is_file() else ()
    in_use = [value for key, *values in filter(None, lines) if key in ("nameserver", "search") for value in values]
    existing = [name for name in module.params["paths"] if Path(name).exists()]
    module.exit_json(changed=False, resolver=who, reason=reason, existing=existing, in_use=in_use)


if __name__ == "__main__":
    main()
