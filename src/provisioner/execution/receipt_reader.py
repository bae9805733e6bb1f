"""Collects the receipts of a machine over SSH: one command, as the login user, nothing written.

A machine may answer anything: what it says is bounded, checked by shape, and only then shown.
"""

from __future__ import annotations

import base64
import re
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING

from provisioner.execution.first_contact import BadNews, where
from provisioner.execution.ports import Reading, Receipt
from provisioner.execution.readiness import PYTHON
from provisioner.execution.receipts import parse_receipt
from provisioner.execution.ssh import Question, SshProbe
from provisioner.model.asset import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from provisioner.model.asset import Asset

FOLDER = "/var/lib/provisioner/receipts"
"""Where the role intervention_receipt writes them."""

LONGEST, MOST = 1024, 4096
"""Bytes of a receipt, and files on a machine, that are read at most."""

_ANSWER = 8 * 1024 * 1024  # bytes: MOST files of LONGEST bytes and their names, in base64


class ReceiptReader:
    """Reads the receipts of machines over SSH, one command each, as the login user."""

    def __init__(self, probe: SshProbe) -> None:
        """Take the probe whose way in, keys and known hosts are used."""
        self._probe = probe

    def read(self, asset: Asset, *, accept: Callable[[str], bool]) -> Reading:
        """Read the machine's receipts: see `provisioner.execution.ports.Receipts`."""
        if asset.address.transport is not Transport.SSH:
            text = f"{where(asset)} is reached over WinRM, where no receipt is left or read yet; look at it by hand"
            return Reading(reason="not_supported", text=text)
        marker = f"provisioner-{secrets.token_hex(8)}"
        try:
            command = f"exec {PYTHON} -I - {marker} {FOLDER} {MOST} {LONGEST}"
            question = Question(command=command, given=SCRIPT, until=f"\n{marker} end", most=_ANSWER)
            return read_answer(self._probe.ask(asset, question, accept=accept), marker, asset=asset)
        except BadNews as news:
            return Reading(reason=news.reason, text=news.text)


SCRIPT = """\
import base64, os, stat, sys
marker, folder, most, longest = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

def say(*words):
    print("\\n" + marker, *words)

def content(path):
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a file")
        return os.read(descriptor, longest + 1)
    finally:
        os.close(descriptor)

names = []
try:
    names = sorted(os.listdir(os.fsencode(folder)))
    say("count", len(names))
except FileNotFoundError:
    say("count", 0)
except OSError as error:
    say("refused", os.strerror(error.errno))
for name in names[:most]:
    shown = base64.b64encode(name).decode()
    try:
        say("file", shown, base64.b64encode(content(os.path.join(os.fsencode(folder), name))).decode())
    except OSError:
        say("odd", shown)
say("end")
"""
"""What runs on the machine: argv is marker, folder, most files, longest file. Python 3.8; standard input has it."""


def read_answer(output: str, marker: str, *, asset: Asset) -> Reading:
    """Given what SCRIPT printed on the machine, return the receipts; raise BadNews when they cannot all be there."""
    lines = [line.split() for line in output.split("\n") if line.startswith(f"{marker} ")]
    said = {line[1]: line[2:] for line in lines if len(line) > 1}
    if "refused" in said:
        raise BadNews("folder_unreadable", f"{where(asset)} does not let us read {FOLDER}; it should have mode 0755")
    if "count" not in said:
        text = f"{where(asset)} let us in but ran no {PYTHON} for {asset.address.user}; install it: apt install python3"
        raise BadNews("no_python", text)
    files = [line[1:] for line in lines if line[1:2] in (["file"], ["odd"])]
    count = "".join(said["count"])
    names = {"".join(words[1:2]) for words in files}
    if (
        not re.fullmatch("[0-9]{1,9}", count)
        or "end" not in said
        or not len(names) == len(files) == min(int(count), MOST)
    ):
        raise BadNews("protocol_error", f"{where(asset)} broke off in the middle of an answer, or counts wrongly")
    if int(count) > MOST:
        text = f"{where(asset)} holds {count} files in {FOLDER}, more than {MOST}; look at it by hand"
        raise BadNews("too_many", text)
    return _reading([(kind, _decoded(words[:1]), _decoded(words[1:2])) for kind, *words in files])


def _reading(files: Iterable[tuple[str, bytes, bytes]]) -> Reading:
    """Given kind, name and content of each file, check them one by one."""
    receipts: dict[str, Receipt] = {}
    damaged: dict[str, str] = {}
    for kind, name, data in files:
        try:
            receipts[_shown(name)] = _checked(name, data, odd=kind == "odd")
        except ValueError as error:
            damaged[_shown(name)] = str(error)
    return Reading(receipts=receipts, damaged=damaged)


def _decoded(words: list[str]) -> bytes:
    try:
        return base64.b64decode("".join(words), validate=True)
    except ValueError:
        return b""


def _checked(name: bytes, data: bytes, *, odd: bool) -> Receipt:
    if odd:
        raise ValueError("not a file that can be read")
    if len(data) > LONGEST:
        raise ValueError(f"longer than {LONGEST} bytes")
    receipt = parse_receipt(data.decode(errors="replace"))
    if name != f"{receipt.intervention}.json".encode():
        raise ValueError("named otherwise than the intervention in it")
    return receipt


def _shown(name: bytes) -> str:
    """A file's name as it may stand in a sentence: printable ASCII, at most 80 characters, no two names alike."""
    text = "".join(chr(byte) if 32 < byte < 127 and byte != 92 else f"\\x{byte:02x}" for byte in name)
    return text if len(text) <= 80 else f"{text[:60]}...{sha256(name).hexdigest()[:16]}"
