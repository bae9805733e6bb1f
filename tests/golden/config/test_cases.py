"""Every case of the data files beside this one: a folder, changed as it says, is accepted or refused as it says."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioner.config.clients import load_client
from provisioner.config.role_inputs import load_role_inputs
from provisioner.errors import ConfigurationError

HERE = Path(__file__).parent
BASE = HERE / "base"
CARET = "§"
ROLES = load_role_inputs(BASE / "roles")
MANY = 10_001


def cases() -> list[dict[str, Any]]:
    return [
        {"family": path.stem[0].upper(), **case}
        for path in sorted(HERE.glob("?_*.yml"))
        for case in yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    ]


ALL = cases()


# ---- how a case is set up


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def device_node(path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can make a device")
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(100_000_000)


def many_hosts(path: Path) -> None:
    lines = [
        "all:",
        "  vars: {ansible_user: technician}",
        "  children:",
        "    servers: {hosts: {srv-01: {}, srv-02: {}}}",
        "    stores: {hosts: {site: {}, offsite: {}}}",
    ]
    lines += ["    workstations:", "      hosts:"]
    lines += [f"        pc-{i}: {{ansible_host: 10.0.{i // 250}.{i % 250 + 1}}}" for i in range(MANY - 4)]
    path.write_text("\n".join(lines), encoding="utf-8")


def symlink_inside(path: Path) -> None:
    (path.parent / "signed.yml").write_bytes((BASE / "acme" / "contract.yml").read_bytes())
    path.symlink_to("signed.yml")


def edited(path: Path, old: str, new: str) -> None:
    path.write_text((BASE / "acme" / path.name).read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


RECIPES = {
    "fifo": fifo,
    "device": device,
    "device_node": device_node,
    "huge": huge,
    "many_hosts": many_hosts,
    "symlink_inside": symlink_inside,
    "binary": lambda path: path.write_bytes(bytes(range(256))),
    "crlf": lambda path: path.write_bytes((BASE / "acme" / path.name).read_bytes().replace(b"\n", b"\r\n")),
    "deep": lambda path: path.write_text("[" * 20_000, encoding="utf-8"),
    "wide": lambda path: path.write_text("[" + "a," * 100_000 + "]", encoding="utf-8"),
    "digits": lambda path: edited(path, "batch: 20", "batch: " + "9" * 5000),
    "long_name": lambda path: edited(path, "ws-02", ".".join(["a" * 50] * 5)[:254].ljust(254, "b")),
    "symlink_out": lambda path: path.symlink_to("/etc/shadow"),
    "symlink_loop": lambda path: path.symlink_to(path.name),
    "directory": lambda path: path.mkdir(),
    "missing": lambda _: None,
}


@dataclass(frozen=True)
class Prepared:
    folder: Path
    file: str
    line: int
    col: int


def prepare(case: dict[str, Any], root: Path) -> Prepared:
    folder = root / "acme"
    shutil.copytree(BASE / "acme", folder)
    name = case.get("in", "contract.yml")
    path = folder / name
    for other, text in case.get("write", {}).items():
        (folder / other).parent.mkdir(exist_ok=True)
        (folder / other).write_text(text.replace(CARET, ""), encoding="utf-8")
    text = case.get("write", {}).get(name, "")
    if not text and "make" not in case and path.is_file():
        text = changed(case, path)
        path.write_bytes(text.replace(CARET, "").encode(case.get("encoding", "utf-8")))
    if "make" in case:
        path.unlink(missing_ok=True)
        path.parent.mkdir(exist_ok=True)
        RECIPES[case["make"]](path)
    line, col = place(case, text)
    return Prepared(folder, f"acme/{name}", line, col)


def changed(case: dict[str, Any], path: Path) -> str:
    if "text" in case:
        return str(case["text"])
    text = path.read_text(encoding="utf-8")
    for old, new in case.get("change", ()):
        assert old in text, f"the base has no {old!r}"
        text = text.replace(old, new, 1)
    return text


def place(case: dict[str, Any], text: str) -> tuple[int, int]:
    """Where the problem must be said: the case's `at`, or the caret in its text; 0:0 is the whole file."""
    if case.get("at") == "file":
        return 0, 0
    if "at" in case:
        line, col = case["at"].split(":")
        return int(line), int(col)
    before, caret, _ = text.partition(CARET)
    assert caret or case["expect"] != "refused", "a refused case says where"
    return before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1


