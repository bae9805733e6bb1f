"""Each thing doctor looks at, well and ill."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from importlib import metadata
from types import SimpleNamespace

import pytest

from provisioner.errors import MissingTool, UsageError
from provisioner.lab import doctor
from provisioner.lab.doctor import Surroundings, checks
from provisioner.lab.engine import Engine

NOW = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def podman(monkeypatch):
    monkeypatch.setattr(doctor, "find_engine", lambda cache: Engine("/usr/bin/podman"))


@pytest.fixture
def look(tmp_path):
    """Return a function that makes the checks and returns the finding of one name."""

    def look(name, *, environ=None, now=NOW, refusals=None):
        around = Surroundings(tmp_path / "state", tmp_path / "cache", environ or {}, now)
        (finding,) = [found for found in checks(around, refusals or {}) if found.name == name]
        return finding

    return look


def test_every_finding_that_is_not_ok_has_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    found = checks(Surroundings(tmp_path, tmp_path, {}, NOW), {})
    missing = {finding.name for finding in found if not finding.ok}
    assert missing >= {"ansible-playbook", "ssh", "ssh-keygen", "git", "containment", "practice machines: mmdebstrap"}
    assert all(finding.remedy for finding in found if not finding.ok)
    assert len({finding.name for finding in found}) == len(found)


def test_a_tool_beside_this_python_is_found_first(look, tmp_path, monkeypatch):
    (tmp_path / "ansible-playbook").write_text("")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert look("ansible-playbook").found == str(tmp_path / "ansible-playbook")


@pytest.mark.parametrize(("version", "ok"), [((3, 10), False), ((3, 11), True), ((3, 13), True), ((3, 14), False)])
def test_python_versions(look, monkeypatch, version, ok):
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    assert look("python").ok is ok


def test_missing_packages_are_named(look, monkeypatch):
    declared = ["no-such-package>=1", "pydantic>=2", "absent; python_version < '4'", "pytest; extra == 'dev'"]
    monkeypatch.setattr(metadata, "requires", lambda name: declared)
    finding = look("python packages")
    assert (finding.ok, finding.found) == (False, "not installed: absent, no-such-package")
    assert "requirements.lock" in finding.remedy


def test_what_the_project_declares_is_installed_here(look):
    assert look("python packages").ok


def test_provisioner_itself_may_be_missing(look, monkeypatch):
    def requires(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", requires)
    assert look("python packages").found == "provisioner itself is not installed"


@pytest.mark.parametrize(("user", "namespaces"), [(0, "--pid"), (1000, "--user --map-current-user --pid")])
def test_containment_is_tried_as_runs_will_do_it(look, monkeypatch, user, namespaces):
    tried = []

    def run(command, **_):
        tried.append(" ".join(command))
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(subprocess, "run", run)
    assert look("containment").ok
    assert f"unshare {namespaces} --fork --kill-child=KILL true" in tried


def test_a_refused_namespace_is_said(look, monkeypatch):
    refused = SimpleNamespace(returncode=1, stdout="", stderr="unshare: Operation not permitted\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: refused)
    finding = look("containment")
    assert not finding.ok
    assert "Operation not permitted" in finding.found


@pytest.mark.parametrize(("mode", "ok"), [(0o700, True), (0o750, False), (0o701, False)])
def test_the_state_folder_is_its_owners_alone(look, tmp_path, mode, ok):
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(mode)
    finding = look("state folder")
    assert finding.ok is ok
    assert ok or finding.remedy == f"chmod 700 {tmp_path / 'state'}"


def test_a_state_folder_of_somebody_else_is_refused(look, tmp_path, monkeypatch):
    (tmp_path / "state").mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert "belongs to user" in look("state folder").found


def test_a_state_folder_that_is_not_there_yet_is_fine(look):
    assert look("state folder").ok


@pytest.mark.parametrize(("free", "ok"), [(0.9e9, False), (1.1e9, True)])
def test_space_is_looked_at_where_the_folder_will_be(look, tmp_path, monkeypatch, free, ok):
    def usage(path):
        assert path == tmp_path
        return SimpleNamespace(free=free)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    assert look("state folder, space").ok is ok


def test_the_vault_password_file(look, tmp_path):
    path = tmp_path / "vault"
    environ = {doctor.VAULT: str(path)}
    assert look("vault password file").ok
    assert look("vault password file", environ=environ).found == f"{path} cannot be read"
    path.write_text("secret")
    path.chmod(0o644)
    assert look("vault password file", environ=environ).remedy == f"chmod 600 {path}"
    path.chmod(0o600)
    assert look("vault password file", environ=environ).found == str(path)


def test_podman_is_described_or_its_remedy_given(look, tmp_path, monkeypatch):
    assert look("practice machines: podman").found == "/usr/bin/podman starts systemd containers with its defaults"
    ours = Engine("/usr/bin/podman", settings=tmp_path / "c.conf", sudo=True)
    monkeypatch.setattr(doctor, "find_engine", lambda cache: ours)
    assert look("practice machines: podman").found.endswith(f"with settings of ours, {tmp_path / 'c.conf'}, by sudo")

    def find(cache):
        raise MissingTool("podman is not on this machine", hint="apt-get install podman")

    monkeypatch.setattr(doctor, "find_engine", find)
    finding = look("practice machines: podman")
    assert (finding.ok, finding.remedy) == (False, "apt-get install podman")


def test_what_other_packages_refuse_is_told_under_the_name_given(look):
    def refuse():
        raise UsageError("the environment weakens host key checking", hint="unset X")

    finding = look("environment", refusals={"environment": refuse})
    assert (finding.ok, finding.remedy) == (False, "unset X")
    assert look("environment", refusals={"environment": lambda: None}).ok


def test_a_clock_before_these_files_were_written_is_wrong(look):
    finding = look("clock", now=datetime(2001, 1, 1, 12, tzinfo=timezone(timedelta(hours=2))))
    assert not finding.ok
    assert finding.found == "2001-01-01T10:00:00Z is before these files were written"


@pytest.mark.parametrize(("answer", "remedy"), [("yes\n", False), ("no\n", True), ("", True)])
def test_a_clock_that_nothing_sets_is_advice(look, monkeypatch, answer, remedy):
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    done = SimpleNamespace(returncode=0, stdout=answer, stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    finding = look("clock")
    assert finding.ok
    assert bool(finding.remedy) is remedy


def test_what_cannot_be_looked_at_is_a_finding(look):
    def refuses():
        raise PermissionError(13, "Permission denied", "/somebody/else/s")

    finding = look("the look", refusals={"the look": refuses})
    assert not finding.ok and finding.remedy
    assert "Permission denied" in finding.found and "/somebody/else/s" in finding.found
