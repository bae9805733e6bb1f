"""The composition root: what is made, and what is refused, before anything is opened."""

from __future__ import annotations

import copy
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from provisioner.cli import wiring
from provisioner.cli.collection import namespace
from provisioner.errors import MissingTool, UsageError
from provisioner.model.asset import Address, Asset, Transport

if TYPE_CHECKING:
    from pathlib import Path

    from invoke.program import Program


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of the settings; it is not there yet."""
    monkeypatch.setenv("PROVISIONER_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def invoke() -> Program:
    from invoke.program import Program

    own = copy.deepcopy(namespace)  # invoke takes the help texts out of the tasks that it parses for
    return Program(namespace=own, name="invoke", version="0")


def code(invoke: Program, *words: str) -> int:
    try:
        invoke.run(["invoke", *words], exit=True)
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("contract.check",), 0),
        (("contract.show", "--client", "demo"), 0),
        (("audit.log", "--client", "demo"), 7),
        (("audit.show", "--client", "demo", "--entry", "1"), 7),
        (("audit.verify", "--client", "demo"), 7),
    ],
)
def test_a_command_that_only_looks_makes_nothing_and_asks_for_no_mode(
    state: Path, invoke: Program, words: tuple[str, ...], expected: int
) -> None:
    assert code(invoke, *words) == expected
    assert not state.exists()
    state.mkdir(mode=0o755)
    assert code(invoke, *words) == expected
    assert list(state.iterdir()) == []


def test_a_command_that_writes_refuses_a_folder_that_is_open_to_others(
    state: Path, invoke: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    state.mkdir(mode=0o755)
    assert code(invoke, "onboard", "--host", "ws-01", "--client", "demo", "--json") == 2
    assert f"chmod 700 {state}" in json.loads(capsys.readouterr().out)["next"]


@pytest.mark.parametrize("ticket", ["\udcff", "T-1\nT-2", "T" * 65, "\x1b[2J"])
def test_a_ticket_that_no_entry_could_hold_is_refused_before_anything_is_opened(
    state: Path, invoke: Program, capsys: pytest.CaptureFixture[str], ticket: str
) -> None:
    assert code(invoke, "onboard", "--host", "ws-01", "--client", "demo", "--ticket", ticket) == 2
    assert "is no ticket" in capsys.readouterr().err
    assert not state.exists()


class Quiet:
    def begin(self, *_: object, **__: object) -> None: ...
    def event(self, *_: object) -> None: ...
    def note(self, *_: object) -> None: ...


def machine(transport: Transport) -> Asset:
    address = Address(host="192.0.2.1", port=22, user="t", transport=transport)
    return Asset(client="demo", name="ws-01", groups=frozenset(), address=address)


@pytest.mark.parametrize("program", ["setpriv", "flock", "unshare", "ssh"])
def test_a_program_of_the_run_that_is_missing_is_named_before_anything_is_opened(
    state: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == program else which(name))
    where = wiring.site()
    with pytest.raises(MissingTool, match=f"{program} is not on this machine"):
        wiring.services(where, machine(Transport.SSH), Quiet())
    if program == "ssh":
        wiring.services(where, machine(Transport.WINRM), Quiet())
    assert not state.exists()


def test_a_host_key_is_asked_about_at_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(_: str) -> str:
        raise AssertionError

    assert wiring.acceptance(flag=True, ask=ask)("SHA256:x")
    assert not wiring.acceptance(flag=False, ask=ask)("SHA256:x")


def test_doctor_looks_at_everything_though_the_settings_are_wrong(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVISIONER_SETTINGS", "/no/such/file")
    from provisioner.lab import doctor

    def find_engine(_: object) -> object:
        raise UsageError("not looked for")

    monkeypatch.setattr(doctor, "find_engine", find_engine)
    found = {finding.name: finding for finding in wiring.diagnose()}
    assert not found["settings"].ok and found["python"].ok


def test_a_folder_of_dated_contracts_hides_no_problem_of_another_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = wiring.CHECKOUT / "inventories" / "demo"
    for client in ("acme", "demo", "zenith"):
        shutil.copytree(demo, tmp_path / client)
    (tmp_path / "acme" / "contracts").mkdir()
    (tmp_path / "demo" / "host_vars").rename(tmp_path / "demo" / "kept")
    (tmp_path / "demo" / "host_vars").touch()
    monkeypatch.setenv("PROVISIONER_INVENTORIES", str(tmp_path))
    said = "\n".join(map(str, wiring.check_clients(wiring.site(), None).problems))
    assert "acme/contract.yml: this client has a folder contracts/ as well" in said
    assert "demo/host_vars: is a file" in said
    assert "zenith/contract.yml" in said, "its id is demo's"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--spent", "45m", "--check"), "--spent goes with work that is done"),
        (("--spent", "45"), "--spent: expected a duration"),
        (("--spent", "0m"), "--spent: expected a duration longer than zero"),
        (("--spent", "1mo"), "--spent: expected a duration"),
        (("--approval", "nowhere.json"), "nowhere.json, the file that the refusal wrote, cannot be read"),
    ],
)
def test_labour_and_approvals_that_cannot_be_are_usage_errors(
    state: Path, invoke: Program, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert code(invoke, "onboard", "--host", "ws-01", "--client", "demo", *words) == 2
    assert said in capsys.readouterr().err
    assert not state.exists()


def test_work_rests_on_the_contract_of_today_and_says_so_where_there_was_a_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = tmp_path / "demo"
    shutil.copytree(wiring.CHECKOUT / "inventories" / "demo", demo)
    monkeypatch.setenv("PROVISIONER_INVENTORIES", str(tmp_path))
    alone = wiring.premises(wiring.site(), "ws-01", client=None, contract_id=None)
    assert (alone.contract.id, alone.why) == ("DEMO-2026", "")
    (demo / "contracts").mkdir()
    new = (demo / "contract.yml").rename(demo / "contracts" / "new.yml").read_text(encoding="utf-8")
    old = new.replace("DEMO-2026", "DEMO-2020").replace("2026-", "2020-").replace("kind: tacit", "kind: express")
    (demo / "contracts" / "old.yml").write_text(old, encoding="utf-8")
    chosen = wiring.premises(wiring.site(), "ws-01", client=None, contract_id=None)
    assert chosen.contract.id == "DEMO-2026"
    assert chosen.why == "DEMO-2026 is in force and covers ws-01; DEMO-2020 ended on 2020-12-31"
    assert wiring.premises(wiring.site(), "ws-01", client=None, contract_id="DEMO-2020").contract.id == "DEMO-2020"
    with pytest.raises(UsageError, match="there is no contract 'DEMO-1999'"):
        wiring.premises(wiring.site(), "ws-01", client=None, contract_id="DEMO-1999")
    (demo / "contracts" / "twin.yml").write_text(new.replace("id: DEMO-2026", "id: TWIN"), encoding="utf-8")
    with pytest.raises(UsageError, match="DEMO-2026 and TWIN are both in force"):
        wiring.premises(wiring.site(), "ws-01", client=None, contract_id=None)
