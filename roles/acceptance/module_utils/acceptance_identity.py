# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Readers for host_identity: name, hosts file, locale, keyboard, clock. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path

from ansible.module_utils.acceptance_rows import compare, in_container, not_applicable, output, row, service, settings


def hostname(check):
    """Both the running name and the one of the next boot."""
    running, stored = os.uname().nodename, Path("/etc/hostname").read_text().strip()
    found = running if running == stored else f"{running} now, {stored} after a restart"
    yield compare(check["name"], check["asked"], found)


def hosts(check):
    """Each address of the hosts file with its names; an address may stand on several lines."""
    lines = (line.split("#", 1)[0].split() for line in Path("/etc/hosts").read_text().splitlines())
    lines = [line for line in lines if line]
    for entry in check["asked"]:
        asked = " ".join(entry["names"])
        there = [" ".join(names) for address, *names in lines if address == entry["address"]]
        found = asked if asked in there else "; ".join(there) or "absent"
        yield compare(f"{check['name']} {entry['address']}", asked, found)


def default_locale(check):
    """LANG as the login of a user gets it."""
    found = {**settings("/etc/locale.conf"), **settings("/etc/default/locale")}.get("LANG", "absent")
    yield compare(check["name"], check["asked"], found)


def locales(check):
    """Each locale, by what the C library lists: `fr_FR.utf8` there is `fr_FR.UTF-8` here."""
    there = {plain(line) for line in output("locale", "-a").splitlines()}
    for asked in check["asked"]:
        yield compare(f"{check['name']} {asked}", "generated", "generated" if plain(asked) in there else "absent")


def plain(locale):
    """Return a locale's name in the one spelling we compare."""
    return locale.strip().lower().replace("utf-8", "utf8")


def keyboard(check):
    """Model, layout and variant of the keyboard file."""
    found = settings("/etc/default/keyboard")
    words = (found.get(key, "") for key in ("XKBMODEL", "XKBLAYOUT", "XKBVARIANT"))
    yield compare(check["name"], check["asked"], " ".join(word for word in words if word) or "absent")


def timezone(check):
    """The zone that /etc/localtime points to, which must exist."""
    link = Path("/etc/localtime")
    name = str(link.readlink()).rpartition("zoneinfo/")[2] if link.is_symlink() else "no link"
    found = name if link.is_file() else f"{name}, which does not exist"
    yield compare(check["name"], check["asked"], found)


def time_sync(check):
    """The time service is enabled and runs; a container has no clock of its own."""
    if in_container():
        yield not_applicable(check["name"], check["asked"], "a container takes the time from its host")
        return
    state = service(check["asked"])
    found = f"{state.get('UnitFileState') or 'absent'}, {state.get('ActiveState', 'unknown')}"
    yield row(check["name"], f"{check['asked']} enabled, active", found, ok=found == "enabled, active")


def time_servers(check):
    """Each time server, by the configuration that systemd puts together from all its files."""
    servers = []
    for line in output("systemd-analyze", "cat-config", "systemd/timesyncd.conf").splitlines():
        key, _, value = line.strip().partition("=")
        if key == "NTP":
            servers = servers + value.split() if value.strip() else []
    for asked in check["asked"]:
        yield compare(f"{check['name']} {asked}", "configured", "configured" if asked in servers else "absent")


READERS = {
    "hostname": hostname,
    "hosts": hosts,
    "default_locale": default_locale,
    "locales": locales,
    "keyboard": keyboard,
    "timezone": timezone,
    "time_sync": time_sync,
    "time_servers": time_servers,
}
