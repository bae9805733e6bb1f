"""The manifest: any name has a line and the line that name; what changed is moving; what did not is not read again."""

from __future__ import annotations

import hashlib
import io
import os
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner_backup import look, manifest, survey, walk
from provisioner_backup.exclusions import Exclusions

paths = st.lists(st.binary(min_size=1, max_size=12).filter(lambda name: not set(name) & {0, 47}), min_size=1).map(
    lambda names: b"/" + b"/".join(names)
)
NOTHING = Exclusions([])


def take(root: Path, work: Path) -> tuple[int, dict[bytes, dict[str, Any]]]:
    """Survey a folder, look a second time; return how many were unreadable, and the rows by their path below it."""
    unreadable = survey.survey(walk.walk([os.fsencode(root)], NOTHING), files_of(work), head=HEAD)
    return unreadable, finish(root, work)


def finish(root: Path, work: Path) -> dict[bytes, dict[str, Any]]:
    survey.second_look(files_of(work), finished=work / "manifest.jsonl")
    with (work / "manifest.jsonl").open("rb") as handle:
        rows = list(manifest.read(handle)[1])
    names = [manifest.unquoted(row["p"]) for row in rows]
    assert names == sorted(names)
    return {os.path.relpath(name, os.fsencode(root)): row for name, row in zip(names, rows, strict=True)}


def files_of(work: Path) -> Any:
    return survey.Files(work / "manifest", work / "marks")


HEAD = manifest.header("ab" * 16, counter=1, begun="2026-11-30T12:00:00Z", paths=["/srv"])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    (tmp_path / "work").mkdir()
    return tmp_path / "tree"


@given(paths)
def test_any_name_has_a_line_and_the_line_that_name(path: bytes) -> None:
    line = manifest.line({"p": manifest.quoted(path), "t": "file"})
    assert line.count(b"\n") == 1
    assert line.isascii()
    _, rows = manifest.read(io.BytesIO(HEAD + line))
    (row,) = rows
    assert manifest.unquoted(row["p"]) == path


@given(paths, paths)
def test_two_names_never_share_a_line(one: bytes, other: bytes) -> None:
    assert (manifest.quoted(one) == manifest.quoted(other)) == (one == other)


def test_the_form_byte_by_byte() -> None:
    assert HEAD == (
        b'{"v":1,"run":"abababababababababababababababab","counter":1,"begun":"2026-11-30T12:00:00Z","paths":["/srv"]}\n'
    )
    assert (
        manifest.line({"p": manifest.quoted(b"/srv/\xff a\n~"), "t": "fifo"})
        == b'{"p":"/srv/%FF%20a%0A~","t":"fifo"}\n'
    )


def test_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="form 2"):
        manifest.read(io.BytesIO(b'{"v":2}\n'))


def test_every_kind_of_object(tree: Path) -> None:
    (tree / "empty").touch(mode=0o640)
    (tree / "text").write_bytes(b"abc")
    os.link(tree / "text", tree / "text-too")
    (tree / os.fsdecode(b"odd\n\xff")).mkdir()
    (tree / "link").symlink_to(os.fsdecode(b"no\xffwhere"))
    os.mkfifo(tree / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tree / "socket"))
    with (tree / "sparse").open("wb") as handle:
        handle.truncate(1 << 20)
    os.setxattr(tree / "text", b"user.a b", b"\0\1")
    unreadable, rows = take(tree, tree.parent / "work")
    assert unreadable == 0
    assert Counter(row["t"] for row in rows.values()) == {"file": 4, "dir": 2, "symlink": 1, "fifo": 1, "socket": 1}
    assert rows[b"odd\n\xff"]["p"].endswith("/odd%0A%FF")
    assert (rows[b"empty"]["m"], rows[b"empty"]["s"]) == ("0640", 0)
    assert rows[b"text"]["h"] == hashlib.sha256(b"abc").hexdigest()
    assert rows[b"text"]["x"] == {"user.a%20b": hashlib.sha256(b"\0\1").hexdigest()}
    assert rows[b"text"]["k"] == rows[b"text-too"]["k"] == 1
    assert rows[b"link"]["l"] == "no%FFwhere"
    assert rows[b"sparse"]["z"]
    assert [name for name, row in rows.items() if "w" in row or "e" in row] == []
    assert ["k" in rows[name] for name in (b"empty", b"link")] == [False, False]


def test_a_second_name_outside_is_no_link_of_the_set(tree: Path) -> None:
    (tree / "text").write_bytes(b"abc")
    os.link(tree / "text", tree.parent / "outside")
    assert "k" not in take(tree, tree.parent / "work")[1][b"text"]


