"""`audit.reconcile` against a machine that was really worked on: what it holds against what the log says."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.execution.receipts import parse_receipt, render_receipt
from provisioner.ledger.book import open_book
from provisioner.ledger.entry import Draft
from provisioner.testing import make_receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.acceptance.conftest import Desk
    from tests.conftest import LabMachine

FOLDER = "/var/lib/provisioner/receipts"


@pytest.fixture(scope="module")
def desk(new_desk: Callable[[], Desk], machine_of: Callable[[Desk], LabMachine]) -> Desk:
    desk = new_desk()
    desk.add("workstations", "ws-01", machine_of(desk).port)
    desk.write()
    return desk


@pytest.fixture(scope="module")
def machine_of(lab_machine: Callable[..., LabMachine]) -> Callable[[Desk], LabMachine]:
    return lambda desk: lab_machine(f"reconciled-{desk.folder.name}", state=desk.state)


@pytest.fixture(scope="module")
def machine(desk: Desk, machine_of: Callable[[Desk], LabMachine]) -> LabMachine:
    return machine_of(desk)


@pytest.fixture(scope="module")
def onboarded(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """What onboarding the machine said, and a copy of the state folder from before."""
    assert (
        desk.invoke("onboard", "--host", "kiosk-01").returncode == 3
    )  # a refusal: the log exists, the machine does not know it
    older = tmp_path_factory.mktemp("older") / "state"
    shutil.copytree(desk.state, older)
    code, told = desk.ask("onboard", "--host", "ws-01")
    assert (code, told["outcome"]) == (0, "changed"), told
    return told, older


@pytest.fixture
def receipts(machine: LabMachine) -> Iterator[None]:
    """The machine's receipts are put back after the test."""
    machine.shell(f"cp -a {FOLDER} {FOLDER}.kept")
    yield
    machine.shell(f"rm -rf {FOLDER}; mv {FOLDER}.kept {FOLDER}")


def asked(desk: Desk, *words: str) -> tuple[int, list[tuple[str, str, int | None]]]:
    """Reconcile `ws-01`; return the exit code, and kind, intervention and entry of each difference."""
    code, told = desk.ask("audit.reconcile", "--client", "demo", *(words or ("--host", "ws-01")))
    assert code == told["exit_code"]
    return code, [(found["kind"], found["intervention"], found["entry"]) for found in told["differences"]]


def test_a_run_leaves_a_receipt_that_agrees_with_the_log(
    desk: Desk, machine: LabMachine, onboarded: tuple[dict[str, Any], Path]
) -> None:
    told, _ = onboarded
    left = machine.shell(f"stat -c '%n %U %a' {FOLDER} {FOLDER}/*").split("\n")
    assert left[:2] == [f"{FOLDER} root 755", f"{FOLDER}/{told['intervention']}.json root 644"]
    receipt = parse_receipt(machine.shell(f"cat {FOLDER}/*"))
    _, shown = desk.ask("audit.show", "--client", "demo", "--entry", str(receipt.entry))
    opened = shown["entries"][0]
    assert (opened["body"]["intervention"], opened["leaf_hash"]) == (told["intervention"], receipt.digest)
    assert (opened["kind"], receipt.plan_digest) == ("opened", told["plan_digest"])
    before = desk.kinds()
    done = desk.invoke("audit.reconcile", "--client", "demo", "--host", "ws-01")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "AGREES: 1 machine, compared with 5 entries of provisioner/demo, root " in done.stdout
    assert "ws-01: receipts read: 1" in done.stderr
    assert desk.kinds() == before, "it is a reading: it records nothing"


def stopped(desk: Desk, *words: str, after: str, number: int) -> None:
    """Type a command and send it a signal once it said something."""
    command, environment = desk.command(*words)
    unbuffered = environment | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, env=unbuffered, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as running:
        assert any(after in line for line in running.stdout or ())
        running.send_signal(number)


def test_a_simulated_run_leaves_no_receipt(
    desk: Desk, machine: LabMachine, onboarded: tuple[dict[str, Any], Path]
) -> None:
    before = machine.shell(f"ls {FOLDER}")
    stopped(desk, "onboard", "--host", "ws-01", "--check", after="hardware_check", number=signal.SIGINT)
    assert (desk.last()["simulated"], machine.shell(f"ls {FOLDER}")) == (True, before)
    assert asked(desk) == (0, [])


def test_a_killed_controller_is_accused_of_nothing(
    desk: Desk, machine: LabMachine, onboarded: tuple[dict[str, Any], Path]
) -> None:
    stopped(desk, "onboard", "--host", "ws-01", after="Write the receipt", number=signal.SIGKILL)
    assert int(machine.shell(f"ls {FOLDER} | wc -l")) == 2
    assert asked(desk) == (0, []), "the intent is open"
    assert desk.invoke("onboard", "--host", "kiosk-01").returncode == 3
    assert desk.kinds()[-2:] == ["closed", "refused"]
    assert asked(desk) == (0, []), "it was closed as interrupted"


