"""Loads what the role backup_proof gives machines, and writes manifests as docs/reference/backup_formats.md says.

The writer here is for tests alone: it is neither the agent's program nor the comparator.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

ROLES = Path(__file__).resolve().parents[3] / "roles"
KINDS = {0o100000: "file", 0o040000: "dir", 0o120000: "symlink", 0o010000: "fifo", 0o140000: "socket"}


def load(role: str, name: str) -> ModuleType:
    """Load a module_utils file under the name that Ansible gives it on a machine."""
    full = f"ansible.module_utils.{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, ROLES / role / "module_utils" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[full] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[full])
    return sys.modules[full]


def proof(name: str) -> ModuleType:
    """Load a module of backup_proof, after those it imports."""
    order = ("backup_manifest", "backup_compare", "backup_canary", "backup_restic", "backup_database")
    for each in order[: order.index(name)]:
        if (ROLES / "backup_proof/module_utils" / f"{each}.py").exists():
            load("backup_proof", each)
    return load("backup_proof", name)


def quoted(path: bytes) -> str:
    return quote_from_bytes(path, safe="/")


def objects(top: bytes) -> list[bytes]:
    """Every path of a tree, its top included, in the order of bytes."""
    found = [top]
    for folder, folders, files in os.walk(top):
        found += [os.path.join(folder, name) for name in (*folders, *files)]
    return sorted(found)


def entry(path: bytes, groups: dict[tuple[int, int], int], **more: object) -> dict[str, Any]:
    """What a manifest says of one object; `groups` numbers inodes that have several names."""
    found = os.lstat(path)
    kind = KINDS[stat.S_IFMT(found.st_mode)]
    said: dict[str, Any] = {
        "p": quoted(path), "t": kind, "m": f"{stat.S_IMODE(found.st_mode):04o}", "u": found.st_uid,
        "g": found.st_gid, "s": found.st_size, "n": found.st_mtime_ns,
    }  # fmt: skip
    if kind == "file":
        said["h"] = hashlib.sha256(Path(os.fsdecode(path)).read_bytes()).hexdigest() if "h" not in more else more["h"]
        if found.st_blocks * 512 < found.st_size:
            said["z"] = True
    if kind == "symlink":
        said["l"] = quoted(os.readlink(path))
    names = os.listxattr(path, follow_symlinks=False)
    if names:
        said["x"] = {
            quoted(os.fsencode(name)): hashlib.sha256(os.getxattr(path, name, follow_symlinks=False)).hexdigest()
            for name in names
        }
    if (found.st_dev, found.st_ino) in groups:
        said["k"] = groups[found.st_dev, found.st_ino]
    return said | more


def write_manifest(
    file: Path, tops: Iterable[bytes], *, run: str = "0" * 32, moving: Iterable[bytes] = (), more: object = None
) -> Path:
    """Write the manifest of the trees below `tops` as they are now."""
    tops = sorted(tops)
    paths = sorted(path for top in tops for path in objects(top))
    inodes: dict[tuple[int, int], list[bytes]] = {}
    for path in paths:
        found = os.lstat(path)
        if not stat.S_ISDIR(found.st_mode):
            inodes.setdefault((found.st_dev, found.st_ino), []).append(path)
    several = [inode for inode, names in inodes.items() if len(names) > 1]
    groups = {inode: number for number, inode in enumerate(several, 1)}
    first = {"v": 1, "run": run, "counter": 1, "begun": "2026-11-30T00:00:00Z", "paths": [os.fsdecode(t) for t in tops]}
    written = set(moving)
    lines = [first, *(entry(path, groups, **({"w": True} if path in written else {})) for path in paths)]
    file.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    return file