def appended(path: Path) -> None:
    with path.open("ab") as handle:
        handle.write(b"x")


def same_size(path: Path) -> None:
    """Other bytes, and a time of change set back: only the other time tells."""
    before = path.stat()
    path.write_bytes(b"xyz")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    before = path.stat()
    path.with_name("new").write_bytes(b"xyz")
    os.utime(path.with_name("new"), ns=(before.st_atime_ns, before.st_mtime_ns))
    path.with_name("new").rename(path)


@pytest.mark.parametrize("change", [appended, same_size, replaced, Path.unlink, lambda path: path.chmod(0o600)])
def test_what_changes_between_the_looks_is_moving(change: Any, tree: Path) -> None:
    for name in ("still", "changes"):
        (tree / name).write_bytes(b"abc")
    work = tree.parent / "work"
    survey.survey(walk.walk([os.fsencode(tree)], NOTHING), files_of(work), head=HEAD)
    change(tree / "changes")
    rows = finish(tree, work)
    assert rows[b"changes"]["w"]
    assert "w" not in rows[b"still"]


def test_a_file_that_appears_between_the_looks_makes_its_folder_moving(tree: Path) -> None:
    work = tree.parent / "work"
    survey.survey(walk.walk([os.fsencode(tree)], NOTHING), files_of(work), head=HEAD)
    (tree / "new").touch()
    assert finish(tree, work)[b"."]["w"]


def test_a_file_that_grows_while_it_is_read_is_moving_and_its_digest_is_not_kept(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "log").write_bytes(b"abc")
    opened = look.reader

    def growing(path: bytes) -> Any:
        handle = opened(path)
        appended(tree / "log")
        return handle

    monkeypatch.setattr(look, "reader", growing)
    row, marks = look.look(os.fsencode(tree / "log"))
    assert row["w"]
    assert marks[-1] is None


def test_what_has_the_same_marks_is_not_read_again_and_what_has_not_is(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        (tree / name).write_bytes(b"abc")
    work = tree.parent / "work"
    take(tree, work)
    read: list[bytes] = []
    opened = look.reader
    monkeypatch.setattr(look, "reader", lambda path: (read.append(path.rpartition(b"/")[2]), opened(path))[1])
    same_size(tree / "b")
    (tree / "aa").write_bytes(b"new")
    _, rows = take(tree, work)
    assert read == [b"aa", b"b"]
    assert rows[b"b"]["h"] == hashlib.sha256(b"xyz").hexdigest()
    assert rows[b"c"]["h"] == hashlib.sha256(b"abc").hexdigest()


def test_damaged_marks_know_nothing(tree: Path) -> None:
    (tree / "a").write_bytes(b"abc")
    work = tree.parent / "work"
    (work / "marks").write_bytes(b'["/x",1]\nnonsense')
    assert take(tree, work)[1][b"a"]["h"] == hashlib.sha256(b"abc").hexdigest()


def test_what_cannot_be_read_is_counted_and_says_why(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "a").write_bytes(b"abc")
    (tree / "b").write_bytes(b"abc")

    def refusing(path: bytes) -> Any:
        if path.endswith(b"/a"):
            raise PermissionError(13, "no")
        return opened(path)

    opened = look.reader
    monkeypatch.setattr(look, "reader", refusing)
    unreadable, rows = take(tree, tree.parent / "work")
    assert unreadable == 1
    assert (rows[b"a"]["e"], "h" in rows[b"a"]) == ("EACCES", False)
    assert "e" not in rows[b"b"]


def test_paths_below_others_are_walked_once() -> None:
    assert walk.outermost([b"/srv/a", b"/srv", b"/srv-b", b"/srv", b"/"]) == [b"/"]
    assert walk.outermost([b"/srv/a", b"/srv-b", b"/srv"]) == [b"/srv", b"/srv-b"]


def test_a_path_that_would_not_be_saved_says_why(tree: Path) -> None:
    (tree / "real").mkdir()
    (tree / "link").symlink_to(tree / "real")
    asked = [f"{tree}/{name}" for name in ("real", "link", "none", "link/below")]
    found = walk.lacking([*asked, f"{tree}"], Exclusions([f"{tree}"]))
    assert found == {
        f"{tree}/real": "is left out by an exclusion",
        f"{tree}/link": f"is reached by a symbolic link; name {tree}/real instead",
        f"{tree}/none": "does not exist",
        f"{tree}/link/below": "does not exist",
        f"{tree}": "is left out by an exclusion",
    }
    assert walk.lacking([f"{tree}/real"], NOTHING) == {}
