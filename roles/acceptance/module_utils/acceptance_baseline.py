# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Readers for os_baseline: administrators, sshd, firewall, banner. Standard library only."""

from __future__ import annotations

import json
import pwd
import stat
from pathlib import Path

from ansible.module_utils.acceptance_rows import compare, output, row, service


def administrators(check):
    """Each administrator: the account, its keys as sshd will accept them, and what sudo lets it do."""
    for asked in check["asked"]:
        name = asked["name"]
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            yield row(f"account {name}", "exists", "absent", ok=False)
            continue
        yield row(f"account {name}", "exists", f"exists, {account.pw_dir}", ok=True)
        yield authorized(f"keys of {name}", account, asked["keys"], exclusive=check["exclusive"])
        sudo = "no password" if asked.get("passwordless_sudo") else "password"
        yield compare(f"sudo of {name}", sudo, sudo_of(name))


def authorized(name, account, keys, *, exclusive):
    """Count the keys asked for that are in the file; a file others may write is one that sshd ignores."""
    path = Path(account.pw_dir, ".ssh", "authorized_keys")
    there = {tuple(line.split()[:2]) for line in path.read_text().splitlines()} if path.is_file() else set()
    wanted = {tuple(key.split()[:2]) for key in keys}
    found = f"{len(wanted & there)} of {len(wanted)}"
    if exclusive and there - wanted:
        found += f" and {len(there - wanted)} nobody asked for"
    state = path.stat() if path.is_file() else None
    if state and (state.st_uid != account.pw_uid or state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        found += ", in a file that others may write"
    return compare(name, f"{len(wanted)} of {len(wanted)}", found)


def sudo_of(name):
    """Return `no password`, `password` or `none`: what sudo itself says of an account."""
    lines = [line.strip() for line in output("sudo", "--list", "--other-user", name).splitlines()]
    rights = [line for line in lines if line.startswith("(") and line.endswith("ALL")]
    if not rights:
        return "none"
    return "no password" if any("NOPASSWD:" in line for line in rights) else "password"


def sshd(check):
    """Each setting, as the SSH server itself reads all its files."""
    found = dict(line.split(" ", 1) for line in output("sshd", "-T").splitlines() if " " in line)
    for keyword, asked in check["asked"].items():
        yield compare(f"{check['name']} {keyword}", asked, found.get(keyword, "absent"))


def banner(check):
    """The text that the SSH server shows, by the file it names."""
    found = dict(line.split(" ", 1) for line in output("sshd", "-T").splitlines() if " " in line)
    path = Path(found.get("banner", "none"))
    shown = path.read_text().strip() if path.is_file() else ""
    yield row(check["name"], check["asked"] or "none", shown or "none", ok=shown == check["asked"])


def firewall(check):
    """Policy and open ports of the rules in the kernel, and that they come back after a restart."""
    asked, name = check["asked"], check["name"]
    table = rules()
    chains = [item["chain"] for item in table if item.get("chain", {}).get("hook") == "input"]
    yield compare(f"{name} policy", asked["policy"], ", ".join(chain["policy"] for chain in chains) or "absent")
    for protocol in ("tcp", "udp"):
        elements = [
            item["set"].get("elem", []) for item in table if item.get("set", {}).get("name") == f"{protocol}_allowed"
        ]
        open_ports = sorted(port(one) for one in (elements[0] if elements else []))
        yield row(
            f"{name} {protocol}", open_text(asked[protocol]), open_text(open_ports), ok=open_ports == asked[protocol]
        )
    state = service("provisioner-firewall.service").get("UnitFileState") or "absent"
    yield compare(f"{name} after a restart", "enabled", state)


def rules():
    """Return nft's own list of our table, [] without one."""
    text = output("nft", "--json", "list", "table", "inet", "provisioner")
    return json.loads(text)["nftables"] if text.strip() else []


def port(element):
    """Return an element of a set as `22` or `8000-8010`."""
    return "-".join(map(str, element["range"])) if isinstance(element, dict) else str(element)


def open_text(ports):
    """Return ports as the table shows them."""
    return ", ".join(ports) or "none"


READERS = {"administrators": administrators, "banner": banner, "firewall": firewall, "sshd": sshd}
