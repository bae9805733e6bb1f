#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Keep the asked CUPS printers, remove others by name, and queue one test job on each printer that has had none.

Given `printers` (each a PRINTER_SPEC), `absent` (names) and `test_page`, return `added`, `altered`, `removed`, `tested`
and `silent` (names); a printer that does not answer is also told as a warning. A driverless queue is made from
what the printer answers, so there one that does not fails with a sentence that names it, and nothing half-made stays.
Check mode returns what would be done; without CUPS that is everything.
"""

from __future__ import annotations

import re
import shutil
import socket
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule

PRINTER_SPEC = {
    "name": {"type": "str", "required": True},
    "uri": {"type": "str", "required": True},
    "model": {"type": "str", "choices": ["everywhere", "raw"], "default": "everywhere"},
    "description": {"type": "str", "default": ""},
    "location": {"type": "str", "default": ""},
    "default": {"type": "bool", "default": False},
}
PORTS = {"ipp": 631, "ipps": 631, "http": 80, "https": 443, "socket": 9100, "lpd": 515}
REACH_SECONDS = 3
DRIVER_SECONDS = 15
TEST_USER = "provisioner-test"
TEST_PAGE = "Test page of provisioner.\n"


@dataclass(frozen=True)
class Queue:
    """A printer queue as CUPS keeps it; model is everywhere for any queue with a driver file, and raw for none.

    A queue is ready when it takes jobs and sends them on: neither rejecting nor disabled.
    """

    uri: str
    model: str
    description: str
    location: str
    ready: bool


def wanted_queue(printer: dict) -> Queue:
    """The queue that a printer's options ask for. CUPS describes a printer by its name unless told otherwise."""
    return Queue(
        uri=printer["uri"],
        model=printer["model"],
        description=printer["description"] or printer["name"],
        location=printer["location"] or "",
        ready=True,
    )


def parse_queues(devices: str, details: str, accepting: str) -> dict[str, Queue]:
    """Queues by name, from what `lpstat -v`, `lpstat -l -p` and `lpstat -a` print in the C locale."""
    uris = dict(re.findall(r"^device for ([^:\s]+): (\S+)$", devices, flags=re.MULTILINE))
    takers = set(re.findall(r"^(\S+) accepting requests", accepting, flags=re.MULTILINE))
    queues = {}
    for block in re.split(r"^(?=printer )", details, flags=re.MULTILINE):
        name = re.match(r"printer (\S+) ", block)
        if name is None or name[1] not in uris:
            continue
        fields = dict(re.findall(r"^\t(Description|Location|Interface): (.*)$", block, flags=re.MULTILINE))
        queues[name[1]] = Queue(
            uri=uris[name[1]],
            model="everywhere" if "Interface" in fields else "raw",
            description=fields.get("Description", ""),
            location=fields.get("Location", ""),
            ready=name[1] in takers and not block.startswith(f"printer {name[1]} disabled "),
        )
    return queues


def parse_default(printed: str) -> str:
    """The name that `lpstat -d` prints; empty when there is none."""
    return printed.partition("destination: ")[2].strip()


def arguments(name: str, queue: Queue) -> list[str]:
    """The lpadmin command that makes or alters a queue, enabled and accepting jobs."""
    return [
        *("lpadmin", "-p", name, "-v", queue.uri, "-m", queue.model),
        *("-D", queue.description, "-L", queue.location, "-E"),
    ]


def address(uri: str) -> tuple[str, int] | None:
    """Host and port of a network printer; None for one that has none, such as usb."""
    parts = urlsplit(uri)
    port = parts.port or PORTS.get(parts.scheme)
    return (parts.hostname, port) if parts.hostname and port else None


def answers(uri: str) -> bool:
    """Whether something listens where a network printer should be, within REACH_SECONDS; a local one is not asked."""
    where = address(uri)
    if where is None:
        return True
    try:
        socket.create_connection(where, timeout=REACH_SECONDS).close()
    except OSError:
        return False
    return True


