"""What the acceptance says after an update: services back, disk sane, services on old files, kernels, by fakes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

UTILITIES = Path(__file__).resolve().parents[3] / "roles/acceptance/module_utils"
VERSION = "NEEDRESTART-VER: 3.6\n"
SHOWN = """Id=ssh.service
WantedBy=multi-user.target
RequiredBy=

Id=dbus.service
WantedBy=
RequiredBy=ssh.service

Id=packagekit.service
WantedBy=
RequiredBy=

Id=user@1000.service
WantedBy=session-1.scope
RequiredBy=
"""


@pytest.fixture
def updates(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The readers of updates; their imports are those of a machine."""
    monkeypatch.syspath_prepend(str(UTILITIES))
    for name in ("acceptance_rows", "acceptance_software"):
        monkeypatch.setitem(sys.modules, f"ansible.module_utils.{name}", __import__(name))
    monkeypatch.delitem(sys.modules, "acceptance_updates", raising=False)
    return __import__("acceptance_updates")


def answers(monkeypatch: pytest.MonkeyPatch, module: ModuleType, said: dict[str, Callable[..., str] | str]) -> None:
    """Let programs say this; a program that is not named is not on the machine."""

    def output(*command: str, **_: object) -> str:
        if command[0] not in said:
            raise FileNotFoundError(command[0])
        told = said[command[0]]
        return told if isinstance(told, str) else told(*command)

    monkeypatch.setattr(module, "output", output)


def systemctl(*running: str) -> Callable[..., str]:
    listed = "".join(f"{name} loaded active running x\n" for name in running)
    return lambda _, word, *more: SHOWN if word == "show" else listed


BACK = {"name": "services back", "asked": ["ssh.service", "dbus.service", "packagekit.service", "user@1000.service"]}


def test_services_that_the_machine_starts_by_itself_are_back(updates: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, updates, {"systemctl": systemctl("ssh.service", "dbus.service")})
    (row,) = updates.services_back(BACK)
    assert (row["result"], row["found"]) == ("pass", "2 run"), "one that ends when nobody needs it is not missed"


def test_a_service_that_is_not_back_is_missed_by_name(updates: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "START_SECONDS", -1)
    answers(monkeypatch, updates, {"systemctl": systemctl("dbus.service")})
    (row,) = updates.services_back(BACK)
    assert (row["result"], row["found"]) == ("fail", "ssh.service")


def test_a_service_that_starts_late_is_waited_for(updates: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(updates.time, "sleep", waited.append)
    late = iter([systemctl("dbus.service"), systemctl("dbus.service", "ssh.service")])
    answers(
        monkeypatch,
        updates,
        {"systemctl": lambda *words: SHOWN if words[1] == "show" else next(late)(*words)},
    )
    (row,) = updates.services_back(BACK)
    assert (row["result"], len(waited)) == ("pass", 1)


@pytest.mark.parametrize(
    ("said", "result", "found"),
    [
        (None, "not_applicable", "needrestart is not installed: nothing was looked at"),
        (VERSION, "pass", "none"),
        (
            f"{VERSION}NEEDRESTART-SVC: dbus.service\n",
            "not_applicable",
            "dbus.service: on files from before an update; needrestart does not restart it by itself",
        ),
    ],
)
def test_services_on_old_files(
    updates: Any, monkeypatch: pytest.MonkeyPatch, said: str | None, result: str, found: str
) -> None:
    answers(monkeypatch, updates, {} if said is None else {"needrestart": said})
    (row,) = updates.stale_services({"name": "stale services", "asked": "none"})
    assert (row["result"], row["found"]) == (result, found)


def test_a_needrestart_that_says_nothing_is_not_believed(updates: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, updates, {"needrestart": ""})
    with pytest.raises(OSError, match="no answer"):
        list(updates.stale_services({"name": "stale services", "asked": "none"}))


@pytest.mark.parametrize(("state", "result"), [("1", "pass"), ("0", "pass"), ("3", "fail"), ("2", "fail")])
def test_a_kernel_that_does_not_run_yet_is_a_restart_due(
    updates: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: str, result: str
) -> None:
    monkeypatch.setattr(updates, "FLAG", tmp_path / "no-flag")
    answers(monkeypatch, updates, {"needrestart": f"{VERSION}NEEDRESTART-KEXP: 6.1.0-10\nNEEDRESTART-KSTA: {state}\n"})
    (row,) = updates.restart({"name": "restart", "asked": "if_needed", "before": ""})
    assert row["result"] == result
    assert row["found"] == ("none due" if result == "pass" else "kernel 6.1.0-10 does not run")


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, "writable, not full"),
        ({"f_flag": os.ST_RDONLY}, "read-only"),
        ({"f_bavail": 15}, "full"),
        ({"f_favail": 0}, "full"),
        ({"f_favail": 0, "f_files": 0}, "writable, not full"),
    ],
)
def test_a_disk_that_is_full_or_read_only_is_not_sane(
    updates: Any, monkeypatch: pytest.MonkeyPatch, more: dict[str, int], found: str
) -> None:
    state = {"f_bavail": 16, "f_frsize": 1 << 20, "f_flag": 0, "f_files": 9, "f_favail": 9, **more}
    monkeypatch.setattr(updates.os, "statvfs", lambda path: SimpleNamespace(**state))
    rows = list(updates.disk_sane({"name": "disk", "asked": "writable, not full"}))
    assert [(row["name"], row["found"]) for row in rows] == [("disk /", found), ("disk /var", found)]
