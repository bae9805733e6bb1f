"""Reading one file: regular, inside the folder, bounded, and the same from beginning to end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from provisioner.config import files
from provisioner.config.files import label, read_regular
from provisioner.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_named_from_its_clients_folder(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    assert label(folder / "host_vars" / "a.yml", folder=folder) == "acme/host_vars/a.yml"
    assert label(folder / "a\nb", folder=folder) == "acme/a\\nb"


def test_a_file_at_the_limit_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 1024)
    assert read_regular(path, folder=tmp_path, limit=1024) == b"x" * 1024
    path.write_bytes(b"x" * 1025)
    with pytest.raises(ConfigurationError, match="longer than the 1 KiB"):
        read_regular(path, folder=tmp_path, limit=1024)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"before")
    real = os.fstat
    calls: list[int] = []

    def fstat(descriptor: int) -> os.stat_result:
        if calls:
            path.write_bytes(b"after, and longer")
        calls.append(descriptor)
        return real(descriptor)

    monkeypatch.setattr(files.os, "fstat", fstat)
    with pytest.raises(ConfigurationError, match="changed while it was read"):
        read_regular(path, folder=tmp_path, limit=1024)


def test_a_file_without_permission_is_refused_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.os, "open", refuse)
    with pytest.raises(ConfigurationError, match="cannot be read: Permission denied"):
        read_regular(path, folder=tmp_path, limit=1024)
