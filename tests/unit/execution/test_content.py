from __future__ import annotations

import subprocess
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import ExecutionError, MissingTool, UsageError
from provisioner.execution.content import commit_of, copy_content, digest_role, read_content

if TYPE_CHECKING:
    from pathlib import Path

VECTOR = "b3843bc15c0d6d0948ba765142b01525aa51a1937991c13f932381a763d6beab"
"""The digest of the role below: entries of today must be comparable with those of tomorrow."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "playbooks/site.yml": "- hosts: all\n",
        "roles/one/tasks/main.yml": "[]\n",
        "roles/one/templates/etc/a.j2": "a\n",
        "roles/one/README.md": "read me\n",
        "roles/one/molecule/default/molecule.yml": "{}\n",
        "roles/one/library/__pycache__/x.pyc": "bytes",
        "roles/two/tasks/main.yml": "[]\n",
    }
    for name, text in files.items():
        path = tmp_path / "checkout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "checkout"


def test_the_committed_vector(root: Path) -> None:
    assert digest_role(root / "roles" / "one") == VECTOR


@pytest.mark.parametrize("name", ["README.md", "molecule/default/converge.yml", "library/__pycache__/y.pyc"])
def test_what_never_reaches_a_machine_does_not_count(root: Path, name: str) -> None:
    (root / "roles/one" / name).write_text("something else", encoding="utf-8")
    assert digest_role(root / "roles" / "one") == VECTOR


def test_text_name_and_presence_of_a_file_count(root: Path) -> None:
    role = root / "roles" / "one"
    (role / "templates/etc/a.j2").write_text("b\n", encoding="utf-8")
    changed = digest_role(role)
    (role / "templates/etc/a.j2").rename(role / "templates/etc/b.j2")
    renamed = digest_role(role)
    (role / "templates/etc/b.j2").unlink()
    assert len({VECTOR, changed, renamed, digest_role(role)}) == 4


def test_exactly_what_was_planned_is_copied(root: Path, tmp_path: Path) -> None:
    content = read_content(root, "site", ["one"])
    playbook = copy_content(root, content, tmp_path / "project")
    copied = sorted(path.relative_to(tmp_path / "project").as_posix() for path in (tmp_path / "project").rglob("*.*"))
    assert playbook == tmp_path / "project" / "site.yml"
    assert copied == ["roles/one/tasks/main.yml", "roles/one/templates/etc/a.j2", "site.yml"]


@pytest.mark.parametrize("name", ["playbooks/site.yml", "roles/one/tasks/main.yml"])
def test_a_change_after_planning_is_refused_and_named(root: Path, tmp_path: Path, name: str) -> None:
    content = read_content(root, "site", ["one", "two"])
    (root / name).write_text("- evil\n", encoding="utf-8")
    with pytest.raises(ExecutionError, match=rf"changed since the plan was made: {name[:9]}"):
        copy_content(root, content, tmp_path / "project")


def test_a_role_that_does_not_exist_is_named(root: Path) -> None:
    with pytest.raises(UsageError, match="roles that do not exist: three"):
        read_content(root, "site", ["one", "three"])


def test_a_collection_that_is_not_installed_is_named(root: Path) -> None:
    (root / "roles/one/tasks/main.yml").write_text("- ours.nowhere.module:\n", encoding="utf-8")
    with pytest.raises(MissingTool, match=r"the collection ours\.nowhere, which is not installed"):
        read_content(root, "site", ["one"])


@pytest.mark.parametrize("package", ["ansible", "ansible-core"])
def test_ansible_that_is_not_installed_is_named(root: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    installed = metadata.distribution

    def distribution(name: str) -> metadata.Distribution:
        return installed("no-such-package" if name == package else name)

    monkeypatch.setattr(metadata, "distribution", distribution)
    (root / "roles/one/tasks/main.yml").write_text("- ansible.posix.sysctl:\n", encoding="utf-8")
    with pytest.raises(MissingTool, match=f"the package {package} is not installed"):
        read_content(root, "site", ["one"])


def test_the_commit_says_when_the_checkout_differs_from_it(root: Path) -> None:
    assert commit_of(root) == "unknown"
    git = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], check=True)
    commit = commit_of(root)
    assert len(commit) == 40
    (root / "playbooks/site.yml").write_text("changed", encoding="utf-8")
    assert commit_of(root) == f"{commit}-dirty"
