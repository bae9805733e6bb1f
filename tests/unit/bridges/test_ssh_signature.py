"""Signatures against a real ssh-keygen: it decides, and what is read from a signature before is what it says."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.bridges.ssh_signature import FOOT, HEAD, SshSignatures
from provisioner.errors import MissingTool, NoAnswer
from provisioner.model.approval import Flaw, Signed

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = b'{"assets":["kiosk-01"]}\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


def make(folder: Path, name: str, *kind: str) -> str:
    """Make a key pair; return the public half."""
    path = folder / name
    if not path.exists():
        words = ["ssh-keygen", "-q", *(kind or ("-t", "ed25519")), "-N", "", "-C", "a b, c", "-f", str(path)]
        subprocess.run(words, check=True)
    return path.with_name(f"{name}.pub").read_text()


def sign(folder: Path, name: str, *, namespace: str = "n") -> str:
    file = folder / f"message-{name}"
    file.write_bytes(MESSAGE)
    file.with_name(f"{file.name}.sig").unlink(missing_ok=True)
    words = ["ssh-keygen", "-Y", "sign", "-f", str(folder / name), "-n", namespace, str(file)]
    subprocess.run(words, check=True, capture_output=True)
    return file.with_name(f"{file.name}.sig").read_text()


@pytest.mark.parametrize("kind", [("-t", "ed25519"), ("-t", "ecdsa"), ("-t", "rsa", "-b", "2048")])
def test_a_signature_of_a_named_key_holds_and_of_no_other_bytes(folder: Path, kind: tuple[str, ...]) -> None:
    name = kind[1]
    keys = {"other": make(folder, "other"), "director": make(folder, name, *kind)}
    signature = sign(folder, name)
    found = SshSignatures().check(MESSAGE, signature, keys=keys, namespace="n")
    listed = subprocess.run(["ssh-keygen", "-lf", str(folder / name)], capture_output=True, text=True, check=True)
    assert found == Signed(signer="director", fingerprint=listed.stdout.split()[1])
    changed = SshSignatures().check(MESSAGE + b" ", signature, keys=keys, namespace="n")
    assert changed.flaw is Flaw.BROKEN


def test_the_first_flaw_is_named(folder: Path) -> None:
    keys = {"director": make(folder, "ed25519")}
    make(folder, "stranger")
    check = SshSignatures().check
    assert check(MESSAGE, sign(folder, "ed25519", namespace="file"), keys=keys, namespace="n").flaw is Flaw.NAMESPACE
    assert check(MESSAGE, sign(folder, "stranger"), keys=keys, namespace="n").flaw is Flaw.KEY
    assert check(MESSAGE, sign(folder, "ed25519"), keys={}, namespace="n").flaw is Flaw.KEY


def test_what_reads_as_another_key_s_signature_does_not_hold(folder: Path) -> None:
    """What is read before is not believed: a signature that claims a named key is still for ssh-keygen to judge."""
    keys = {"director": make(folder, "ed25519")}
    lines = sign(folder, "ed25519").splitlines()
    lines[-2] = ("A" if lines[-2][0] != "A" else "B") + lines[-2][1:]
    found = SshSignatures().check(MESSAGE, "\n".join(lines) + "\n", keys=keys, namespace="n")
    assert (found.signer, found.flaw) == ("director", Flaw.BROKEN)


@given(st.one_of(st.text(), st.binary(max_size=60).map(lambda data: f"{HEAD}\n{data.hex()}\n{FOOT}\n")))
def test_anything_else_is_unreadable_and_no_accident(text: str) -> None:
    assert SshSignatures().check(MESSAGE, text, keys={}, namespace="n") == Signed(flaw=Flaw.UNREADABLE)


def test_a_signature_cut_anywhere_does_not_hold(folder: Path) -> None:
    keys, signature = {"director": make(folder, "ed25519")}, sign(folder, "ed25519")
    body = signature.splitlines()[1:-1]
    whole = "".join(body)
    for length in range(0, len(whole), 40):
        cut = f"{HEAD}\n{whole[: length // 4 * 4]}\n{FOOT}\n"
        assert SshSignatures().check(MESSAGE, cut, keys=keys, namespace="n").flaw is not None


def test_a_machine_without_ssh_keygen_says_so(folder: Path) -> None:
    keys, signature = {"director": make(folder, "ed25519")}, sign(folder, "ed25519")
    with pytest.raises(MissingTool, match="no-such-program is not on this machine"):
        SshSignatures(program="no-such-program").check(MESSAGE, signature, keys=keys, namespace="n")


def test_a_program_that_does_not_end_is_not_waited_for(folder: Path) -> None:
    keys, signature = {"director": make(folder, "ed25519")}, sign(folder, "ed25519")
    slow = folder / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    with pytest.raises(NoAnswer, match=r"did not verify a signature within 0\.2 s"):
        SshSignatures(seconds=0.2, program=str(slow)).check(MESSAGE, signature, keys=keys, namespace="n")
