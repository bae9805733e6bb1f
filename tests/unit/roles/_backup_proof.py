"""Loads what the role backup_proof gives machines, and writes manifests as the README of backup_agent says.

The writer here is for tests alone: it is neither the agent's program nor the comparator.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

ROLES = Path(__file__).resolve().parent.parent.parent.parent / "roles"
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
        load("backup_proof", each)
    return load("backup_proof", name)


def drilling() -> tuple[ModuleType, ModuleType]:
    """Load the modules of backup_drill: the drill and the sabotage."""
    proof("backup_database")
    return load("backup_drill", "backup_drilling"), load("backup_drill", "backup_sabotage")


def plant_canaries(folder: Path, seed: bytes, counter: int) -> None:
    """Write canary files as the README of backup_agent says."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sizes = {
        b"plain": 70_000, b"empty": 0, b"with spaces ": 33, "accents-é-ü-日本-🐤".encode(): 1_000, b"new\nline": 64,
        b"not-utf8-\xff\xfe": 65, b"hard-link-1": 500, b"extended-attribute": 10, b"sparse": 4_096,
    }  # fmt: skip

    def text(name: bytes, size: int) -> bytes:
        start = b"\0".join((seed, name, str(counter).encode(), b""))
        return b"".join(hashlib.sha256(start + str(i).encode()).digest() for i in range(size // 32 + 1))[:size]

    for name, size in sizes.items():
        with Path(os.fsdecode(bytes(folder) + b"/" + name)).open("wb") as file:
            file.seek(1 << 20 if name == b"sparse" else 0)
            file.write(text(name, size))
    os.link(folder / "hard-link-1", folder / "hard-link-2")
    os.symlink("with spaces ", folder / "symbolic-link")
    os.setxattr(folder / "extended-attribute", "user.provisioner", text(b"extended-attribute", 32))


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
    file: Path, tops: Iterable[bytes], *, run: str = "0" * 32, moving: Iterable[bytes] = (), counter: int = 1
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
    first: dict[str, object] = {"v": 1, "run": run, "counter": counter, "begun": "2026-11-30T00:00:00Z"}
    first["paths"] = [os.fsdecode(top) for top in tops]
    written = set(moving)
    lines = [first, *(entry(path, groups, **({"w": True} if path in written else {})) for path in paths)]
    file.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    return file


def mark_moving(manifest: Path, paths: set[bytes]) -> None:
    """Say of these that they changed while they were read."""
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    for line in lines[1:]:
        line.update({"w": True} if unquote_to_bytes(line["p"]) in paths else {})
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
