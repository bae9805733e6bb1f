"""Which podman settings are used is decided by trying; fake programs on PATH stand for good and bad machines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioner.errors import ExecutionError, MissingTool
from provisioner.lab.engine import SETTINGS, Engine, cache_folder, find_engine, last_line

PODMAN = """#!/bin/sh
echo "${{CONTAINERS_CONF:-plain}} $*" >> {log}
case $1 in
--version) echo podman version {version}; exit 0 ;;
esac
if [ -n "${{CONTAINERS_CONF:-}}" ]; then echo noise >&2; echo {ours} >&2; exit {ours_code}; fi
echo {plain} >&2; exit {plain_code}
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that puts a fake podman on PATH; `machine.asked()` lists what it was called with."""
    programs = tmp_path / "programs"
    programs.mkdir()
    log = tmp_path / "log"
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.delenv("CONTAINERS_CONF", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    def make(*, plain="", ours="", version="4.3.1"):
        codes = {"plain_code": 126 if plain else 0, "ours_code": 126 if ours else 0}
        text = PODMAN.format(log=log, version=version, plain=plain or "fine", ours=ours or "fine", **codes)
        write_program(programs / "podman", text)
        return programs / "podman"

    def asked():
        calls = log.read_text().splitlines() if log.exists() else []
        log.write_text("")
        return [call for call in calls if " run " in call]

    make.programs, make.asked = programs, asked
    return make


def write_program(path, text):
    path.write_text(text)
    path.chmod(0o755)


def test_defaults_that_work_are_left_alone(machine, tmp_path):
    program = machine()
    engine = find_engine(tmp_path / "cache")
    assert engine == Engine(str(program))
    assert engine.command == (str(program),)
    assert engine.environment(tmp_path / "shims") == {}
    assert not (tmp_path / "cache" / "containers.conf").exists()
    assert len(machine.asked()) == 1


def test_where_defaults_fail_our_settings_are_tried_and_used_for_our_calls_only(machine, tmp_path):
    """facts.md: rlimits and crun refuse podman's defaults on some machines."""
    program = machine(plain="error setting rlimit type 7")
    engine = find_engine(tmp_path)
    settings = tmp_path / "containers.conf"
    assert settings.read_text() == SETTINGS
    assert engine.command == ("env", f"CONTAINERS_CONF={settings}", str(program))
    assert engine.environment(tmp_path / "shims") == {"CONTAINERS_CONF": str(settings)}
    first, second = machine.asked()
    assert first.startswith("plain run ")
    assert second.startswith(f"{settings} run ")
    assert "CONTAINERS_CONF" not in os.environ


def test_where_neither_works_both_reasons_are_said_and_nothing_is_remembered(machine, tmp_path):
    machine(plain="no cgroup", ours="no runc")
    for _ in range(2):
        with pytest.raises(MissingTool, match=r"defaults: no cgroup; with ours: no runc") as caught:
            find_engine(tmp_path)
        assert "apt-get install podman runc" in caught.value.hint
        assert len(machine.asked()) == 2


@pytest.mark.parametrize("plain", ["", "broken"])
def test_the_answer_is_remembered_until_podman_changes(machine, tmp_path, plain):
    machine(plain=plain)
    first = find_engine(tmp_path)
    machine.asked()
    assert find_engine(tmp_path) == first
    assert machine.asked() == []
    machine(plain=plain, version="5.4.2")
    assert find_engine(tmp_path) == first
    assert machine.asked() != []


def test_settings_already_given_are_part_of_the_circumstances(machine, tmp_path, monkeypatch):
    machine(plain="broken")
    assert find_engine(tmp_path).settings is not None
    monkeypatch.setenv("CONTAINERS_CONF", "/etc/of-the-user.conf")
    assert find_engine(tmp_path).settings is None


def test_without_podman_the_remedy_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool, match="podman is not on this machine") as caught:
        find_engine(tmp_path / "cache")
    assert caught.value.hint == "apt-get install podman runc"


def test_a_plain_user_goes_through_sudo_and_hands_it_on(machine, tmp_path, monkeypatch):
    program = machine(plain="broken")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    write_program(machine.programs / "sudo", f'#!/bin/sh\necho sudo >> {tmp_path}/sudo-log\nexec "$@"\n')
    engine = find_engine(tmp_path / "cache")
    assert engine.command == ("sudo", "env", f"CONTAINERS_CONF={tmp_path / 'cache' / 'containers.conf'}", str(program))
    environment = engine.environment(tmp_path / "shims")
    assert environment["PATH"].split(":")[0] == str(tmp_path / "shims")
    (tmp_path / "sudo-log").write_text("")
    shim = Engine(str(tmp_path / "shims" / "podman"))
    assert shim.call("--version") == "podman version 4.3.1\n"
    assert (tmp_path / "sudo-log").read_text() == "sudo\n"


def test_a_plain_user_without_sudo_is_told_to_be_root(machine, tmp_path, monkeypatch):
    machine()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(machine.programs))
    with pytest.raises(MissingTool, match="sudo") as caught:
        find_engine(tmp_path)
    assert caught.value.hint == "run it as root"


def test_a_failing_call_says_what_podman_said_last(machine):
    program = machine(plain="no such container")
    with pytest.raises(ExecutionError, match=r"podman rm failed \(126\): no such container"):
        Engine(str(program)).call("rm", "x")


def test_a_call_that_does_not_end_is_given_up(tmp_path):
    write_program(tmp_path / "podman", "#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(ExecutionError, match="podman exec did not end within 0 s"):
        Engine(str(tmp_path / "podman")).call("exec", seconds=0.2)


def test_the_cache_is_outside_any_checkout():
    assert cache_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/provisioner/lab")
    assert cache_folder({}) == Path.home() / ".cache/provisioner/lab"


def test_last_line():
    assert last_line("a\nb\n\n") == "b"
    assert last_line("\n") == "it said nothing"
