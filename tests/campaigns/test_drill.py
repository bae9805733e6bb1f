"""Trees of every sort, saved and drilled with real restic: `invoke dev.campaign --name drill`.

40 trees (in full: 200), eight a snapshot, made up by hypothesis: names in any bytes, newlines in them, sparse and empty
files, hard links, sockets, ACLs, extended attributes, links to anywhere, files that change, come and go while they are
read. Each drill passes; what restic does not keep is listed, name for name, as this file foresees it; a second way of
comparing, which reads the saved tree itself, finds the same; and after one alteration of the restored tree the
comparison is red. In full one file reaches over 4 GiB. The seed is printed and repeats a run (`PROVISIONER_SEED`).
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import stat
import struct
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.unit.roles._backup_proof import objects
from tests.unit.roles._backup_vault import Vault, drill_module

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.lab

FULL = os.environ.get("PROVISIONER_CAMPAIGN") == "full"
SEED = int(os.environ.get("PROVISIONER_SEED", random.randrange(10**9) if FULL else 61130))
DRILLS, TREES = (25 if FULL else 5), 8

HOLES_ARE_KEPT, TARGETS_ARE_KEPT = (0, 15), (0, 16)
"""From which restic on."""

names = st.one_of(
    st.binary(min_size=1, max_size=20),
    st.sampled_from(
        [b"new\nline", b"\xff\xfe", "é 日本 🐤".encode(), b"*?[x]", b"back\\slash", b" ", b"-n", b"x" * 255, b"%41"]
    ),
).map(lambda raw: raw.replace(b"/", b"|").replace(b"\0", b"0"))
names = names.filter(lambda raw: raw not in (b".", b".."))
KINDS = [
    "file",
    "file",
    "empty",
    "sparse",
    "link",
    "bytes_link",
    "twin",
    "linked_link",
    "fifo",
    "socket",
    "dir",
    "moving",
    "comes",
    "goes",
]
kinds = st.sampled_from(KINDS)
attributes = st.sampled_from(["user.a", "user.b", "trusted.c", "security.d"])
nodes = st.fixed_dictionaries(
    {
        "kind": kinds,
        "data": st.binary(max_size=3000),
        "mode": st.sampled_from([0o000, 0o400, 0o644, 0o755, 0o2755, 0o4711, 0o1777]),
        "owner": st.tuples(st.integers(0, 70_000), st.integers(0, 70_000)),
        "at": st.integers(-(10**9), 4 * 10**9).map(lambda at: at * 10**9 + 123_456_789),
        "xattr": st.dictionaries(attributes, st.binary(max_size=60), max_size=2),
        "acl": st.booleans(),
        "below": st.integers(0, 5),
    }
)
trees = st.dictionaries(names, nodes, min_size=1, max_size=10)

ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, allowed, who)
    for tag, allowed, who in (
        (1, 6, 2**32 - 1),
        (2, 4, 4711),
        (4, 4, 2**32 - 1),
        (16, 4, 2**32 - 1),
        (32, 0, 2**32 - 1),
    )
)
"""An access list as the kernel has it (acl(5)): u::rw- u:4711:r-- g::r-- m::r-- o::---"""


class Grown:
    """A tree on disk, and what is known of it: what restic does not keep, what will move."""

    def __init__(self, top: Path, tree: dict[bytes, dict[str, Any]]) -> None:
        self.kept: Counter[str] = Counter()
        self.moving, self.comes, self.goes = [], [], []  # type: ignore[var-annotated]
        self.folders, self.files, self.links = [bytes(top)], [], []  # type: ignore[var-annotated]
        top.mkdir(parents=True)
        for name, node in tree.items():
            path = self.folders[node["below"] % len(self.folders)] + b"/" + name
            if not os.path.lexists(path):
                self.grow(path, node)
        for path in reversed(self.folders):
            os.utime(path, ns=(7, 7))

    def grow(self, path: bytes, node: dict[str, Any]) -> None:
        kind = node["kind"]
        if kind == "twin" and self.files:
            os.link(self.files[-1], path)
        elif kind == "linked_link" and self.links:
            os.link(self.links[-1], path, follow_symlinks=False)
            self.kept["hard_link_of_symlink"] += 1 + (os.lstat(path).st_nlink == 2)
        elif kind in ("link", "bytes_link"):
            target = (node["data"][:40].replace(b"\0", b"") or b"x") if kind == "bytes_link" else b"to somewhere"
            os.symlink(target, path)
            os.utime(path, ns=(node["at"],) * 2, follow_symlinks=False)
            self.links.append(path)
        elif kind in ("fifo", "socket"):
            os.mknod(path, (stat.S_IFIFO if kind == "fifo" else stat.S_IFSOCK) | 0o600)
            self.kept["socket"] += kind == "socket"
        elif kind == "dir":
            os.mkdir(path)
            self.folders.append(path)
            self.dress(path, node)
        elif kind == "comes":
            self.comes.append(path)
        else:
            self.write(path, node)

    def write(self, path: bytes, node: dict[str, Any]) -> None:
        with open(path, "wb") as file:
            if node["kind"] == "sparse":
                file.truncate(len(node["data"]) * 400 + 20_000)
                file.seek(len(node["data"]) * 400)
            file.write(b"" if node["kind"] == "empty" else node["data"])
        self.dress(path, node)
        lists = {"moving": self.moving, "goes": self.goes}
        lists.get(node["kind"], self.files).append(path)

    def dress(self, path: bytes, node: dict[str, Any]) -> None:
        os.chown(path, *node["owner"])
        os.chmod(path, node["mode"])
        if node["acl"]:
            os.setxattr(path, b"system.posix_acl_access", ACL)
        for name, value in node["xattr"].items():
            os.setxattr(path, name, value)
        os.utime(path, ns=(node["at"],) * 2)

    def foreseen(self, version: tuple[int, int]) -> Counter[str]:
        """What is not kept; where an object has several of them each is listed."""
        kept = Counter(self.kept)
        for path in objects(self.folders[0]):
            found = os.lstat(path)
            if stat.S_ISLNK(found.st_mode) and version < TARGETS_ARE_KEPT:
                kept["link_target"] += not _is_text(os.readlink(path))
            elif stat.S_ISREG(found.st_mode) and version < HOLES_ARE_KEPT and path not in (*self.moving, *self.comes):
                kept["sparse"] += found.st_blocks * 512 < found.st_size
        return +kept

    def stir(self, stop: threading.Event) -> None:
        """Change what moves until it is told to stop, once at least."""
        once = True
        while once or not stop.wait(0.005):
            for path in self.moving:
                with open(path, "ab") as file:
                    file.write(b"more")
            for path in self.comes if once else ():
                with open(path, "wb") as file:
                    file.write(b"new")
            for path in self.goes if once else ():
                os.unlink(path)
            once = False

    def moved(self) -> set[bytes]:
        folders = {path.rpartition(b"/")[0] for path in (*self.comes, *self.goes)}
        return {*self.moving, *self.goes, *folders}


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def walked(top: bytes, without: Iterable[bytes]) -> dict[bytes, tuple[object, ...]]:
    """The second way: what a walk finds, without what moved and what restic is known to lose."""
    rows: dict[bytes, tuple[object, ...]] = {}
    for path in objects(top):
        found, name = os.lstat(path), path[len(top) :]
        if name in without or stat.S_ISSOCK(found.st_mode):
            continue
        digest = b""
        if stat.S_ISREG(found.st_mode):
            digest = hashlib.sha256(Path(os.fsdecode(path)).read_bytes()).digest()
        said = os.readlink(path) if stat.S_ISLNK(found.st_mode) else b""
        if not _is_text(said) or "\ufffd".encode() in said:
            said = b"?"
        rows[name] = (found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns, digest, said)
    return rows


def alter(root: bytes, chance: random.Random, without: Iterable[bytes]) -> str:
    """Do one thing to a restored tree, not to what moved, and say what."""
    loose = {root + path for path in without}
    files = [path for path in objects(root) if stat.S_ISREG(os.lstat(path).st_mode) and path not in loose]
    path = chance.choice(files)
    before, what = os.lstat(path), chance.choice(["byte", "mode", "owner", "mtime", "xattr", "missing", "extra"])
    if what == "byte":
        with open(path, "r+b") as file:
            old = file.read(1)
            file.seek(0)
            file.write(bytes([old[0] ^ 1]) if old else b"x")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif what == "mode":
        os.chmod(path, stat.S_IMODE(before.st_mode) ^ 0o001)
    elif what == "owner":
        os.chown(path, before.st_uid + 1, before.st_gid)
        os.chmod(path, stat.S_IMODE(before.st_mode))
    elif what == "mtime":
        os.utime(path, ns=(0, before.st_mtime_ns + 1))
    elif what == "xattr":
        os.setxattr(path, b"user.more", b"x")
    elif what == "missing":
        os.unlink(path)
    else:
        Path(os.fsdecode(root) + "/more").touch()
    return what


@seed(SEED)
@settings(
    max_examples=DRILLS,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)
@given(grove=st.lists(trees, min_size=TREES, max_size=TREES), chance=st.randoms(use_true_random=False))
def drilled(
    vault: Vault, done: list[Counter[str]], grove: list[dict[bytes, dict[str, Any]]], chance: random.Random
) -> None:
    shutil.rmtree(vault.saved)
    grown = [Grown(vault.saved / f"tree-{number}", tree) for number, tree in enumerate(grove)]
    keep = vault.saved / "tree-0" / "kept"  # something that every drill can compare
    keep.write_bytes(b"kept")
    stop = threading.Event()
    movers = [threading.Thread(target=one.stir, args=(stop,)) for one in grown]

    def meanwhile() -> set[bytes]:
        stop.set()
        for mover in movers:
            mover.join()
        return {path for one in grown for path in one.moved()}

    vault.before_backup = lambda: [mover.start() for mover in movers]
    vault.save(meanwhile)
    moved = {path for one in grown for path in one.moved()}
    loose = {path[len(bytes(vault.saved)) :] for path in moved} | {
        path[len(bytes(vault.saved)) :] for one in grown for path in one.comes
    }
    real = drill_module.compare

    def compare(root: bytes, manifest: str, root_of: object) -> dict[str, Any]:
        table: dict[str, Any] = real(root, manifest, root_of)
        assert walked(root + bytes(vault.saved), loose) == walked(bytes(vault.saved), loose)
        what = alter(root + bytes(vault.saved), chance, loose)
        assert real(root, manifest, root_of)["differences"], f"{what} was not noticed"
        return table

    drill_module.compare = compare
    try:
        told = vault.drill()
    finally:
        drill_module.compare = real
    version = tuple(map(int, told["restic"].split(".")))
    table = told["compared"]
    foreseen = sum((one.foreseen(version) for one in grown), Counter[str]())
    foreseen["sparse"] += version < HOLES_ARE_KEPT  # the canary
    assert (told["passed"], told["text"], table["differences"]) == (True, "", {}), table["named"]
    assert table["not_kept"] == +foreseen
    assert table["equal"] + table["unfaithful"] + table["moving"] == table["compared"]
    seen = {"objects": table["compared"], "moving": table["moving"], "appeared": table["appeared"]}
    done.append(Counter({"trees": TREES, **seen}) + foreseen)


def test_every_tree_is_the_same_or_says_what_is_not_kept(tmp_path: Path) -> None:
    done: list[Counter[str]] = []
    drilled(Vault(tmp_path), done)
    figures = sum(done, Counter[str]())
    print(f"\nseed {SEED}: {len(done)} drills, " + ", ".join(f"{count} {name}" for name, count in figures.items()))
    assert figures["trees"] >= DRILLS * TREES
    assert all(figures[kind] for kind in ("socket", "link_target", "hard_link_of_symlink", "moving", "appeared"))


@pytest.mark.skipif(not FULL, reason="in full only: restic 0.14 writes 4 GiB of zeros")
def test_a_file_over_4_gib_is_the_same(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    with (vault.saved / "edge").open("wb") as file:
        for at in (0, 2**32 - 3, 2**32 + 7):
            file.seek(at)
            file.write(b"at the edge")
    vault.save()
    told = vault.drill(seconds=1800)
    assert (told["passed"], told["text"]) == (True, "")
    assert told["compared"]["bytes"] > 2**32
    print(f"\n4 GiB edge: {told['restore_ms']} ms, not kept {told['compared']['not_kept']}")
