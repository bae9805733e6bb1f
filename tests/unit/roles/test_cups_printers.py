"""The module of the role peripherals, against a CUPS of the test's own that keeps queues and jobs in memory."""

from __future__ import annotations

import importlib.util
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

SOURCE = Path(__file__).parents[3] / "roles/peripherals/library/cups_printers.py"
DETAILS = """printer {name} {state} since Mon Nov 23 17:10:07 2026
\tForm mounted:
\tDescription: {description}
\tAlerts: none
\tLocation: {location}
\tConnection: direct
{interface}\tOn fault: no alert
"""


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cups_printers", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


cups_printers = load()


class Failed(Exception):
    """The module failed with this message."""


class FakeModule:
    """An AnsibleModule whose commands reach a small CUPS. A silent driverless printer ends up raw, as on Debian 12."""

    def __init__(self) -> None:
        self.queues: dict[str, dict[str, str]] = {}
        self.jobs: list[tuple[str, str]] = []
        self.default = ""
        self.disabled: set[str] = set()
        self.rejecting: set[str] = set()
        self.check_mode = False
        self.params: dict[str, Any] = {}

    def ask(self, *printers: dict[str, Any], absent: tuple[str, ...] = (), test_page: bool = False) -> dict[str, Any]:
        self.params = {"printers": list(printers), "absent": list(absent), "test_page": test_page}
        cups = cups_printers.Cups(self)
        cups.installed = True
        done: dict[str, Any] = cups_printers.converge(cups, self)
        return done

    def fail_json(self, msg: str) -> NoReturn:
        raise Failed(msg)

    def run_command(self, command: list[str], check_rc: bool = False, data: str | None = None) -> tuple[int, str, str]:
        handlers = {"lpstat": self.lpstat, "lpadmin": self.lpadmin, "lp": self.lp}
        return 0, handlers[command[0]](command[1:]), ""

    def lpstat(self, options: list[str]) -> str:
        if options == ["-v"]:
            return "".join(f"device for {name}: {one['-v']}\n" for name, one in self.queues.items())
        if options == ["-d"]:
            return (
                f"system default destination: {self.default}\n" if self.default else "no system default destination\n"
            )
        if options == ["-a"]:
            return "".join(
                f"{name} {'not ' if name in self.rejecting else ''}accepting requests since\n" for name in self.queues
            )
        if options == ["-l", "-p"]:
            return "".join(self.details(name, one) for name, one in self.queues.items())
        assert options[:4] == ["-W", "all", "-u", cups_printers.TEST_USER]
        return "".join(
            f"{name}-{number}  {user}  1024\n" for number, (name, user) in enumerate(self.jobs) if name == options[-1]
        )

    def details(self, name: str, queue: dict[str, str]) -> str:
        interface = f"\tInterface: /etc/cups/ppd/{name}.ppd\n" if queue["-m"] == "everywhere" else ""
        state = "disabled" if name in self.disabled else "is idle.  enabled"
        return DETAILS.format(
            name=name, state=state, description=queue["-D"], location=queue["-L"], interface=interface
        )

    def lpadmin(self, options: list[str]) -> str:
        assert not self.check_mode
        if options[0] == "-x":
            del self.queues[options[1]]
        elif options[0] == "-d":
            self.default = options[1]
        else:
            self.disabled.discard(options[1])
            self.rejecting.discard(options[1])
            asked = dict(zip(options[2:-1:2], options[3:-1:2], strict=True))
            self.queues[options[1]] = asked | ({} if cups_printers.answers(asked["-v"]) else {"-m": "raw"})
        return ""

    def lp(self, options: list[str]) -> str:
        assert not self.check_mode
        self.jobs.append((options[1], options[3]))
        return ""


@pytest.fixture
def cups() -> FakeModule:
    return FakeModule()


