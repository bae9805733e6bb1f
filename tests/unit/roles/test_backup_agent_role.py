"""What the role refuses is what the program refuses; and each reader of its promises can say pass and fail."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from provisioner_backup import databases, exclusions, settings

if TYPE_CHECKING:
    from types import ModuleType

ROLES = Path(__file__).parents[3] / "roles"
VARS = yaml.safe_load((ROLES / "backup_agent/vars/main.yml").read_text())
parts = st.sampled_from(["a", "**", "*", "b*", "..", ".", "", "[", "!a", "é", "\\", "\n", "a**"])
patterns = st.lists(parts, max_size=5).map("/".join)


def load(name: str) -> ModuleType:
    """Load a module_utils file under the name that Ansible gives it on a machine."""
    full = f"ansible.module_utils.{name}"
    spec = importlib.util.spec_from_file_location(full, ROLES / f"acceptance/module_utils/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    spec.loader.exec_module(module)
    return module


common = load("acceptance_rows")
readers = load("acceptance_backup")


@given(patterns)
@example("**")
@example("**/**/a")
@example("/a/**/")
@example("/**/a/**/b")
@example("a/")
def test_the_role_refuses_the_patterns_that_the_program_does(pattern: str) -> None:
    role = re.match(VARS["__backup_agent_pattern"], pattern) and not re.match(VARS["__backup_agent_twice"], pattern)
    try:
        exclusions.Exclusions([pattern], roots=["/srv"])
    except ValueError:
        assert not role
    else:
        assert role


@pytest.mark.parametrize(
    ("path", "good"),
    [
        ("/", True),
        ("/srv", True),
        ("/srv/a b/é", True),
        ("/srv/...", True),
        ("", False),
        ("srv", False),
        ("/srv/", False),
    ]
    + [(path, False) for path in ("//srv", "/srv/..", "/./srv", "/srv/../etc", "/a\nb", "/srv\n")],
)
def test_paths_are_absolute_and_in_their_shortest_form(path: str, good: bool) -> None:
    assert bool(re.match(VARS["__backup_agent_path"], path)) == good


def test_the_program_reads_what_the_role_writes() -> None:
    assert {key for key in VARS["__backup_agent_config"] if key != "client"} == set(
        settings.Settings.__dataclass_fields__
    )


@pytest.mark.parametrize("name", ["shop", "_a-1", "", "a b", "a=b", "-a", "a\n", "x" * 64, "postgres://h"])
def test_the_program_dumps_the_databases_that_the_role_takes(name: str) -> None:
    assert bool(databases.NAME.fullmatch(name)) == (name in ("shop", "_a-1"))


def rows(kind: str, monkeypatch: pytest.MonkeyPatch, said: str = "", **check: Any) -> list[tuple[str, str]]:
    monkeypatch.setattr(readers, "output", lambda *_: said)
    found = readers.READERS[kind]({"name": "it", "kind": kind, **check})
    return [(row["found"], row["result"]) for row in found]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("restic 0.14.0 (v0.14.0-dev) compiled with go1.19", ("restic 0.14", "pass")),
        ("restic 0.18.0 compiled", ("restic 0.18", "pass")),
        ("restic 1.0.0", ("restic 1.0", "pass")),
        ("restic 0.12.1", ("restic 0.12", "fail")),
        ("", ("absent", "fail")),
    ],
)
def test_the_program(said: str, found: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert rows("backup_program", monkeypatch, said, asked="restic 0.14 or later") == [found]


def own(path: Path) -> Path:
    """Give a file to root where we are root, else take the account of the test for root's."""
    path.parent.chmod(0o700)
    path.chmod(0o600)
    return path


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of this account count as root's."""
    real = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        state = list(real(path))
        state[4] -= os.geteuid()
        state[5] -= os.getegid()
        return os.stat_result(state)

    monkeypatch.setattr(Path, "lstat", lstat)