@pytest.mark.usefixtures("receipts")
def test_work_that_the_log_lacks_is_named(
    desk: Desk, machine: LabMachine, onboarded: tuple[dict[str, Any], Path]
) -> None:
    planted = render_receipt(make_receipt(intervention="iv-outside", entry=900))
    other = render_receipt(make_receipt(log="provisioner/other", client="other", intervention="iv-other"))
    files = {"iv-outside": planted, "iv-other": other, "iv-torn": planted[:40]}
    machine.shell("\n".join(f"printf '%s' '{text}' > {FOLDER}/{name}.json" for name, text in files.items()))
    assert asked(desk) == (
        7,
        [("unreadable", "", None), ("other_log", "iv-other", None), ("not_in_log", "iv-outside", None)],
    )


@pytest.mark.usefixtures("receipts")
def test_work_that_the_machine_does_not_know_is_named(
    desk: Desk, machine: LabMachine, onboarded: tuple[dict[str, Any], Path]
) -> None:
    told, _ = onboarded
    machine.shell(f"rm {FOLDER}/{told['intervention']}.json")
    expected = (7, [("no_receipt", told["intervention"], told["entries"][0])])
    assert asked(desk) == expected
    machine.shell(f"rm -r {FOLDER}")
    assert asked(desk) == expected, "a machine that was installed again has no folder at all"


@pytest.mark.usefixtures("receipts")
def test_a_folder_that_cannot_be_read_is_not_taken_for_empty(
    desk: Desk, machine: LabMachine, onboarded: tuple[dict[str, Any], Path]
) -> None:
    machine.shell(f"chmod 700 {FOLDER}")
    code, told = desk.ask("audit.reconcile", "--client", "demo", "--host", "ws-01")
    assert (code, told["status"], told["machines"][0]["reason"]) == (4, "INCOMPLETE", "folder_unreadable")


def test_a_machine_that_is_down_is_not_reconciled(desk: Desk, onboarded: tuple[dict[str, Any], Path]) -> None:
    code, told = desk.ask("audit.reconcile", "--client", "demo")
    assert (code, told["status"], told["differences"]) == (4, "INCOMPLETE", [])
    reasons = {machine["name"]: machine["reason"] for machine in told["machines"]}
    assert reasons == {"kiosk-01": "connection_refused", "ws-01": ""}


def test_an_unknown_machine_or_client_is_exit_code_2(desk: Desk, onboarded: tuple[dict[str, Any], Path]) -> None:
    for words in (("--client", "demo", "--host", "ws-1"), ("--client", "demos")):
        done = desk.invoke("audit.reconcile", *words)
        assert done.returncode == 2
        assert "did you mean" in done.stderr


def test_an_older_copy_of_the_state_folder_is_exposed(
    desk: Desk, onboarded: tuple[dict[str, Any], Path], put_back: Callable[[Path], None]
) -> None:
    """Adversary (b): no key is needed, and the log agrees with itself."""
    told, older = onboarded
    put_back(older)
    assert desk.invoke("audit.verify", "--client", "demo").returncode == 0
    code, found = asked(desk)
    assert (code, ("not_in_log", told["intervention"], None) in found) == (7, True)


def test_a_history_written_anew_with_the_key_is_exposed(
    desk: Desk, onboarded: tuple[dict[str, Any], Path], put_back: Callable[[Path], None]
) -> None:
    """Adversary (c): the same intervention at the same place, in all but its instant and salt."""
    told, older = onboarded
    _, shown = desk.ask("audit.show", "--client", "demo", "--entry", told["intervention"])
    put_back(older)
    with open_book(f"sqlite:///{desk.state}/ledger.db", "demo", state=desk.state) as book:
        refused = book.entry(2)
        assert refused is not None
        book.append([Draft(e["kind"], refused.at, e["operator"], e["body"]) for e in shown["entries"]])
        book.sign(refused.at)
    assert json.loads(desk.invoke("audit.verify", "--client", "demo", "--json").stdout)["status"] == "OK"
    code, found = asked(desk)
    assert (code, ("rewritten", told["intervention"], told["entries"][0]) in found) == (7, True)


@pytest.fixture
def put_back(desk: Desk, tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """Return a function that puts an older copy of the ledger where the state folder is; undone after the test."""
    parts = ("ledger.db", "ledger.db-wal", "ledger.db-shm", "checkpoints")

    def move(source: Path) -> None:
        for part in parts:
            target = desk.state / part
            shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
            if (source / part).is_dir():
                shutil.copytree(source / part, target)
            elif (source / part).exists():
                shutil.copy2(source / part, target)

    shutil.copytree(desk.state, tmp_path / "state")
    yield move
    move(tmp_path / "state")
