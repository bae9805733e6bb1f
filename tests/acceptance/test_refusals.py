"""What is refused or cannot be reached: the exit code, one clear sentence, a truthful entry, no traceback."""

from __future__ import annotations

import socket
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from tests.ports import free_port

from provisioner.model.intervention import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.conftest import Desk
    from tests.conftest import LabMachine


def yesterday() -> str:
    return str((datetime.now(ZoneInfo("Europe/Paris")) - timedelta(days=1)).date())


@pytest.fixture
def silent() -> int:
    """A loopback port on which any connection fails the test: refusals send no packet."""
    return free_port()


def test_an_uncovered_host_is_refused_and_recorded(new_desk: Callable[[], Desk]) -> None:
    desk = new_desk()
    code, told = desk.ask("onboard", "--host", "kiosk-01", "--client", "demo")
    assert (code, told["outcome"]) == (3, "refused")
    assert told["reasons"] == [
        {
            "code": "uncovered",
            "clause": "assets",
            "text": "kiosk-01 is in no covered group: contract ACCEPT-2026 covers workstations; it is in kiosks",
        }
    ]
    assert desk.kinds() == ["key", "contract", "refused"]
    assert desk.last()["outcome"] == "refused"
    assert desk.invoke("audit.verify", "--client", "demo").returncode == 0


def test_a_refusal_sends_no_packet(new_desk: Callable[[], Desk]) -> None:
    desk = new_desk()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0)
        desk.add("kiosks", "kiosk-01", listener.getsockname()[1])
        desk.write()
        assert desk.invoke("onboard", "--host", "kiosk-01").returncode == 3
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_the_packet_trap_can_spring(new_desk: Callable[[], Desk]) -> None:
    """Negative control: a covered host behind the same trap is connected to."""
    desk = new_desk()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0)
        desk.add("workstations", "ws-01", listener.getsockname()[1])
        desk.write()
        assert desk.invoke("onboard", "--host", "ws-01").returncode == 4
        listener.accept()[0].close()


def test_a_contract_that_ended_yesterday_is_refused(new_desk: Callable[[], Desk], silent: int) -> None:
    desk = new_desk()
    desk.add("workstations", "ws-01", silent)
    desk.contract |= {"ends": yesterday(), "renewal": {"kind": "none"}}
    desk.write()
    code, told = desk.ask("onboard", "--host", "ws-01")
    assert code == 3
    assert [(reason["clause"], reason["text"]) for reason in told["reasons"]] == [
        ("ends", f"contract ACCEPT-2026 ended on {yesterday()}")
    ]
    assert desk.kinds() == ["key", "contract", "refused"]


def test_the_same_contract_with_tacit_renewal_is_admitted(new_desk: Callable[[], Desk], silent: int) -> None:
    desk = new_desk()
    desk.add("workstations", "ws-01", silent)
    desk.contract |= {"ends": yesterday(), "renewal": {"kind": "tacit", "term": "12mo", "notice": "90d"}}
    desk.write()
    code, told = desk.ask("onboard", "--host", "ws-01")
    assert (code, told["outcome"]) == (4, "unreachable")  # admitted: a connection was tried, and nobody listens
    assert desk.kinds() == ["key", "contract", "opened", "closed"]


def test_a_used_up_allowance_is_refused_for_another_machine(new_desk: Callable[[], Desk], silent: int) -> None:
    desk = new_desk()
    desk.contract["missions"] = {"workstation_setup": {"allowance": {"count": 1, "per": "contract_year"}}}
    desk.add("workstations", "ws-01", silent)
    desk.add("workstations", "ws-02", silent + 1)
    desk.write()
    assert desk.work_on("ws-01").outcome is Outcome.CHANGED
    code, told = desk.ask("onboard", "--host", "ws-02")
    assert code == 3
    assert told["reasons"][0]["clause"] == "missions.workstation_setup.allowance"
    assert "used up (ws-01)" in told["reasons"][0]["text"]
    code, told = desk.ask("onboard", "--host", "ws-01")
    assert (code, told["outcome"]) == (4, "unreachable")  # admitted, a connection was tried: a repeat costs nothing
    assert desk.invoke("audit.verify", "--client", "demo").returncode == 0
    code, shown = desk.ask("contract.show", "--client", "demo")
    (balance,) = shown["balances"]
    assert [balance[key] for key in ("granted", "used", "left", "expired", "assets")] == [1, 1, 0, 0, ["ws-01"]]


def test_an_unknown_host_is_a_usage_error_and_leaves_no_entry(new_desk: Callable[[], Desk]) -> None:
    desk = new_desk()
    done = desk.invoke("onboard", "--host", "kiosk-1", "--client", "demo")
    assert done.returncode == 2
    assert "no machine is called 'kiosk-1' in demo; did you mean kiosk-01?" in done.stderr
    assert desk.kinds() == []
    code, told = desk.ask("onboard", "--host", "kiosk-1", "--client", "demo")
    assert (code, told["exit_code"]) == (2, 2)
    assert "did you mean kiosk-01?" in told["error"]


