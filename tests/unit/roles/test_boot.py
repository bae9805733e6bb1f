"""Which boot a machine is in, on data: two readers that agree, and a restart only where another boot answers."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROLES = Path(__file__).parents[3] / "roles"
FIRST, OTHER = "6fd0c9f2-5a43-4b0b-8a0f-2f4c7f2b9a11", "0b0f1de8-4f3c-4a0e-9f0b-6a4f6d1d7c22"
KERNEL = 1_800_000_000
"""When the kernel started, in seconds since the epoch; its first process a second later."""


def load(role: str, name: str) -> ModuleType:
    """Load a module_utils file under the name that Ansible gives it on a machine."""
    full = f"ansible.module_utils.{name}"
    spec = importlib.util.spec_from_file_location(full, ROLES / role / "module_utils" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    spec.loader.exec_module(module)
    return module


for name in ("acceptance_rows", "acceptance_software"):
    load("acceptance", name)
updates, level = load("acceptance", "acceptance_updates"), load("patch_level", "patch_level_boot")


class Machine:
    """The files of a machine from which its boot is read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.flag = root / "reboot-required"

    def boot(self, kernel: str, ticks: int, *, started: int = KERNEL) -> None:
        """Start it: as this kernel, its first process so many ticks later."""
        (self.root / "proc/sys/kernel/random").mkdir(parents=True, exist_ok=True)
        (self.root / "proc/1").mkdir(exist_ok=True)
        (self.root / "proc/sys/kernel/random/boot_id").write_text(f"{kernel}\n")
        # proc(5): the name may hold blanks and brackets; the start is the 22nd field.
        fields = ["S", *["0"] * 18, str(ticks), "0"]
        (self.root / "proc/1/stat").write_text(f"1 (odd) name) {' '.join(fields)}\n")
        (self.root / "proc/stat").write_text(f"cpu 1 2 3\nbtime {started}\n")

    def ask_for_restart(self, at: float) -> None:
        self.flag.touch()
        os.utime(self.flag, (at, at))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine(tmp_path)

    def below(*parts: Any) -> Path:
        return tmp_path.joinpath(*(str(part).lstrip("/") for part in parts))

    def nothing(*command: str, **_options: Any) -> str:
        raise FileNotFoundError(command[0])

    for module in (updates, level):
        monkeypatch.setattr(module, "FLAG", found.flag)
        monkeypatch.setattr(module, "output", nothing, raising=False)
    monkeypatch.setattr(updates, "Path", below)
    # A flag's packages are named beside it, wherever that is.
    monkeypatch.setattr(level, "Path", lambda path: Path(path) if str(path).startswith(str(tmp_path)) else below(path))
    return found


def restart(before: str, asked: str = "if_needed") -> dict[str, tuple[str, str]]:
    rows = updates.READERS["restart"]({"name": "restart", "kind": "restart", "asked": asked, "before": before})
    return {row["name"]: (row["found"], row["result"]) for row in rows}


@pytest.mark.parametrize(
    ("kernel", "ticks", "found"),
    [
        (OTHER, 100, ("another boot", "pass")),
        (FIRST, 9000, ("another boot", "pass")),
        (OTHER, 9000, ("another boot", "pass")),
        (FIRST, 100, ("the same boot", "fail")),
    ],
    ids=["machine", "container", "both", "neither"],
)
def test_a_restart_is_done_when_the_kernel_or_the_first_process_is_another(
    machine: Machine, kernel: str, ticks: int, found: tuple[str, str]
) -> None:
    machine.boot(FIRST, 100)
    before = level.boot()
    machine.boot(kernel, ticks)
    assert restart(before)["restart done"] == found


def test_where_no_restart_was_made_nothing_is_said_of_another_boot(machine: Machine) -> None:
    machine.boot(FIRST, 100)
    assert list(restart("")) == ["restart due"]


@pytest.mark.parametrize(("age", "due"), [(-1, False), (2, True)])
def test_a_flag_counts_if_it_was_left_since_the_first_process_started(machine: Machine, age: int, due: bool) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    machine.boot(FIRST, 3600 * ticks)
    machine.ask_for_restart(KERNEL + 3600 + age)
    assert restart("")["restart due"][1] == ("fail" if due else "pass")
    assert bool(level.restart_reasons()) == due
    assert restart("", asked="never")["restart due"][1] == ("not_applicable" if due else "pass")