# ---- what must come of it


def judge(case: dict[str, Any], root: Path) -> None:
    """Load the case's folder and compare with what it expects; AssertionError when that is something else."""
    prepared = prepare(case, root)
    decrypt = (lambda _, data: data.partition(b"\n")[2]) if case.get("decrypt") else None
    try:
        loaded = load_client(prepared.folder, roles=ROLES, decrypt=decrypt)
    except ConfigurationError as error:
        assert case["expect"] == "refused", str(error)
        refused_as_expected(case, prepared, error)
    else:
        assert case["expect"] == "accepted"
        warnings = [text for contract in loaded.contracts for text in contract.warnings]
        assert case.get("says", "") in "\n".join(warnings)
        assert bool(warnings) == ("says" in case)


def refused_as_expected(case: dict[str, Any], prepared: Prepared, error: ConfigurationError) -> None:
    assert error.exit_code == 2
    assert case.get("hides", "\0") not in str(error)
    assert "\0" not in str(error) and len(str(error)) < 4000
    assert len(error.problems) == int(case.get("problems", 1)), str(error)
    saying = [problem for problem in error.problems if case["says"] in str(problem)]
    assert saying, str(error)
    if case.get("anywhere"):
        return
    places = [(problem.file, problem.line, problem.col) for problem in saying]
    assert (prepared.file, prepared.line, prepared.col) in places, str(error)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the loader must not touch the network")

    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse, raising=False)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("case", ALL, ids=[f"{case['family']}-{case['name']}" for case in ALL])
def test_case(case: dict[str, Any], tmp_path: Path) -> None:
    before = time.process_time()
    judge(case, tmp_path)
    assert time.process_time() - before < (5 if case.get("make") == "many_hosts" else 1)


# ---- the cases themselves


def test_there_are_enough_cases_and_each_family_has_both_kinds() -> None:
    assert len(ALL) >= 60
    for family in "ABCDE":
        kinds = {case["expect"] for case in ALL if case["family"] == family}
        assert {"refused", "accepted"} <= kinds
    names = [(case["family"], case["name"]) for case in ALL]
    assert len(names) == len(set(names))


def test_at_least_eighty_malformed_contracts_are_refused_each_at_its_line() -> None:
    contracts = [case for case in ALL if case["family"] in "BCD" and case.get("in", "contract.yml") == "contract.yml"]
    refused = [case for case in contracts if case["expect"] == "refused" and case.get("at") != "file"]
    assert len(refused) >= 80
    assert not [case["name"] for case in refused if case.get("anywhere")], "each says where"
    assert [case for case in contracts if case["expect"] == "accepted"], "the control"


@pytest.mark.parametrize(
    "wrong",
    [
        {"expect": "accepted"},
        {"says": "a sentence that nothing says"},
        {"change": [["language: fr", "§language: de"]]},
        {"problems": "2"},
    ],
    ids=["wrong kind", "wrong sentence", "wrong place", "wrong number"],
)
def test_negative_control_a_wrong_expectation_goes_red(wrong: dict[str, Any], tmp_path: Path) -> None:
    right = {"name": "x", "change": [["language: fr", "language: §de"]], "expect": "refused", "says": "one of fr, en"}
    judge(right, tmp_path / "right")
    with pytest.raises(AssertionError):
        judge({**right, **wrong}, tmp_path / "wrong")


def test_negative_control_an_accepted_case_that_is_refused_elsewhere_goes_red(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        judge({"name": "x", "change": [], "expect": "refused", "says": "", "at": "1:1"}, tmp_path)


@pytest.mark.usefixtures("offline")
def test_negative_control_the_network_guard_bites() -> None:
    with pytest.raises(AssertionError):
        socket.create_connection(("127.0.0.1", 9))
