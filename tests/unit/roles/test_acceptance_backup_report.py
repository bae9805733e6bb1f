"""What acceptance counts after a reading of backups: as many reports as were read."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    import pytest

FOLDER = Path(__file__).parents[3] / "roles/acceptance/module_utils"


def load(name: str) -> ModuleType:
    """Load a module_utils file under the name that Ansible gives it on a machine."""
    full = f"ansible.module_utils.{name}"
    spec = importlib.util.spec_from_file_location(full, FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    spec.loader.exec_module(module)
    return module


load("acceptance_rows")
reader = load("acceptance_backup_report")


def counted(files: int, client: str = "demo") -> str:
    (row,) = reader.backup_reports({"name": "n", "asked": {"client": client, "files": files}})
    return str(row["result"])


def test_as_many_as_were_read_and_no_more_and_no_fewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "ROOT", tmp_path)
    assert (counted(0), counted(1)) == ("pass", "fail")
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "status.json").touch()
    (tmp_path / "store" / "demo").mkdir(parents=True)
    for name in ("ws-01.json", "ws-02.json", "ws-03.txt"):
        (tmp_path / "store" / "demo" / name).touch()
    assert [counted(files) for files in (2, 3, 4)] == ["fail", "pass", "fail"]
    assert counted(1, client="other") == "pass", "another client's machines are not counted"
