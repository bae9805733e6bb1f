from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import LedgerError
from provisioner.ledger import published
from provisioner.ledger.checkpoint import Signer, sign_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

SIGNER = Signer("provisioner/demo", bytes(32))
AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def test_checkpoints_are_published_and_read_back_smallest_first(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints" / "demo"
    assert published.latest(folder) is None
    assert published.read_all(folder) == ((), ())
    signed = [sign_checkpoint(size, bytes(32), signer=SIGNER) for size in (2, 10, 9)]
    names = [published.publish(folder, one, at=AT).name for one in signed]
    assert names[0] == "0000000002-20261123T140000Z.checkpoint"
    assert published.latest(folder) == signed[-1]
    assert published.read_all(folder) == ((signed[0], signed[2], signed[1]), ())


def test_a_file_that_is_no_checkpoint_is_said_so(tmp_path: Path) -> None:
    published.publish(tmp_path, sign_checkpoint(2, bytes(32), signer=SIGNER), at=AT)
    (tmp_path / "0000000003-x.checkpoint").write_bytes(b"\xff")
    (tmp_path / "latest").write_text("torn")
    good, bad = published.read_all(tmp_path)
    assert ([one.size for one in good], [one.name for one in bad]) == ([2], ["0000000003-x.checkpoint", "latest"])
    with pytest.raises(LedgerError, match="latest: not a checkpoint"):
        published.latest(tmp_path)


def test_a_folder_that_cannot_be_made_is_the_ledgers_error(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(LedgerError, match="cannot be written: Not a directory"):
        published.publish(tmp_path / "checkpoints" / "demo", sign_checkpoint(2, bytes(32), signer=SIGNER), at=AT)


def test_a_folder_of_another_user_is_not_taken_for_an_empty_one(
    tmp_path: Path, other_user: Callable[[], AbstractContextManager[None]]
) -> None:
    folder = tmp_path / "checkpoints" / "demo"
    published.publish(folder, sign_checkpoint(2, bytes(32), signer=SIGNER), at=AT)
    tmp_path.chmod(0o700)
    with other_user():
        for look in (published.latest, published.read_all):
            with pytest.raises(LedgerError, match="Permission denied"):
                look(folder)
