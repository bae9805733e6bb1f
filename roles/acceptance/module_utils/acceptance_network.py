# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Readers for network_profile: name servers, proxy, NetworkManager profiles. Standard library only."""

from __future__ import annotations

import shutil
from pathlib import Path

from ansible.module_utils.acceptance_rows import compare, not_applicable, output, row, settings

RESOLV_CONF = Path("/etc/resolv.conf")
STUBS = {"127.0.0.53", "127.0.0.54"}
PROFILES = Path("/etc/NetworkManager/system-connections")


def resolv_conf(*keys):
    """Return the values of these keys of resolv.conf, in order."""
    lines = (line.split() for line in RESOLV_CONF.read_text().splitlines())
    return [value for key, *values in filter(None, lines) if key in keys for value in values]


def resolution(query, *keys):
    """Return what the C library would use; where that is systemd-resolved, what this answers to `query`."""
    if STUBS & set(resolv_conf("nameserver")):
        answers = output("resolvectl", query).splitlines()
        return [word for line in answers for word in line.partition(":")[2].split()]
    return resolv_conf(*keys)


def is_mounted():
    """Whether resolv.conf is put there from outside, by a container engine."""
    return any(line.split()[1] == str(RESOLV_CONF) for line in Path("/proc/self/mounts").read_text().splitlines())


def listed(query, *keys):
    """Return a reader with one row for each value asked for."""

    def reader(check):
        found = resolution(query, *keys) if check["asked"] else []
        for asked in check["asked"]:
            name = f"{check['name']} {asked}"
            if asked not in found and is_mounted():
                yield not_applicable(name, "in use", f"{RESOLV_CONF} is mounted from outside by the container engine")
            else:
                yield compare(name, "in use", "in use" if asked in found else f"{' '.join(found) or 'none'} in use")

    return reader


def proxy(check):
    """Each proxy, in the environment of a login and as apt reads its whole configuration."""
    environment = settings("/etc/environment")
    for scheme, asked in check["asked"].items():
        login = environment.get(f"{scheme}_proxy", "none")
        apt = output("apt-config", "shell", "proxy", f"Acquire::{scheme}::Proxy").strip()[7:-1] or "none"
        yield row(f"{check['name']} {scheme}", asked, f"logins {login}, apt {apt}", ok={login, apt} == {asked})


def networkmanager_profiles(check):
    """Each profile: its file is closed to others, and a NetworkManager that runs has taken it."""
    if check["asked"] and shutil.which("nmcli") is None:
        for name in check["asked"]:
            yield not_applicable(f"{check['name']} {name}", "loaded", "NetworkManager is not installed")
        return
    taken = output("nmcli", "-g", "NAME", "connection", "show").splitlines() if check["asked"] else []
    for name in check["asked"]:
        file = PROFILES / f"provisioner-{name}.nmconnection"
        mode = f"{file.stat().st_mode & 0o777:04o}" if file.is_file() else "no file"
        found = f"{mode}, {'loaded' if name in taken else 'not loaded'}"
        yield compare(f"{check['name']} {name}", "0600, loaded", found)


READERS = {
    "dns_servers": listed("dns", "nameserver"),
    "dns_search": listed("domain", "search", "domain"),
    "proxy": proxy,
    "networkmanager_profiles": networkmanager_profiles,
}
