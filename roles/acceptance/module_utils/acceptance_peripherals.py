# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Readers for peripherals: CUPS queues, the default printer, test jobs. Standard library only.

The role asks `lpstat -v` and `lpstat -l -p`; these readers ask for the options of a queue, its driver file, its jobs.
"""

from __future__ import annotations

import re
import shlex
import socket
from pathlib import Path
from urllib.parse import urlsplit

from ansible.module_utils.acceptance_rows import compare, output, row

TEST_USER = "provisioner-test"
PORTS = {"ipp": 631, "ipps": 631, "http": 80, "https": 443, "socket": 9100, "lpd": 515}
REACH_SECONDS = 3


def options(name):
    """Return the options of a queue, `device-uri` and `printer-is-accepting-jobs` among them; {} if there is none."""
    words = shlex.split(output("lpoptions", "-p", name))
    return dict(word.split("=", 1) for word in words if "=" in word)


def queues():
    """Return the names of the queues that exist."""
    return output("lpstat", "-e").split()


def printers(check):
    """Each queue: where it sends to, with a driver or without, and that it takes jobs."""
    for asked in check["asked"]:
        there = options(asked["name"]) if asked["name"] in queues() else {}
        driver = "everywhere" if Path(f"/etc/cups/ppd/{asked['name']}.ppd").is_file() else "raw"
        accepting = "accepting" if there.get("printer-is-accepting-jobs") == "true" else "not accepting"
        found = f"{there['device-uri']}, {driver}, {accepting}" if "device-uri" in there else "absent"
        expected = f"{asked['uri']}, {asked.get('model') or 'everywhere'}, accepting"
        yield compare(f"{check['name']} {asked['name']}", expected, found)


def printers_absent(check):
    """Each queue that must be gone."""
    for asked in check["asked"]:
        yield compare(f"{check['name']} {asked}", "absent", "present" if asked in queues() else "absent")


def default_printer(check):
    """The printer used when none is chosen."""
    for asked in check["asked"]:
        found = output("lpstat", "-d").partition("destination:")[2].strip() or "none"
        yield compare(check["name"], asked, found)


def answers(uri):
    """Return whether the printer answers where its address says; "" for one that is not on the network."""
    parts = urlsplit(uri)
    port = parts.port or PORTS.get(parts.scheme)
    if not (parts.hostname and port):
        return ""
    try:
        socket.create_connection((parts.hostname, port), timeout=REACH_SECONDS).close()
    except OSError:
        return ", printer does not answer"
    return ", printer answers"


def printer_jobs(check):
    """Each printer has had a test job: queued is what is promised, and whether the printer answers is told."""
    jobs = output("lpstat", "-W", "all", "-u", TEST_USER)
    for asked in check["asked"]:
        job = re.search(rf"^{re.escape(asked['name'])}-\d+\b", jobs, flags=re.MULTILINE)
        found = f"{job[0]} queued{answers(asked['uri'])}" if job else "none"
        yield row(f"{check['name']} {asked['name']}", "queued", found, ok=job is not None)


READERS = {
    "printers": printers,
    "printers_absent": printers_absent,
    "default_printer": default_printer,
    "printer_jobs": printer_jobs,
}
