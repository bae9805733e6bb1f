from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger.checkpoint import Signer
from provisioner.ledger.keys import write_durably
from provisioner.serving import memory as module
from provisioner.serving.memory import Memory

if TYPE_CHECKING:
    from pathlib import Path

LOG = Signer("provisioner/demo", bytes(32)).verifier
NEW = Signer("provisioner/demo", bytes([1]) * 32).verifier


@pytest.fixture
def memory(folder: Path) -> Memory:
    return Memory(folder, write=write_durably)


def test_a_key_is_made_once_and_only_for_its_owner(memory: Memory, folder: Path) -> None:
    made = memory.make_key("w1.example")
    assert (folder / "witness.key").stat().st_mode & 0o777 == 0o600
    assert (folder / "witness.vkey").read_text() == made.key.render() + "\n"
    assert memory.cosigner() == made
    with pytest.raises(UsageError, match="has a witness's key already"):
        memory.make_key("w2.example")
    assert memory.cosigner() == made


def test_without_a_key_there_is_no_witness(memory: Memory) -> None:
    with pytest.raises(UsageError, match="there is no witness") as caught:
        memory.cosigner()
    assert "--init" in caught.value.hint


def test_a_key_that_others_can_read_is_refused_with_the_remedy(memory: Memory, folder: Path) -> None:
    memory.make_key("w1.example")
    path = folder / "witness.key"
    path.chmod(0o640)
    with pytest.raises(LedgerError, match="mode 0640") as caught:
        memory.cosigner()
    assert caught.value.hint == f"chmod 600 {path}"


def test_a_key_that_is_none_is_named_and_not_repeated(memory: Memory, folder: Path) -> None:
    secret = memory.make_key("w1.example").render()
    (folder / "witness.key").write_text(secret[:-4])
    with pytest.raises(LedgerError, match=r"witness.key: not a witness's private key") as caught:
        memory.cosigner()
    assert secret[40:60] not in str(caught.value)


def test_a_log_may_have_several_keys_each_once(memory: Memory, folder: Path) -> None:
    assert memory.logs() == {}
    assert [memory.trust(LOG), memory.trust(NEW), memory.trust(LOG)] == [True, True, False]
    assert memory.logs() == {"provisioner/demo": (LOG, NEW)}
    path = folder / "logs"
    path.write_text(f"# ours\n\n{LOG.render()}")
    memory.trust(NEW)
    assert path.read_text() == f"# ours\n\n{LOG.render()}\n{NEW.render()}\n"


def test_a_line_of_the_list_that_is_no_key_is_named(memory: Memory, folder: Path) -> None:
    memory.trust(LOG)
    (folder / "logs").write_text("# ours\nx\n")
    with pytest.raises(LedgerError, match="logs:2: 'x' is not"):
        memory.logs()


def test_what_is_refused_is_kept_up_to_a_bound(memory: Memory, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFUSED_LIMIT", 2)
    for note in ("a", "b", "c", "a"):
        memory.keep_refused("provisioner/demo", b"body", note=note, kept="kept")
    assert len(list((folder / "refused").glob("*.request"))) == 2


@pytest.mark.parametrize("broken", ["the folder is a file", "the lock is a folder"])
def test_a_folder_that_cannot_be_locked_is_an_error_with_a_sentence(memory: Memory, folder: Path, broken: str) -> None:
    if broken == "the folder is a file":
        folder.write_text("x")
    else:
        (folder / "lock").mkdir(parents=True)
    for act in (lambda: memory.make_key("w1.example"), lambda: memory.trust(LOG)):
        with pytest.raises(LedgerError, match=r"witness: the witness cannot write here: ") as caught:
            act()
        assert caught.value.exit_code == 7


def test_a_lock_that_the_file_system_refuses_is_an_error_with_a_sentence(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handle: object, how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(LedgerError, match="lock: cannot be locked: No locks available"):
        memory.make_key("w1.example")
