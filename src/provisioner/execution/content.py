"""Content: digests of what would be executed, and a sealed copy of exactly that."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.errors import ExecutionError, MissingTool, UsageError
from provisioner.model.plan import Content

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NOT_EXECUTED = frozenset({"molecule", "__pycache__", "README.md"})
"""Names inside a role that never reach a machine: they do not count for its digest."""

CALLED = re.compile(r"^\s*(?:- )?([a-z_]+\.[a-z_]+)\.[a-z_]+:", re.MULTILINE)
"""A module called by its full name at the beginning of a line."""


_INSTALL = "run `make demo`, or install requirements.lock"


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not NOT_EXECUTED.intersection(path.relative_to(folder).parts):
            yield path


def digest_file(path: Path) -> str:
    """SHA-256 of the bytes of one file, hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digest_role(folder: Path) -> str:
    """SHA-256 over the relative path and the digest of each file of a role, in path order; hex."""
    lines = (f"{digest_file(path)}  {path.relative_to(folder).as_posix()}\n" for path in _files(folder))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def commit_of(root: Path) -> str:
    """The git commit of the checkout, with `-dirty` when a tracked file differs from it; `unknown` outside git."""
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return found.stdout.strip() if found.returncode == 0 else "unknown"


def read_content(root: Path, playbook: str, roles: Sequence[str]) -> Content:
    """Given the checkout, a playbook's name without `.yml` and its roles, return their digests and versions.

    Raises UsageError for a role that is not there, MissingTool for a collection or Ansible itself: nothing began yet.
    """
    missing = [name for name in roles if not (root / "roles" / name).is_dir()]
    if missing:
        raise UsageError(f"playbooks/{playbook}.yml names roles that do not exist: {', '.join(missing)}")
    return Content(
        playbook=playbook,
        playbook_digest=digest_file(root / "playbooks" / f"{playbook}.yml"),
        roles={name: digest_role(root / "roles" / name) for name in roles},
        ansible=_distribution("ansible-core").version,
        commit=commit_of(root),
        collections=read_collections([root / "roles" / name for name in roles]),
    )


def read_collections(roles: Sequence[Path]) -> dict[str, str]:
    """Given the folders of roles, return `VERSION DIGEST` of each collection whose modules they call, by name.

    The digest is the SHA-256, hex, of the collection's FILES.json, which has the digest of each of its files. Raises
    MissingTool for a collection that the package `ansible` does not bring.
    """
    texts = (path.read_text(encoding="utf-8") for role in roles for path in role.glob("*/*.yml"))
    names = {found for text in texts for found in CALLED.findall(text)} - {"ansible.builtin", "ansible.legacy"}
    return {name: _collection(name) for name in sorted(names)}


def _collection(name: str) -> str:
    folder = Path(str(_distribution("ansible").locate_file("ansible_collections"))) / name.replace(".", "/")
    try:
        manifest = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
        return f"{manifest['collection_info']['version']} {digest_file(folder / 'FILES.json')}"
    except FileNotFoundError:
        raise MissingTool(f"a role calls the collection {name}, which is not installed", hint=_INSTALL) from None


def _distribution(name: str) -> metadata.Distribution:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise MissingTool(f"the package {name} is not installed", hint=_INSTALL) from None


def copy_content(root: Path, content: Content, project: Path) -> Path:
    """Copy exactly the playbook and roles of `content` into `project` and return the playbook's path there.

    Raises ExecutionError when they are no longer what was planned: what runs is what is recorded.
    """
    (project / "roles").mkdir(parents=True)
    playbook = project / f"{content.playbook}.yml"
    shutil.copyfile(root / "playbooks" / playbook.name, playbook)
    changed = [] if digest_file(playbook) == content.playbook_digest else [f"playbooks/{playbook.name}"]
    for name, digest in content.roles.items():
        target = project / "roles" / name
        shutil.copytree(root / "roles" / name, target, ignore=shutil.ignore_patterns(*NOT_EXECUTED))
        if digest_role(target) != digest:
            changed.append(f"roles/{name}")
    if changed:
        raise ExecutionError(
            f"changed since the plan was made: {', '.join(changed)}", hint="type the command again to plan anew"
        )
    return playbook
