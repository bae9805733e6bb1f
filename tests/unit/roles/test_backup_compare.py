"""The comparator of a drill: each alteration turns it red, nothing is hidden, another way of comparing agrees."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import stat
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.roles._backup_proof import objects, proof, quoted, write_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

compare = proof("backup_compare")
manifests = proof("backup_manifest")


def plant(top: Path) -> Path:
    """A tree with one of each."""
    (top / "d").mkdir(parents=True)
    (top / "plain").write_bytes(b"text\n")
    (top / "d" / "other").write_bytes(b"other")
    (top / "empty").touch()
    (top / "link").symlink_to("plain")
    os.link(top / "plain", top / "d" / "twin")
    os.mkfifo(top / "pipe")
    os.setxattr(top / "d" / "other", "user.note", b"value")
    (top / "new\nline \xe9").write_bytes(b"x")
    Path(os.fsdecode(bytes(top) + b"/\xff\xfe")).write_bytes(b"bytes")
    os.utime(top / "plain", ns=(1, 1_234_567_890_123_456_789))
    os.utime(top / "d" / "other", ns=(2, 2))
    (top / "plain").chmod(0o4750)
    return top


def restored(top: Path, root: Path) -> Path:
    """A faithful restoration of a tree under another root: what `cp -a` does, hard links included."""
    place = Path(f"{root}{top}")
    place.parent.mkdir(parents=True)
    assert os.system(f"cp -a '{top}' '{place}'") == 0
    return place


def case(tmp_path: Path) -> tuple[Path, Path, Path]:
    """The root, the restored tree and the manifest of a tree."""
    top = plant(tmp_path / "saved")
    manifest = write_manifest(tmp_path / "manifest.jsonl", [bytes(top)])
    return tmp_path / "root", restored(top, tmp_path / "root"), manifest


def found(root: Path, manifest: Path, **more: object) -> dict[str, Any]:
    table: dict[str, Any] = compare.compare(bytes(root), str(manifest), **more)
    return table


def test_what_is_the_same_is_equal(tmp_path: Path) -> None:
    root, place, manifest = case(tmp_path)
    table = found(root, manifest)
    assert table["differences"] == {}
    assert (table["compared"], table["equal"]) == (10, 10) == (len(objects(bytes(place))), 10)
    assert table["bytes"] == 5 + 5 + 5 + 0 + 1 + 5


def flip(place: Path) -> None:
    """One byte of a file, its time kept."""
    before = os.stat(place / "plain")
    with (place / "plain").open("r+b") as file:
        file.write(b"T")
    os.utime(place / "plain", ns=(before.st_atime_ns, before.st_mtime_ns))


def apart(place: Path) -> None:
    shutil.copy2(place / "d" / "twin", place / "d" / "copy")
    shutil.copymode(place / "d" / "twin", place / "d" / "copy")
    (place / "d" / "copy").replace(place / "d" / "twin")
    os.chmod(place / "d" / "twin", 0o4750)


def keep_time(change: Callable[[Path], object]) -> Callable[[Path], None]:
    """The change, the time of the folders kept: it is no difference of its own here."""

    def altered(place: Path) -> None:
        times = {each: os.stat(each).st_mtime_ns for each in (place, place / "d")}
        change(place)
        for each, at in times.items():
            if each.exists():
                os.utime(each, ns=(at, at))

    return altered


def relink(place: Path) -> None:
    (at,) = [os.lstat(place / "link").st_mtime_ns]
    (place / "link").unlink()
    (place / "link").symlink_to("elsewhere")
    os.utime(place / "link", ns=(at, at), follow_symlinks=False)


ENTRIES = ((1, 6, 2**32 - 1), (2, 4, 7), (4, 4, 2**32 - 1), (16, 4, 2**32 - 1), (32, 4, 2**32 - 1))
ACL = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, allowed, who) for tag, allowed, who in ENTRIES)
"""As the kernel has it (acl(5)): u::rw- u:7:r-- g::r-- m::r-- o::r--"""


def joined(place: Path) -> None:
    """Two files that were apart are one object now."""
    (place / "empty").unlink()
    os.link(place / "d" / "other", place / "empty")


ALTERATIONS: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "one byte": (flip, {"content"}),
    "one byte more": (lambda place: (place / "empty").write_bytes(b"x"), {"content", "size", "mtime"}),
    "mode": (lambda place: (place / "d").chmod(0o700), {"mode"}),
    "setuid lost": (lambda place: (place / "plain").chmod(0o750), {"mode"}),
    "owner": (lambda place: os.chown(place / "d" / "other", 1, 0), {"owner"}),
    "group of a link": (lambda place: os.lchown(place / "link", 0, 7), {"owner"}),
    "xattr changed": (lambda place: os.setxattr(place / "d" / "other", "user.note", b"valuE"), {"xattr"}),
    "xattr lost": (lambda place: os.removexattr(place / "d" / "other", "user.note"), {"xattr"}),
    "xattr more": (lambda place: os.setxattr(place / "empty", "user.more", b""), {"xattr"}),
    "ACL": (lambda place: os.setxattr(place / "empty", "system.posix_acl_access", ACL), {"xattr"}),
    "link target": (relink, {"link"}),
    "hard link broken": (apart, {"hard_link"}),
    "hard link made": (joined, {"hard_link", "content", "size", "mtime", "xattr"}),
    "file missing": (lambda place: (place / "empty").unlink(), {"missing"}),
    "folder missing": (lambda place: shutil.rmtree(place / "d"), {"missing"}),
    "file extra": (lambda place: (place / "d" / "more").touch(), {"extra"}),
    "folder extra": (lambda place: (place / "more").mkdir(), {"extra"}),
    "mtime": (lambda place: os.utime(place / "empty", ns=(0, 1)), {"mtime"}),
    "another type": (lambda place: ((place / "pipe").unlink(), (place / "pipe").touch()), {"type"}),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_each_kind_of_alteration_is_a_difference(name: str, tmp_path: Path) -> None:
    root, place, manifest = case(tmp_path)
    change, kinds = ALTERATIONS[name]
    keep_time(change)(place)
    table = found(root, manifest)
    assert set(table["differences"]) == kinds
    assert table["named"][0]["kind"] in kinds
    assert table["compared"] == 10
    assert table["different"] or kinds == {"extra"}


def test_what_moved_may_differ_but_must_be_there(tmp_path: Path) -> None:
    top = plant(tmp_path / "saved")
    manifest = write_manifest(tmp_path / "manifest.jsonl", [bytes(top)], moving=[bytes(top / "d" / "other")])
    place = restored(top, tmp_path / "root")
    (place / "d" / "other").write_bytes(b"later")
    table = found(tmp_path / "root", manifest)
    assert (table["differences"], table["moving"], table["equal"]) == ({}, 1, 9)
    assert table["moving_named"] == [quoted(bytes(top / "d" / "other"))]
    keep_time(lambda place: (place / "d" / "other").unlink())(place)
    assert found(tmp_path / "root", manifest)["differences"] == {"missing": 1}


def test_what_restic_does_not_keep_is_listed_and_never_equal(tmp_path: Path) -> None:
    top = tmp_path / "saved"
    top.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(top / "socket"))
    os.symlink(b"to \xff\xe9\x80 there", bytes(top / "target"))
    os.symlink(b"a", bytes(top / "one"))
    os.link(top / "one", top / "two", follow_symlinks=False)
    with (top / "holes").open("wb") as file:
        file.truncate(1 << 20)
    manifest = write_manifest(tmp_path / "manifest.jsonl", [bytes(top)])
    place = restored(top, tmp_path / "root")
    (place / "socket").unlink()
    (place / "holes").write_bytes(bytes(1 << 20))
    for name, target in (("target", "to \ufffd\ufffd\ufffd there"), ("two", "a")):
        (place / name).unlink()
        (place / name).symlink_to(target)
    for name in ("holes", "target", "two", "."):
        at = os.lstat(top / name).st_mtime_ns
        os.utime(place / name, ns=(at, at), follow_symlinks=False)
    table = found(tmp_path / "root", manifest)
    assert table["differences"] == {}
    assert table["not_kept"] == {"hard_link_of_symlink": 2, "link_target": 1, "socket": 1, "sparse": 1}
    assert (table["equal"], table["unfaithful"]) == (1, 5)
    assert {row["kind"] for row in table["not_kept_named"]} == set(table["not_kept"])
    (place / "target").unlink()
    (place / "target").symlink_to("to \ufffd\ufffd there")  # not what restic writes: that is no excuse
    assert "link" in found(tmp_path / "root", manifest)["differences"]


def test_nothing_is_followed_out_of_the_tree(tmp_path: Path) -> None:
    root, place, manifest = case(tmp_path)
    shutil.move(place / "d", tmp_path / "outside")
    (place / "d").symlink_to(tmp_path / "outside")
    assert found(root, manifest)["differences"]["missing"] == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"p": "/a/../../etc/shadow", "t": "dir", "m": "0755", "u": 0, "g": 0, "s": 0, "n": 0}\n', "plain absolute"),
        ('{"p": "/a/%2e%2e", "t": "dir", "m": "0755", "u": 0, "g": 0, "s": 0, "n": 0}\n', "plain absolute"),
        ('{"p": "a", "t": "dir", "m": "0755", "u": 0, "g": 0, "s": 0, "n": 0}\n', "plain absolute"),
        ('{"p": "/a", "t": "dir", "m": "755", "u": 0, "g": 0, "s": 0, "n": 0}\n', "mode"),
        ('{"p": "/a", "t": "file", "m": "0755", "u": 0, "g": 0, "s": 0, "n": 0}\n', "digest"),
        ('{"p": "/a", "t": "whale", "m": "0755", "u": 0, "g": 0, "s": 0, "n": 0}\n', "kind"),
        ('{"p": "/a", "t": "dir", "m": "0755", "u": 0, "g": 0, "s": 0, "n": 0}', "line end"),
        ("[]\n", "JSON object"),
        ('{"p": "/b", "t": "dir", "m": "0755", "u": 0, "g": 0, "s": 0, "n": 0}\n' * 2, "order of bytes"),
    ],
)
def test_a_manifest_that_is_none_is_said(line: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "manifest.jsonl"
    file.write_text('{"v": 1, "paths": []}\n' + line)
    with pytest.raises(manifests.ManifestError, match=said):
        list(manifests.entries(str(file)))
    file.write_text("{}\n")
    with pytest.raises(manifests.ManifestError, match="header"):
        manifests.header(str(file))


def test_only_what_was_wanted_is_compared(tmp_path: Path) -> None:
    root, place, manifest = case(tmp_path)
    for path in reversed(objects(bytes(place))):
        name = Path(os.fsdecode(path))
        if name.name not in ("other", "d", "saved"):
            name.unlink()
    table = found(root, manifest, root_of=lambda entry: bytes(root) if entry["path"].endswith(b"/other") else None)
    assert (table["compared"], table["equal"], table["differences"]) == (1, 1, {})
    assert found(root, manifest)["differences"]["missing"] == 7


names = st.binary(min_size=1, max_size=12).map(lambda raw: raw.replace(b"/", b"_").replace(b"\0", b"0"))
names = names.filter(lambda raw: raw not in (b".", b".."))
trees = st.dictionaries(names, st.tuples(st.binary(max_size=40), st.sampled_from([0o600, 0o644, 0o755])), max_size=6)


def seen(top: bytes) -> dict[bytes, tuple[object, ...]]:
    """The second way: walk and hash, below the top."""
    rows: dict[bytes, tuple[object, ...]] = {}
    for path in objects(top)[1:]:
        found = os.lstat(path)
        data = Path(os.fsdecode(path)).read_bytes() if stat.S_ISREG(found.st_mode) else b""
        digest = hashlib.sha256(data).hexdigest()
        rows[path[len(top) :]] = (found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns, digest)
    return rows


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(saved=trees, later=trees, same=st.booleans())
def test_a_second_way_of_comparing_agrees(
    saved: dict[bytes, tuple[bytes, int]],
    later: dict[bytes, tuple[bytes, int]],
    same: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    top = tmp_path_factory.mktemp("case")

    def make(folder: Path, tree: dict[bytes, tuple[bytes, int]]) -> None:
        folder.mkdir(parents=True)
        for name, (data, mode) in tree.items():
            path = os.fsdecode(bytes(folder) + b"/" + name)
            Path(path).write_bytes(data)
            os.chmod(path, mode)
            os.utime(path, ns=(5, 5))
        os.utime(folder, ns=(5, 5))

    make(top / "saved", saved)
    manifest = write_manifest(top / "manifest.jsonl", [bytes(top / "saved")])
    place = Path(f"{top}/root{top}/saved")
    make(place, saved if same else later)
    before, after = seen(bytes(top / "saved")), seen(bytes(place))
    table = found(top / "root", manifest)
    assert (table["differences"] == {}) == (before == after)
    assert table["differences"].get("missing", 0) == len(before.keys() - after.keys())
    assert table["differences"].get("extra", 0) == len(after.keys() - before.keys())
    both = before.keys() & after.keys()
    assert table["equal"] - 1 == sum(before[path] == after[path] for path in both)


def test_only_where_its_folder_moved_may_something_appear_or_vanish(tmp_path: Path) -> None:
    top = plant(tmp_path / "saved")
    place = restored(top, tmp_path / "root")
    inner = bytes(top / "d")
    written = [inner + b"/other", bytes(top / "empty")]
    (place / "d" / "other").unlink()
    (place / "d" / "new").mkdir()
    (place / "d" / "new" / "file").touch()
    moved = write_manifest(tmp_path / "moved.jsonl", [bytes(top)], moving=[*written, inner])
    table = found(tmp_path / "root", moved)
    assert (table["differences"], table["moving"], table["appeared"]) == ({}, 3, 2)
    still = write_manifest(tmp_path / "still.jsonl", [bytes(top)], moving=written)
    assert found(tmp_path / "root", still)["differences"] == {"extra": 2, "missing": 1, "mtime": 1}
    (place / "empty").unlink()  # its folder says that nothing came or went
    assert found(tmp_path / "root", moved)["differences"]["missing"] == 1


def test_what_could_not_be_read_is_listed(tmp_path: Path) -> None:
    top = tmp_path / "saved"
    top.mkdir()
    (top / "locked").write_bytes(b"x")
    manifest = write_manifest(tmp_path / "manifest.jsonl", [bytes(top)])
    text = manifest.read_text().replace('"h": "', '"e": "EACCES", "was": "')
    manifest.write_text(text)
    place = restored(top, tmp_path / "root")
    assert found(tmp_path / "root", manifest)["not_kept"] == {"unreadable": 1}
    (place / "locked").unlink()
    os.utime(place, ns=(os.stat(top).st_mtime_ns,) * 2)
    table = found(tmp_path / "root", manifest)
    assert (table["not_kept"], table["differences"], table["equal"]) == ({"unreadable": 1}, {}, 1)
