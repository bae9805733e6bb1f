from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import LedgerError
from provisioner.ledger import keys

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

NAME = "provisioner/demo"


def test_a_key_is_made_once_private_and_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "keys" / "demo"
    made = keys.make_signer(folder, NAME)
    assert keys.make_signer(folder, NAME) == made == keys.load_signer(folder, NAME)
    assert keys.load_verifier(folder) == made.verifier
    assert stat.S_IMODE((folder / "signing.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == ["signing.key", "verifier.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o601])
def test_a_key_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    keys.make_signer(tmp_path, NAME)
    (tmp_path / "signing.key").chmod(mode)
    with pytest.raises(LedgerError, match=f"mode {mode:04o}") as caught:
        keys.load_signer(tmp_path, NAME)
    assert caught.value.exit_code == 7
    assert "chmod 600" in caught.value.hint


def test_a_missing_a_broken_and_a_foreign_key_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="signing key of provisioner/demo is missing"):
        keys.load_signer(tmp_path, NAME)
    keys.make_signer(tmp_path, NAME)
    with pytest.raises(LedgerError, match="the key of provisioner/demo, not of provisioner/other"):
        keys.load_signer(tmp_path, "provisioner/other")
    (tmp_path / "signing.key").write_bytes(b"\xff" * 10)
    with pytest.raises(LedgerError, match="not an Ed25519 signing key"):
        keys.load_signer(tmp_path, NAME)


def test_the_public_key_may_be_absent_but_not_broken(tmp_path: Path) -> None:
    assert keys.load_verifier(tmp_path) is None
    (tmp_path / "verifier.key").write_text("nonsense\n")
    with pytest.raises(LedgerError, match="public key cannot be read"):
        keys.load_verifier(tmp_path)


def test_writing_leaves_no_draft_behind_when_it_fails(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(LedgerError, match="cannot be written"):
        keys.write_durably(tmp_path / "taken", "text", mode=0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_folder_that_cannot_be_made_is_the_ledgers_error(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(LedgerError, match="cannot be written: Not a directory") as caught:
        keys.make_signer(tmp_path / "keys" / "demo", NAME)
    assert caught.value.exit_code == 7


def test_keys_of_another_user_are_the_ledgers_error_and_name_him(
    tmp_path: Path, other_user: Callable[[], AbstractContextManager[None]]
) -> None:
    tmp_path.chmod(0o700)
    with other_user():
        for look in (lambda: keys.make_signer(tmp_path / "demo", NAME), lambda: keys.load_verifier(tmp_path / "demo")):
            with pytest.raises(LedgerError, match="Permission denied") as caught:
                look()
            assert "belongs to root" in caught.value.hint
