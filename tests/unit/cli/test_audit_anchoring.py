"""The flags of audit.checkpoint and audit.witness, and the small files that go to and fro."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from provisioner.bridges.witness import HttpWitness
from provisioner.cli import wiring
from provisioner.cli.audit.checkpoint import _number, checkpoint
from provisioner.cli.audit.files import keep_copy, read_small, write_small
from provisioner.cli.audit.witness import _address, _seconds, witness
from provisioner.cli.wiring import anchors
from provisioner.cli.wiring.anchors import Patience, read_authorities, witness_keys
from provisioner.config.settings import load_settings
from provisioner.errors import ConfigurationError, NoAnswer, UsageError
from provisioner.ledger.checkpoint import Cosigner
from provisioner.ledger.entry import Draft
from provisioner.serving.listener import Listener

if TYPE_CHECKING:
    from pathlib import Path

    from invoke.tasks import Task

    from provisioner.model.witnessing import Answer


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


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROVISIONER_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def code_of(task: Task[Any], **flags: object) -> int:
    try:
        task(Context(), **flags)
    except Exit as ended:
        return int(ended.code)
    return 0


@pytest.mark.parametrize(
    ("task", "flags", "said"),
    [
        (witness, {"for_": "8h"}, "--for says nothing without --serve"),
        (witness, {"listen": "127.0.0.1:1"}, "--listen says nothing without --serve"),
        (witness, {"name": "w1", "serve": True}, "--name says nothing without --init"),
        (witness, {"out": "x"}, "--out says nothing without --request"),
        *((witness, {flag: ""}, "is empty") for flag in ("name", "trust", "listen", "for_", "request", "out")),
        (checkpoint, {"client": "demo", "for_witness": "w1"}, "--for-witness says nothing without"),
        *(
            (checkpoint, {"client": "demo", flag: ""}, "is empty")
            for flag in ("out", "request", "for_witness", "old_size", "cosignature")
        ),
    ],
)
def test_a_flag_without_its_action_or_without_a_value_is_refused(
    state: Path, capsys: pytest.CaptureFixture[str], task: Task[Any], flags: dict[str, object], said: str
) -> None:
    assert code_of(task, **flags) == 2
    assert said in capsys.readouterr().err
    assert not state.exists()


@pytest.mark.parametrize("where", ["serve_for", "the flush before it"])
def test_a_server_that_is_interrupted_has_printed_its_one_document(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    def served(self: Listener, seconds: float) -> None:
        raise AssertionError

    assert code_of(witness, init=True, name="w1.example") == 0
    capsys.readouterr()
    monkeypatch.setattr(Listener, "serve_for", interrupted if where == "serve_for" else served)
    if where != "serve_for":
        monkeypatch.setattr(
            "provisioner.cli.audit.witness.sys", SimpleNamespace(stdout=SimpleNamespace(flush=interrupted))
        )
    assert code_of(witness, serve=True, listen="127.0.0.1:0", for_="1h", json=True) == 130
    said = capsys.readouterr()
    assert json.loads(said.out)["seconds"] == 3600
    assert said.err == "interrupted\n"


def test_calls_share_what_is_left_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    patience, endless = Patience(5, total=12), Patience(30)
    left = []
    for at in (100, 105, 110, 111.5):
        clock[0] = at
        left.append(patience.left())
    assert left == [5, 5, 2, 0.5]
    clock[0] = 112
    with pytest.raises(NoAnswer, match="not asked: the 12 s for all services together are over"):
        patience.left()
    assert endless.left() == 30


def test_silent_services_hold_finished_work_up_no_longer_than_the_whole(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, at, said = [100.0], datetime(2026, 11, 23, 14, 0, tzinfo=UTC), list[str]()

    def silent(self: HttpWitness, body: bytes) -> Answer:
        clock[0] += self.seconds
        raise NoAnswer(f"no answer within {self.seconds:g} s")

    monkeypatch.setattr(anchors, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(HttpWitness, "add_checkpoint", silent)
    keys = [Cosigner(f"w{number}.example", bytes(32)).key.render() for number in range(5)]
    state.mkdir(mode=0o700)
    (state / "settings.yml").write_text(json.dumps({"witnesses": [{"url": "http://w", "key": key} for key in keys]}))
    settings = load_settings({"PROVISIONER_STATE": str(state)}, checkout=tmp_path, login="tester")
    where = wiring.Site(tmp_path, settings)
    with wiring.open_book(where, "demo") as book:
        book.append([Draft("note", at, "op-1", {"text": "done"})])
        book.sign(at)
    anchors.anchor_quietly(where, "demo", say=said.append)
    assert clock == [115.0]
    assert ["no answer within 5 s" in line for line in said] == [True, True, True, False, False]
    assert all("not asked: the 15 s for all services together are over" in line for line in said[3:])