@pytest.mark.parametrize("words", [("onboard",), ("onboard", "--host="), ("contract.show",), ("audit.verify",)])
def test_a_missing_flag_is_a_usage_error_with_an_example(new_desk: Callable[[], Desk], words: tuple[str, ...]) -> None:
    done = new_desk().invoke(*words)
    assert done.returncode == 2
    assert "is missing" in done.stderr
    assert "for example: invoke" in done.stderr


def test_h_is_help_and_never_a_host(new_desk: Callable[[], Desk]) -> None:
    """Regression: invoke's automatic short flags read `-h` as `--host`, and without them as a positional host."""
    desk = new_desk()
    done = desk.invoke("onboard", "-h")
    assert done.returncode == 0
    assert "Usage" in done.stdout
    assert desk.kinds() == []


def test_a_changed_host_key_is_unreachable_whatever_the_flags(
    new_desk: Callable[[], Desk], lab_machine: Callable[..., LabMachine]
) -> None:
    desk = new_desk()
    machine = lab_machine("contact", state=desk.state)
    desk.add("workstations", "ws-01", machine.port)
    desk.write()
    known = machine.access.known_hosts
    text = known.read_text()
    blob = text.split()[-1]
    known.write_text(text.replace(blob, blob[:-4] + ("AAAA" if not blob.endswith("AAAA") else "BBBB")))
    code, told = desk.ask("onboard", "--host", "ws-01", "--accept-new-key")
    assert (code, told["outcome"], told["reasons"][0]["code"]) == (4, "unreachable", "host_key_changed")
    assert desk.last()["assets"][0]["reason"]["code"] == "host_key_changed"
    assert desk.last()["assets"][0]["host_key"].startswith("SHA256:")


def test_an_unknown_host_key_needs_the_flag_and_is_then_recorded(
    new_desk: Callable[[], Desk], lab_machine: Callable[..., LabMachine]
) -> None:
    desk = new_desk()
    machine = lab_machine("contact", state=desk.state)
    desk.add("workstations", "ws-01", machine.port)
    desk.password = "wrong on purpose: the key comes first"
    desk.write()
    machine.access.known_hosts.write_text("")
    code, told = desk.ask("onboard", "--host", "ws-01")
    assert (code, told["reasons"][0]["code"]) == (4, "host_key_unknown")
    assert "--accept-new-key" in told["reasons"][0]["text"]
    code, told = desk.ask("onboard", "--host", "ws-01", "--accept-new-key")
    assert (code, told["reasons"][0]["code"]) == (5, "privilege_refused")
    assert desk.last()["assets"][0]["trust"] == "trust_on_first_use"


def test_a_wrong_privilege_password_fails(new_desk: Callable[[], Desk], lab_machine: Callable[..., LabMachine]) -> None:
    desk = new_desk()
    machine = lab_machine("contact", state=desk.state)
    desk.add("workstations", "ws-01", machine.port)
    desk.password = "canary-52194"
    desk.write()
    code, told = desk.ask("onboard", "--host", "ws-01")
    assert (code, told["outcome"], told["reasons"][0]["code"]) == (5, "failed", "privilege_refused")
    assert desk.last()["outcome"] == "failed"
    everything = b"".join(path.read_bytes() for path in desk.state.rglob("*") if path.is_file())
    assert b"canary-52194" not in everything
    assert b"Alice Acceptance" in everything  # negative control: the search does find what is kept


def test_a_stopped_sshd_is_unreachable(new_desk: Callable[[], Desk], lab_machine: Callable[..., LabMachine]) -> None:
    desk = new_desk()
    machine = lab_machine("stopped", state=desk.state)
    desk.add("workstations", "ws-01", machine.port)
    desk.write()
    machine.shell("systemctl stop ssh.socket ssh.service 2>/dev/null || systemctl stop ssh")
    try:
        code, told = desk.ask("onboard", "--host", "ws-01")
    finally:
        machine.shell("systemctl start ssh")
    assert (code, told["outcome"]) == (4, "unreachable")
    assert told["reasons"][0]["code"] in ("connection_refused", "timeout", "protocol_error")
    assert desk.kinds() == ["key", "contract", "opened", "closed"]
    assert desk.last()["outcome"] == "unreachable"


def test_an_invalid_contract_names_every_problem_and_touches_nothing(new_desk: Callable[[], Desk]) -> None:
    desk = new_desk()
    desk.contract |= {"ends": "2026-02-29", "curency": "EUR"}
    del desk.contract["currency"]
    desk.write()
    for words in (("onboard", "--host", "kiosk-01"), ("contract.check", "--client", "demo")):
        done = desk.invoke(*words)
        text = done.stdout + done.stderr
        assert done.returncode == 2
        assert "2026-02-29 is not a day of the calendar" in text
        assert "did you mean currency?" in text
        assert "demo/contract.yml:" in text
    assert desk.kinds() == []


def test_a_weakened_host_key_check_refuses_to_start(
    new_desk: Callable[[], Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: ANSIBLE_HOST_KEY_CHECKING=False accepts a changed key."""
    monkeypatch.setenv("ANSIBLE_HOST_KEY_CHECKING", "False")
    desk = new_desk()
    done = desk.invoke("onboard", "--host", "kiosk-01")
    assert done.returncode == 2
    assert "unset ANSIBLE_HOST_KEY_CHECKING" in done.stderr
    assert desk.kinds() == []
