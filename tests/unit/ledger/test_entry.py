from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import LedgerError
from provisioner.ledger import canonical, checkpoint, entry, head, merkle
from provisioner.ledger.entry import KINDS, Draft, make_entry, parse_entry

VECTORS = Path(__file__).parent / "vectors"
LINES = (VECTORS / "v1.jsonl").read_bytes().splitlines()
AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def test_format_version_1_is_read_and_written_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "KINDS", KINDS | {"from-the-future"})
    for index, line in enumerate(LINES):
        read = parse_entry(line)
        assert (read.index, read.leaf) == (index, line)
        monkeypatch.setattr(entry.secrets, "token_hex", lambda _count, salt=read.salt: salt)
        assert make_entry(index, Draft(read.kind, read.at, read.operator, read.body)) == read


def test_the_tree_and_the_signatures_of_version_1_are_byte_for_byte() -> None:
    private, public, fingerprint = (VECTORS / "v1.keys").read_text().splitlines()
    signer = checkpoint.parse_signer(private)
    frontier, _ = merkle.extend(merkle.Frontier(), [merkle.leaf_hash(line) for line in LINES])
    assert (signer.verifier.render(), signer.verifier.fingerprint) == (public, fingerprint)
    signed = checkpoint.sign_checkpoint(frontier.size, frontier.root, signer=signer)
    assert signed.note == (VECTORS / "v1.checkpoint").read_text()
    assert head.pending_note(frontier, signers=[signer]) == (VECTORS / "v1.pending").read_text()


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from(sorted(KINDS)),
)
def test_what_is_made_is_read_back(text: str, at: datetime, kind: str) -> None:
    made = make_entry(3, Draft(kind, at, "op-1", {"b": (text,), "a": None}))
    assert parse_entry(made.leaf) == made
    assert made.body == {"a": None, "b": [text]}
    assert made.hash == merkle.leaf_hash(made.leaf)


def test_equal_drafts_have_unequal_salts() -> None:
    draft = Draft("note", AT, "op-1", {})
    first, second = make_entry(0, draft), make_entry(0, draft)
    assert re.fullmatch("[0-9a-f]{32}", first.salt)
    assert first.hash != second.hash


def test_a_kind_that_version_1_does_not_have_is_not_written() -> None:
    with pytest.raises(LedgerError, match="'notes' is not a kind"):
        Draft("notes", AT, "op-1", {})


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"v": "1"},
        {"index": -1},
        {"index": True},
        {"index": "0"},
        {"at": "2026-11-23"},
        {"at": None},
        {"salt": "00"},
        {"salt": "G" * 32},
        {"kind": 1},
        {"operator": None},
        {"body": []},
        {"extra": 1},
    ],
)
def test_a_line_that_is_no_entry_is_refused(change: dict[str, object]) -> None:
    line = canonical.parse(LINES[1])
    assert isinstance(line, dict)
    assert parse_entry(canonical.render(line))
    with pytest.raises(LedgerError):
        parse_entry(canonical.render({**line, **change}))


@pytest.mark.parametrize("missing", ["v", "index", "at", "kind", "salt", "operator", "body"])
def test_every_field_is_required(missing: str) -> None:
    line = canonical.parse(LINES[1])
    assert isinstance(line, dict)
    with pytest.raises(LedgerError, match="not an entry of format version 1"):
        parse_entry(canonical.render({name: value for name, value in line.items() if name != missing}))


@pytest.mark.parametrize("line", [b"[]", b"null", b"1", b'"text"', LINES[1] + b" ", LINES[1][:-1]])
def test_bytes_that_are_no_object_are_refused(line: bytes) -> None:
    with pytest.raises(LedgerError):
        parse_entry(line)
