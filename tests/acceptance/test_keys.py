"""`audit.keys` as typed: a key changed, and the key files that an operator may find wrong."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from provisioner.ledger.book import open_book
from provisioner.ledger.entry import Draft

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.conftest import Desk

AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


@pytest.fixture
def desk(new_desk: Callable[[], Desk]) -> Desk:
    """A desk with a log of two entries."""
    made = new_desk()
    with open_book(f"sqlite:///{made.state}/ledger.db", "demo", state=made.state) as book:
        book.append([Draft("note", AT, "op-1", {})])
        book.sign(AT)
    return made


def key_file(desk: Desk) -> Path:
    return desk.state / "keys" / "demo" / "signing.key"


def test_a_key_is_changed_and_the_log_verifies_from_a_copy_made_before(desk: Desk, tmp_path: Path) -> None:
    kept = tmp_path / "kept.checkpoint"
    shutil.copy(desk.state / "checkpoints/demo/latest", kept)
    done = desk.invoke("audit.keys", "--client", "demo", "--rotate", "--json")
    after = json.loads(done.stdout)
    assert (done.returncode, after["changed"], after["private_key"]["state"]) == (0, 2, "present")
    assert [(key["entry"], key["state"]) for key in after["keys"]] == [(0, "retired"), (2, "in force")]
    newest = after["keys"][1]["fingerprint"]
    told = desk.invoke("audit.keys", "--client", "demo")
    assert told.returncode == 0 and newest in told.stdout
    flags = ("--checkpoint", str(kept), "--key-fingerprint", newest)
    verified = desk.invoke("audit.verify", "--client", "demo", *flags)
    assert verified.returncode == 0 and "consistency proof of 1 hash from 2 to 3 entries" in verified.stdout
    proof = json.loads(desk.invoke("audit.verify", "--client", "demo", "--checkpoint", str(kept), "--json").stdout)
    assert (proof["consistency"]["old"], proof["consistency"]["new"]) == (2, 3)
    assert len(proof["consistency"]["proof"]) == 1


def test_a_key_in_other_hands_is_revoked_and_its_fingerprint_warned_of(desk: Desk) -> None:
    done = desk.invoke("audit.keys", "--client", "demo", "--revoke", "--json")
    first = json.loads(done.stdout)["keys"][0]
    assert (done.returncode, first["state"]) == (0, "revoked")
    verified = desk.invoke("audit.verify", "--client", "demo", "--key-fingerprint", first["fingerprint"])
    assert verified.returncode == 0 and "warning: the fingerprint given is of a key that entry 2" in verified.stdout


def test_a_missing_key_and_one_that_others_can_read_stop_the_change(desk: Desk) -> None:
    key_file(desk).chmod(0o644)
    exposed = desk.invoke("audit.keys", "--client", "demo", "--rotate")
    assert exposed.returncode == 7
    assert f"error: {key_file(desk)}: the signing key has mode 0644" in exposed.stderr
    assert f"next: chmod 600 {key_file(desk)}" in exposed.stderr
    listed = desk.invoke("audit.keys", "--client", "demo")
    assert listed.returncode == 7 and "private key: wrong mode" in listed.stdout
    key_file(desk).unlink()
    missing = desk.invoke("audit.keys", "--client", "demo", "--rotate")
    assert missing.returncode == 7
    assert f"error: {key_file(desk)}: the signing key of provisioner/demo is missing" in missing.stderr
    assert "next: restore it" in missing.stderr
    assert desk.invoke("audit.verify", "--client", "demo").returncode == 0, "an auditor needs no private key"


@pytest.mark.parametrize("flags", [("--rotate", "--revoke"), ("--client", "nobody", "--rotate")])
def test_what_cannot_be_done_as_typed_is_said_and_changes_nothing(desk: Desk, flags: tuple[str, ...]) -> None:
    before = {path: path.read_bytes() for path in desk.state.rglob("*.key")}
    words = flags if "--client" in flags else ("--client", "demo", *flags)
    assert desk.invoke("audit.keys", *words).returncode == 2
    assert {path: path.read_bytes() for path in desk.state.rglob("*.key")} == before
