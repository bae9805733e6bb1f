"""The pool keeps what it is told to; anything that is not one of its files is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.execution.pool import keep_only

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_not_named_goes_and_what_is_no_file_of_a_pool_stays(tmp_path: Path) -> None:
    kept, gone = "a" * 64, "b" * 64
    for name in (f"{kept}.deb", f"{gone}.deb", "notes.deb", f"{gone}.txt"):
        (tmp_path / name).touch()
    keep_only(tmp_path, frozenset({kept}))
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{kept}.deb", f"{gone}.txt", "notes.deb"]


def test_no_pool_yet(tmp_path: Path) -> None:
    keep_only(tmp_path / "none", frozenset())
