from __future__ import annotations

import gzip
import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger.bundle import is_part
from provisioner.ledger.bundle.archive import open_archive, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write(path: Path, files: Mapping[str, bytes]) -> bytes:
    with open_archive(path, "demo") as archive:
        for name, data in files.items():
            archive.add(name, data)
    return path.read_bytes()


def packed(*members: tarfile.TarInfo | str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for member in members:
            tar.addfile(tarfile.TarInfo(member) if isinstance(member, str) else member)
    return file.getvalue()


def test_the_same_content_has_the_same_bytes_and_names_nobody(tmp_path: Path) -> None:
    data = write(tmp_path / "a.tar.gz", {"a.txt": b"one", "keys/b.txt": b""})
    assert write(tmp_path / "b.tar.gz", {"a.txt": b"one", "keys/b.txt": b""}) == data
    assert data[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", "no name and no time"
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        facts = [(m.name, m.mode, m.uid, m.gid, m.uname, m.mtime) for m in tar]
    assert facts == [("demo/a.txt", 0o644, 0, 0, "", 0), ("demo/keys/b.txt", 0o644, 0, 0, "", 0)]


def test_what_was_packed_is_unpacked(tmp_path: Path) -> None:
    write(tmp_path / "a.tar.gz", {"manifest.json": b"{}", "keys/0000000000.pem": b"key"})
    folder = unpack(tmp_path / "a.tar.gz", tmp_path / "out", is_part=is_part)
    assert folder == tmp_path / "out" / "demo"
    assert (folder / "keys/0000000000.pem").read_bytes() == b"key"


def test_another_content_is_never_written_over(tmp_path: Path) -> None:
    before = write(tmp_path / "a.tar.gz", {"a.txt": b"one"})
    assert write(tmp_path / "a.tar.gz", {"a.txt": b"one"}) == before
    with pytest.raises(UsageError, match="is there already, with other content"):
        write(tmp_path / "a.tar.gz", {"a.txt": b"two"})
    assert (tmp_path / "a.tar.gz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def test_what_breaks_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(LedgerError), open_archive(tmp_path / "a.tar.gz", "demo") as archive:
        archive.add("a.txt", b"one")
        raise LedgerError("stop")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere/a.tar.gz: cannot be written"):
        write(tmp_path / "nowhere" / "a.tar.gz", {})


def _link() -> tarfile.TarInfo:
    member = tarfile.TarInfo("demo/manifest.json")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member


HOSTILE = {
    "a link": packed(_link()),
    "an absolute name": packed("/etc/passwd.txt"),
    "a way out": packed("demo/../x.txt"),
    "a hidden file": packed("demo/.x.txt"),
    "the same name twice": packed("demo/a.txt", "demo/a.txt"),
    "two folders": packed("demo/a.txt", "other/a.txt"),
    "no folder": packed("a.txt"),
    "a deep name": packed("demo/a/b/c.txt"),
    "nothing": packed(),
    "no archive": b"hello",
    "cut short": packed("demo/a.txt")[:-9],
    "a wrong checksum": packed("demo/a.txt")[:-8] + bytes(8),
    "no tar": gzip.compress(b"hello"),
    "rubbish behind": packed("demo/a.txt") + b"rubbish",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_or_damaged_archive_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(HOSTILE[name])
    with pytest.raises(LedgerError):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out" / "in", is_part=is_part)
    assert not list(tmp_path.glob("out/*.txt"))


def test_an_archive_that_is_not_there_is_a_mistake_of_the_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        unpack(tmp_path / "a.tar.gz", tmp_path, is_part=is_part)