@pytest.fixture
def answering() -> Iterator[str]:
    """The uri of a printer that answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"ipp://127.0.0.1:{server.getsockname()[1]}/ipp/print"


@pytest.fixture
def silent() -> str:
    """The uri of a printer that does not."""
    return f"ipp://127.0.0.1:{free_port()}/ipp/print"


def printer(name: str, uri: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "uri": uri,
        "model": "everywhere",
        "description": "",
        "location": "",
        "default": False,
    } | changes


def test_printers_are_made_and_a_second_time_changes_nothing(cups: FakeModule, answering: str, silent: str) -> None:
    asked = (
        printer("office", answering, description="Office: colour", location="1st floor", default=True),
        printer("labels", silent, model="raw"),
    )
    first = cups.ask(*asked, test_page=True)
    assert first == {
        "added": ["office", "labels"],
        "altered": [],
        "removed": [],
        "tested": ["office", "labels"],
        "changed": True,
    }
    assert cups.default == "office"
    assert cups.ask(*asked, test_page=True) == {
        "added": [],
        "altered": [],
        "removed": [],
        "tested": [],
        "changed": False,
    }
    assert cups.jobs == [("office", "provisioner-test"), ("labels", "provisioner-test")]


@pytest.mark.parametrize("change", [{"location": "2nd floor"}, {"description": "New"}, {"model": "raw"}])
def test_an_altered_printer_is_altered_and_tested_again(
    cups: FakeModule, answering: str, change: dict[str, str]
) -> None:
    cups.ask(printer("office", answering), test_page=True)
    done = cups.ask(printer("office", answering) | change, test_page=True)
    assert (done["added"], done["altered"], done["tested"]) == ([], ["office"], ["office"])


@pytest.mark.parametrize("state", ["disabled", "rejecting"])
def test_a_printer_that_somebody_stopped_is_started_again(cups: FakeModule, answering: str, state: str) -> None:
    cups.ask(printer("office", answering))
    getattr(cups, state).add("office")
    assert cups.ask(printer("office", answering))["altered"] == ["office"]
    assert cups.ask(printer("office", answering))["changed"] is False


def test_a_driverless_printer_that_is_silent_fails_by_name_and_leaves_nothing(cups: FakeModule, silent: str) -> None:
    with pytest.raises(Failed, match=f"Printer office could not be set up for {silent}: the printer gave no answer"):
        cups.ask(printer("office", silent))
    assert cups.queues == {}


def test_an_existing_queue_survives_a_failed_change(cups: FakeModule, answering: str, silent: str) -> None:
    cups.ask(printer("office", answering))
    with pytest.raises(Failed, match="office"):
        cups.ask(printer("office", silent))
    assert list(cups.queues) == ["office"]


def test_absent_printers_go_and_others_stay(cups: FakeModule, answering: str) -> None:
    cups.ask(printer("theirs", answering), printer("old", answering))
    done = cups.ask(absent=("old", "never-there"))
    assert (done["removed"], list(cups.queues)) == (["old"], ["theirs"])


def test_check_mode_tells_the_same_and_touches_nothing(cups: FakeModule, answering: str) -> None:
    cups.ask(printer("old", answering))
    cups.check_mode = True
    done = cups.ask(printer("office", answering, default=True), absent=("old",), test_page=True)
    assert done == {"added": ["office"], "altered": [], "removed": ["old"], "tested": ["office"], "changed": True}


def test_a_job_of_a_longer_name_is_no_test_of_this_printer(cups: FakeModule, answering: str) -> None:
    cups.ask(printer("office", answering))
    cups.jobs.append(("office-2", cups_printers.TEST_USER))
    assert cups.ask(printer("office", answering), test_page=True)["tested"] == ["office"]


@pytest.mark.parametrize(
    ("uri", "where"),
    [
        ("ipp://printer.acme.example/ipp/print", ("printer.acme.example", 631)),
        ("ipps://printer.acme.example:8631/", ("printer.acme.example", 8631)),
        ("socket://192.0.2.60", ("192.0.2.60", 9100)),
        ("socket://[2001:db8::60]:9101", ("2001:db8::60", 9101)),
        ("lpd://192.0.2.60/queue", ("192.0.2.60", 515)),
        ("usb://HP/LaserJet?serial=1", None),
    ],
)
def test_where_a_printer_is_asked(uri: str, where: tuple[str, int] | None) -> None:
    assert cups_printers.address(uri) == where


def test_a_printer_without_an_address_on_the_network_is_not_asked() -> None:
    assert cups_printers.answers("usb://HP/LaserJet?serial=1")
