"""The key pair of a client, and the host keys it pins."""

from __future__ import annotations

import base64
import os
import threading

import pytest

from provisioner.errors import ExecutionError, MissingTool
from provisioner.execution import known_hosts
from provisioner.lab.access import Access, ensure_key, pin


def mode(path):
    return path.stat().st_mode & 0o777


def test_the_key_is_made_once_and_is_its_owners(tmp_path):
    access = Access(tmp_path / "state", "demo")
    line = ensure_key(access)
    assert line.startswith("ssh-ed25519 AAAA")
    assert access.key == tmp_path / "state/ssh/demo/id_ed25519"
    assert mode(access.key) == 0o600
    assert {mode(folder) for folder in (access.state, access.key.parent.parent, access.key.parent)} == {0o700}
    assert ensure_key(access) == line
    assert ensure_key(Access(tmp_path / "state", "other")) != line


def test_host_keys_are_written_in_opensshs_form_and_replaced_by_port(tmp_path):
    access = Access(tmp_path / "state", "demo")
    pin(access, {22201: "ssh-ed25519 AAAA1", 22202: "ssh-ed25519 AAAA2"})
    assert access.known_hosts == tmp_path / "state/known_hosts/demo"
    pin(access, {22202: "ssh-ed25519 AAAA3"})
    assert (
        access.known_hosts.read_text() == "[127.0.0.1]:22201 ssh-ed25519 AAAA1\n[127.0.0.1]:22202 ssh-ed25519 AAAA3\n"
    )
    assert mode(access.known_hosts) == 0o600
    assert [path.name for path in access.known_hosts.parent.iterdir()] == ["demo"]


def test_lines_about_other_machines_stay(tmp_path):
    access = Access(tmp_path, "demo")
    access.known_hosts.parent.mkdir()
    others = "# by hand\n192.0.2.7 ssh-ed25519 AAAA7\n[127.0.0.1]:2220 ssh-ed25519 AAAA8\n@revoked * ssh-rsa AAAA\n"
    access.known_hosts.write_text(others)
    pin(access, {22201: "ssh-ed25519 AAAA1"})
    assert access.known_hosts.read_text() == f"{others}[127.0.0.1]:22201 ssh-ed25519 AAAA1\n"


def test_what_is_pinned_already_is_not_written_again(tmp_path):
    access = Access(tmp_path, "demo")
    pin(access, {22201: "ssh-ed25519 AAAA1"})
    before = access.known_hosts.stat().st_ino
    pin(access, {22201: "ssh-ed25519 AAAA1"})
    assert access.known_hosts.stat().st_ino == before


def test_a_missing_or_failing_ssh_keygen_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool, match="ssh-keygen is not on this machine"):
        ensure_key(Access(tmp_path / "state", "demo"))
    program = tmp_path / "ssh-keygen"
    program.write_text("#!/bin/sh\necho no entropy >&2\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(ExecutionError, match=r"made no key pair .*: no entropy"):
        ensure_key(Access(tmp_path / "state", "demo"))


def test_what_cannot_be_written_is_a_sentence_and_the_file_what_it_was(tmp_path, monkeypatch):
    access = Access(tmp_path, "demo")
    pin(access, {22201: "ssh-ed25519 AAAA1"})

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExecutionError, match="cannot be written: No space left on device"):
        pin(access, {22201: "ssh-ed25519 AAAA2"})
    assert access.known_hosts.read_text() == "[127.0.0.1]:22201 ssh-ed25519 AAAA1\n"
    assert [path.name for path in access.known_hosts.parent.iterdir()] == ["demo"]


def test_bytes_that_are_no_text_stay(tmp_path):
    access = Access(tmp_path, "demo")
    access.known_hosts.parent.mkdir()
    access.known_hosts.write_bytes(b"# \xff by hand\n")
    pin(access, {22201: "ssh-ed25519 AAAA1"})
    assert access.known_hosts.read_bytes() == b"# \xff by hand\n[127.0.0.1]:22201 ssh-ed25519 AAAA1\n"


def test_neither_the_lab_nor_a_first_contact_loses_the_other_s_lines(tmp_path):
    access = Access(tmp_path, "demo")
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes(32)
    key, line = known_hosts.HostKey("ssh-ed25519", blob), f"ssh-ed25519 {base64.b64encode(blob).decode()}"
    rounds = range(40)

    def contact():
        for number in rounds:
            known_hosts.remember(access.known_hosts, f"192.0.2.{number}", key)

    other = threading.Thread(target=contact)
    other.start()
    for number in rounds:
        pin(access, {22000 + number: line})
    other.join()
    assert len(access.known_hosts.read_text().splitlines()) == 2 * len(rounds)
