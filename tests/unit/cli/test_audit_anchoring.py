"""The flags of audit.checkpoint and audit.witness, and the small files that go to and fro."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioner.cli.audit.checkpoint import _number
from provisioner.cli.audit.files import keep_copy, read_small, write_small
from provisioner.cli.audit.witness import _address, _seconds
from provisioner.cli.wiring.anchors import read_authorities, witness_keys
from provisioner.errors import ConfigurationError, UsageError
from provisioner.ledger.checkpoint import Cosigner

if TYPE_CHECKING:
    from pathlib import Path


def test_an_address_is_a_host_and_a_port() -> None:
    assert _address("127.0.0.1:8470") == ("127.0.0.1", 8470)
    for text in ("", "nowhere", ":8470", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:٣"):
        with pytest.raises(UsageError, match="no address and port"):
            _address(text)


def test_a_span_has_a_fixed_length() -> None:
    assert [_seconds(text) for text in ("90m", "8h", "30d")] == [5400, 28800, 2592000]
    for text in ("", "0h", "-1h", "3mo", "2bd", "ever"):
        with pytest.raises(UsageError, match="--for"):
            _seconds(text)


def test_a_size_is_digits_and_none_is_none() -> None:
    assert [_number(text) for text in ("", "0", "41")] == [None, 0, 41]
    for text in ("-1", "x", "٣", "9" * 30):
        with pytest.raises(UsageError, match="no number of entries"):
            _number(text)


def test_witnesses_are_named_with_commas() -> None:
    keys = tuple(Cosigner(name, bytes(32)).key for name in ("w1", "w2"))
    assert witness_keys(f" {keys[0].render()}, {keys[1].render()},") == keys
    with pytest.raises(UsageError, match="not a witness's key"):
        witness_keys("w1")


def test_a_kept_copy_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    keep_copy(path, b"one")
    keep_copy(path, b"one")
    for other in (b"two", b"on", b"one more"):
        with pytest.raises(UsageError, match="not replaced"):
            keep_copy(path, other)
    assert path.read_bytes() == b"one"
    with pytest.raises(UsageError, match="there already"):
        keep_copy(tmp_path, b"one")


def test_a_small_file_is_bounded_and_one_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    path = tmp_path / "small"
    write_small(path, b"12345")
    assert read_small(path, limit=5) == b"12345"
    with pytest.raises(UsageError, match="longer than 4 bytes"):
        read_small(path, limit=4)
    with pytest.raises(UsageError, match="No such file"):
        read_small(tmp_path / "none", limit=4)
    with pytest.raises(UsageError, match="cannot be written"):
        write_small(tmp_path / "none" / "x", b"")


def test_a_file_of_authorities_without_any_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "roots.pem").write_text("x")
    for name in ("roots.pem", "none.pem"):
        with pytest.raises(ConfigurationError, match=name):
            read_authorities(tmp_path / name)