@pytest.mark.usefixtures("as_root")
def test_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret/password"
    path.parent.mkdir()
    assert rows("backup_secret", monkeypatch, asked="root only", path=str(path)) == [("absent or empty", "fail")]
    path.write_text("")
    assert rows("backup_secret", monkeypatch, asked="root only", path=str(path)) == [("absent or empty", "fail")]
    own(path).write_text("s3cret")
    assert rows("backup_secret", monkeypatch, asked="root only", path=str(path)) == [("root only", "pass")]
    path.chmod(0o640)
    ((found, result),) = rows("backup_secret", monkeypatch, asked="root only", path=str(path))
    assert (result, found.endswith("0640")) == ("fail", True)
    path.chmod(0o600)
    path.parent.chmod(0o711)
    ((found, result),) = rows("backup_secret", monkeypatch, asked="root only", path=str(path))
    assert (result, found.endswith("0711")) == ("fail", True)
    assert "s3cret" not in found


@pytest.mark.usefixtures("as_root")
def test_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys/id"
    path.parent.mkdir(mode=0o700)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    derived = subprocess.run(["ssh-keygen", "-y", "-f", path], check=True, capture_output=True, text=True).stdout
    asked = {"asked": "root only", "path": str(path)}
    assert rows("backup_key", monkeypatch, derived, **asked) == [("root only", "pass"), ("one pair", "pass")]
    assert rows("backup_key", monkeypatch, "", **asked)[1] == ("no pair", "fail")
    assert rows("backup_key", monkeypatch, derived.replace("AAAA", "AAAB"), **asked)[1] == ("no pair", "fail")


def test_the_key_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"asked": "ssh-ed25519 AAAAx", "place": "store", "path": "/x"}
    one = "# Host store found: line 1 \nstore ssh-ed25519 AAAAx\n"
    assert rows("backup_store_key", monkeypatch, one, **asked) == [("ssh-ed25519 AAAAx", "pass")]
    two = rows("backup_store_key", monkeypatch, one + "store ssh-ed25519 AAAAy\n", **asked)
    assert two == [("ssh-ed25519 AAAAx, ssh-ed25519 AAAAy", "fail")]
    assert rows("backup_store_key", monkeypatch, "", **asked) == [("none", "fail")]


def test_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"agent": "a", "client": "c", "store": {"port": 22}, "paths": ["/srv"], "exclude": [], "databases": []}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(asked | {"seed": "5eed", "paths": ["/etc"]}))
    found = rows("backup_settings", monkeypatch, asked=asked, path=str(path))
    assert [result for _, result in found] == ["pass", "pass", "pass", "fail", "pass", "pass"]
    assert "5eed" not in str(found)


TIMER = {
    "UnitFileState": "enabled",
    "ActiveState": "active",
    "TimersCalendar": "{ OnCalendar=*-*-* 00/2:00:00 UTC ; next_elapse=Mon 2026-11-30 22:00:00 UTC }",
    "RandomizedDelayUSec": "30min",
    "Persistent": "yes",
}


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        ({}, []),
        ({"ActiveState": "inactive"}, [0]),
        ({"UnitFileState": "disabled"}, [0]),
        ({"TimersCalendar": "{ OnCalendar=*-*-* 00/3:00:00 UTC ; next_elapse=x }"}, [1]),
        ({"RandomizedDelayUSec": "1h 30min"}, [2]),
        ({"Persistent": "no"}, [3]),
    ],
)
def test_the_timer(changed: dict[str, str], failed: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = "".join(f"{key}={value}\n" for key, value in (TIMER | changed).items())
    monkeypatch.setattr(common, "output", lambda *_: shown)
    found = rows("backup_timer", monkeypatch, asked="*-*-* 00/2:00:00 UTC", delay=30)
    assert [index for index, (_, result) in enumerate(found) if result != "pass"] == failed


def test_time_spans_of_systemd() -> None:
    assert [readers.seconds(text) for text in ("1h 30min", "45s", "0", "3min 45s")] == [5400, 45, 0, 225]


def test_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "STATUS", tmp_path / "status.json")
    asked = {"asked": "completed", "before": "1"}
    assert rows("backup_run", monkeypatch, **asked) == [("no run since", "fail")]
    for said, found in (
        ({"run": "1", "state": "completed"}, ("no run since", "fail")),
        ({"run": "2", "state": "completed"}, ("completed", "pass")),
        ({"run": "2", "state": "failed", "reason": "store_full"}, ("failed store_full", "fail")),
        ({"run": "2", "state": "running"}, ("running", "fail")),
    ):
        (tmp_path / "status.json").write_text(json.dumps({"reason": "", "text": ""} | said))
        assert rows("backup_run", monkeypatch, **asked) == [found]
