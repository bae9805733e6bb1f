from __future__ import annotations

import base64
import hmac
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import ExecutionError
from provisioner.execution.known_hosts import (
    HostKey,
    Known,
    Line,
    Standing,
    entry,
    judge,
    known,
    name_of,
    parse,
    read,
    remember,
    render,
)

if TYPE_CHECKING:
    from pathlib import Path


def key(body: bytes = b"one", kind: str = "ssh-ed25519") -> HostKey:
    return HostKey(kind, len(kind).to_bytes(4, "big") + kind.encode() + body)


def hashed(name: str, salt: bytes = b"salt-of-20-bytes....") -> str:
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


ONE, TWO, RSA = key(b"one"), key(b"two"), key(b"three", "ssh-rsa")
WORDS = st.text(st.characters(codec="ascii", exclude_characters=",#@!*?|", categories=["L", "N", "P"]), min_size=1)
KEYS = st.builds(key, st.binary(max_size=40), st.sampled_from(["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"]))


@given(st.text())
def test_any_text_is_written_back_as_it_was_read(text: str) -> None:
    assert render(parse(text)) == text


@given(st.lists(WORDS, min_size=1).map(tuple), KEYS, st.sampled_from(["", "@revoked", "@cert-authority"]))
def test_an_entry_reads_back_as_what_it_says(names: tuple[str, ...], host_key: HostKey, marker: str) -> None:
    line = entry(names, host_key, marker=marker, comment="kept")

    assert parse(line.text) == (line,)


def test_a_line_has_exactly_these_bytes() -> None:
    assert entry(("[127.0.0.1]:22201",), ONE).text == "[127.0.0.1]:22201 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5b25l"
    assert ONE.fingerprint == "SHA256:WZArY9McGV2HkI4fXFvKVJ8P7R8GHj32oFUKGO+Nvkc"


def test_fingerprints_and_names_are_those_of_openssh(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "k"], check=True)
    kind, blob = (tmp_path / "k.pub").read_text().split()[:2]
    mine = HostKey(kind, base64.b64decode(blob))
    listed = subprocess.run(["ssh-keygen", "-lf", tmp_path / "k.pub"], check=True, capture_output=True, text=True)
    remember(tmp_path / "state" / "demo", name_of("WS-01.example", 2222), mine)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", tmp_path / "state" / "demo"], check=True, capture_output=True)

    assert listed.stdout.split()[1] == mine.fingerprint
    assert "|1|" in (tmp_path / "state" / "demo").read_text()
    assert known(read(tmp_path / "state" / "demo"), "[ws-01.example]:2222").keys == (mine,)
    assert known(read(tmp_path / "state" / "demo"), "ws-01.example").keys == ()


@pytest.mark.parametrize(
    ("host", "port", "name"),
    [("WS-01", 22, "ws-01"), ("127.0.0.1", 2222, "[127.0.0.1]:2222"), ("::1", 22, "::1"), ("::1", 2222, "[::1]:2222")],
)
def test_a_name_carries_the_port_only_off_22(host: str, port: int, name: str) -> None:
    assert name_of(host, port) == name


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("ws-01",), True),
        (("WS-01",), True),
        (("other", "ws-01"), True),
        ((hashed("ws-01"),), True),
        (("ws-*",), True),
        (("ws-0?",), True),
        (("*", "!ws-01"), False),
        (("ws-0",), False),
        (("[ws-01]:2222",), False),
        ((hashed("ws-02"),), False),
        (("|1|not-base64|!",), False),
        (("|1|a|b|c",), False),
    ],
)
def test_names_match_as_openssh_matches_them(names: tuple[str, ...], found: bool) -> None:
    assert (known((entry(names, ONE),), "ws-01").keys == (ONE,)) is found


@pytest.mark.parametrize(
    "text",
    [
        "# ws-01 ssh-ed25519 AAAA",
        "ws-01",
        "ws-01 ssh-ed25519",
        "ws-01 ssh-ed25519 not-base64!",
        "ws-01 ssh-rsa AAAAC3NzaC1lZDI1NTE5b25l",  # says rsa, holds ed25519
        "ws-01 1024 35 1234567",  # SSH 1
        "@cert-authority ws-01 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5b25l",
    ],
)
def test_a_line_that_is_no_entry_says_nothing(text: str) -> None:
    assert known(parse(text), "ws-01") == Known()


def test_a_key_is_judged_by_what_is_known() -> None:
    assert judge(ONE, Known()) is Standing.UNKNOWN
    assert judge(ONE, Known(keys=(TWO, ONE))) is Standing.MATCHES
    assert judge(ONE, Known(keys=(TWO,))) is Standing.CHANGED
    assert judge(ONE, Known(keys=(RSA,))) is Standing.CHANGED, "another type of key is no first contact"
    assert judge(ONE, Known(keys=(ONE,), revoked=(ONE,))) is Standing.REVOKED


def test_revoked_lines_are_read_for_every_name() -> None:
    lines = (entry(("*",), ONE, marker="@revoked"), entry(("ws-01",), TWO))

    assert known(lines, "ws-01") == Known(keys=(TWO,), revoked=(ONE,))


def test_remember_writes_one_private_file_and_keeps_every_other_line(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts" / "demo"
    path.parent.mkdir()
    others = f"# by hand\n\nnonsense \udcff\n{entry(('*',), RSA, marker='@revoked').text}\n{entry(('srv',), TWO).text}"
    path.write_text(others, errors="surrogateescape")

    remember(path, "ws-01", ONE)

    assert path.read_text(errors="surrogateescape") == f"{others}\n{entry(('ws-01',), ONE).text}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["demo"]


def test_remember_replaces_what_a_name_presented_before(tmp_path: Path) -> None:
    path = tmp_path / "demo"
    lines = (entry(("srv", "ws-01"), TWO, comment="shared"), entry((hashed("ws-01"),), RSA), Line(""))
    path.write_text(render(lines))

    remember(path, "ws-01", ONE)

    assert known(read(path), "ws-01").keys == (ONE,)
    assert known(read(path), "srv").keys == (TWO,)
    assert "shared" in path.read_text()


def test_remember_of_what_is_known_touches_nothing(tmp_path: Path) -> None:
    remember(tmp_path / "demo", "ws-01", ONE)
    before = (tmp_path / "demo").stat()

    remember(tmp_path / "demo", "ws-01", ONE)

    assert (tmp_path / "demo").stat().st_ino == before.st_ino


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    names = [f"ws-{number:02}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: remember(tmp_path / "demo", name, ONE), names))

    assert all(known(read(tmp_path / "demo"), name).keys == (ONE,) for name in names)


def test_a_write_that_fails_leaves_the_file_and_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "demo"
    remember(path, "ws-01", ONE)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExecutionError, match="demo cannot be written: No space left"):
        remember(path, "ws-02", TWO)

    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["demo"]


def test_a_file_that_cannot_be_read_is_no_empty_file(tmp_path: Path) -> None:
    with pytest.raises(ExecutionError, match="cannot be read"):
        read(tmp_path)