class Cups:
    """The CUPS of this machine, through its own programs."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.installed = shutil.which("lpadmin") is not None
        module.run_command_environ_update = {"LC_ALL": "C"}

    def read(self, *command: str) -> str:
        """What a program prints, whatever its status: `lpstat` fails when there is nothing to list."""
        return self.module.run_command(list(command))[1] if self.installed else ""

    def queues(self) -> dict[str, Queue]:
        """The queues that exist."""
        return parse_queues(*(self.read("lpstat", *options) for options in (["-v"], ["-l", "-p"], ["-a"])))

    def default(self) -> str:
        """The name of the default printer; empty when there is none."""
        return parse_default(self.read("lpstat", "-d"))

    def has_been_tested(self, name: str) -> bool:
        """Whether a test job of ours stands in the queue or in its history."""
        jobs = self.read("lpstat", "-W", "all", "-u", TEST_USER, "-o", name)
        return re.search(rf"^{re.escape(name)}-\d+\s", jobs, flags=re.MULTILINE) is not None

    def put(self, name: str, queue: Queue, *, new: bool) -> None:
        """Make or alter a queue; fails with one sentence, and takes away what a failed attempt left."""
        status, _, said = self.module.run_command(arguments(name, queue))
        if status == 0 and self.has_driver_of(name, queue):
            return
        if new:
            self.module.run_command(["lpadmin", "-x", name])
        reason = said.strip() or "the printer gave no answer to make a driverless queue from"
        self.module.fail_json(msg=f"Printer {name} could not be set up for {queue.uri}: {reason}.")

    def has_driver_of(self, name: str, queue: Queue) -> bool:
        """Whether a queue comes to have the model asked for, within DRIVER_SECONDS.

        lpadmin of CUPS 2.4.2 (Debian 12) ends well at once: the driver comes later, or never from a silent printer.
        """
        deadline = time.monotonic() + DRIVER_SECONDS
        while time.monotonic() < deadline and answers(queue.uri):
            found = self.queues().get(name)
            if found is not None and found.model == queue.model:
                return True
            time.sleep(0.2)
        return queue.model == "raw"

    def run(self, *command: str, data: str | None = None) -> None:
        """Run a program that must succeed."""
        self.module.run_command(list(command), check_rc=True, data=data)


def plan(printers: list[dict], existing: dict[str, Queue]) -> dict[str, Queue]:
    """The queues to make or alter, by name: those that are not as asked."""
    wanted = {printer["name"]: wanted_queue(printer) for printer in printers}
    return {name: queue for name, queue in wanted.items() if existing.get(name) != queue}


def converge(cups: Cups, module: AnsibleModule) -> dict:
    """Bring the queues to what is asked, or in check mode only say what that would take."""
    printers, act = module.params["printers"], not module.check_mode
    existing = cups.queues()
    outdated = plan(printers, existing)
    stale = [name for name in module.params["absent"] if name in existing]
    default = next((printer["name"] for printer in printers if printer["default"]), "")
    redirect = bool(default) and cups.default() != default
    tested = []
    if module.params["test_page"]:
        tested = [one["name"] for one in printers if one["name"] in outdated or not cups.has_been_tested(one["name"])]
    if act:
        for name in stale:
            cups.run("lpadmin", "-x", name)
        for name, queue in outdated.items():
            cups.put(name, queue, new=name not in existing)
        if redirect:
            cups.run("lpadmin", "-d", default)
        for name in tested:
            cups.run("lp", "-d", name, "-U", TEST_USER, "-t", "Test page", "-", data=TEST_PAGE)
    return {
        "added": [name for name in outdated if name not in existing],
        "altered": [name for name in outdated if name in existing],
        "removed": stale,
        "tested": tested,
        "changed": bool(outdated or stale or redirect or tested),
    }


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "printers": {"type": "list", "elements": "dict", "default": [], "options": PRINTER_SPEC},
            "absent": {"type": "list", "elements": "str", "default": []},
            "test_page": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    cups = Cups(module)
    if not cups.installed and not module.check_mode and module.params["printers"]:
        module.fail_json(msg="CUPS is not installed: there is no lpadmin.")
    silent = [printer for printer in module.params["printers"] if not answers(printer["uri"])]
    for printer in silent:
        module.warn(f"Printer {printer['name']} does not answer at {printer['uri']}.")
    module.exit_json(**converge(cups, module), silent=[printer["name"] for printer in silent])


if __name__ == "__main__":
    main()
