"""The reader of receipts: its script on a real folder, and answers that only a hostile machine gives."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.execution.first_contact import BadNews
from provisioner.execution.ports import Reading
from provisioner.execution.receipt_reader import FOLDER, LONGEST, MOST, SCRIPT, ReceiptReader, read_answer
from provisioner.execution.receipts import render_receipt
from provisioner.model.asset import Address, Transport
from provisioner.testing import make_asset, make_receipt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provisioner.execution.ssh import Question
    from provisioner.model.asset import Asset

MARKER = "provisioner-00"


def run(folder: Path, *, most: int = MOST) -> str:
    """Run the script as a machine does."""
    command = [sys.executable, "-I", "-", MARKER, str(folder), str(most), str(LONGEST)]
    done = subprocess.run(command, input=SCRIPT, capture_output=True, text=True, check=False, timeout=20)
    return done.stdout + done.stderr


def read(output: str) -> Reading:
    return read_answer(output, MARKER, asset=make_asset())


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def answer(*lines: str) -> str:
    return "".join(f"\n{MARKER} {line}\n" for line in lines)


def test_the_receipts_of_a_folder_are_read(tmp_path: Path) -> None:
    receipts = {f"iv-{number}.json": make_receipt(intervention=f"iv-{number}") for number in range(3)}
    for name, receipt in receipts.items():
        (tmp_path / name).write_text(render_receipt(receipt))
    assert read(run(tmp_path)) == Reading(receipts=receipts)


def test_no_folder_is_no_receipt(tmp_path: Path) -> None:
    assert read(run(tmp_path / "none")) == Reading()


def test_what_is_no_receipt_is_named_and_waited_for_by_nobody(tmp_path: Path) -> None:
    text = render_receipt(make_receipt())
    (tmp_path / "iv-2.json").write_text(text)
    (tmp_path / "long").write_text("x" * (LONGEST + 1))
    (tmp_path / "torn").write_text(text[:50])
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("iv-2.json")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "\x1b[31m\nred").write_text("")
    (tmp_path / ("n" * 250)).write_bytes(b"\xff")
    reading = read(run(tmp_path))
    assert reading.receipts == {}
    assert {name[:8]: why for name, why in reading.damaged.items()} == {
        "iv-2.jso": "named otherwise than the intervention in it",
        "long": "longer than 1024 bytes",
        "torn": "not a receipt of version 1 in canonical form",
        "folder": "not a file that can be read",
        "link": "not a file that can be read",
        "pipe": "not a file that can be read",
        "\\x1b[31m"[:8]: "not a receipt of version 1 in canonical form",
        "nnnnnnnn": "not a receipt of version 1 in canonical form",
    }
    assert all(name.isascii() and name.isprintable() and len(name) <= 80 for name in reading.damaged)


def test_more_files_than_are_read_are_said_to_be_too_many(tmp_path: Path) -> None:
    assert run(tmp_path).count("file") == 0
    for number in range(4):
        (tmp_path / str(number)).touch()
    assert run(tmp_path, most=3).count(" file ") == 3
    lines = [f"file {encoded(str(number))}" for number in range(MOST)]
    with pytest.raises(BadNews, match=f"{MOST + 1} files") as caught:
        read(answer(f"count {MOST + 1}", *lines, "end"))
    assert caught.value.reason == "too_many"


def test_a_folder_that_cannot_be_read_is_bad_news(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadNews, match="does not let us read") as caught:
        read(run(tmp_path / "file"))
    assert caught.value.reason == "folder_unreadable"


FILE = f"file {encoded('iv-1.json')} {encoded(render_receipt(make_receipt()))}"


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("", "no_python"),
        ("sh: /usr/bin/python3: not found", "no_python"),
        ("Welcome!\n" + answer("refused Permission denied"), "folder_unreadable"),
        (answer("count 1", FILE), "protocol_error"),
        (answer("count 1", "end"), "protocol_error"),
        (answer("count 0", FILE, "end"), "protocol_error"),
        (answer("count 2", FILE, FILE, "end"), "protocol_error"),
        (answer("count -1", "end"), "protocol_error"),
        (answer("count ٣", "end"), "protocol_error"),
        (answer("count 99999999999", "end"), "protocol_error"),
    ],
)
def test_an_answer_that_is_not_whole_is_bad_news(output: str, reason: str) -> None:
    with pytest.raises(BadNews) as caught:
        read(output)
    assert caught.value.reason == reason


def test_the_control_a_whole_answer_is_read() -> None:
    assert list(read("motd\n" + answer("count 1", FILE, "end")).receipts) == ["iv-1.json"]
    assert read(answer("count 1", "file ### ###", "end")).damaged == {
        "": "not a receipt of version 1 in canonical form"
    }


words = st.sampled_from(
    ["count", "file", "odd", "end", "refused", "1", "2", "", encoded("iv-1.json"), "=", "é", "\x1b"]
)


@settings(max_examples=300)
@given(st.lists(st.lists(words, max_size=4).map(" ".join), max_size=6), st.text(max_size=60))
def test_whatever_a_machine_answers_is_a_reading_or_bad_news(lines: list[str], noise: str) -> None:
    try:
        reading = read(noise + answer(*lines))
    except BadNews as news:
        assert news.text.isprintable()
    else:
        assert all(name.isascii() and name.isprintable() for name in (*reading.receipts, *reading.damaged))


@dataclass
class FakeSsh:
    """Answers with what the script prints on `folder`, or raises `news`."""

    folder: Path
    news: BadNews | None = None
    asked: list[Question] = field(default_factory=list)

    def ask(self, asset: Asset, question: Question, *, accept: Callable[[str], bool]) -> str:
        self.asked.append(question)
        if self.news:
            raise self.news
        command = question.command.replace(FOLDER, str(self.folder)).removeprefix("exec ").split()
        given = question.given
        return subprocess.run(command, input=given, capture_output=True, text=True, check=True, timeout=20).stdout


def test_one_command_reads_a_machine_and_nobody_becomes_root(tmp_path: Path) -> None:
    (tmp_path / "iv-1.json").write_text(render_receipt(make_receipt()))
    ssh = FakeSsh(tmp_path)
    reading = ReceiptReader(ssh).read(make_asset(), accept=pytest.fail)  # type: ignore[arg-type]
    assert reading == Reading(receipts={"iv-1.json": make_receipt()})
    (question,) = ssh.asked
    assert "sudo" not in question.command + question.given
    longest = len(answer(f"file {encoded('n' * 255)} {encoded('x' * (LONGEST + 1))}".replace(MARKER, "m" * 28)))
    assert question.most > MOST * longest, "all that may be read fits into the answer"


def test_bad_news_is_a_reading_with_its_reason(tmp_path: Path) -> None:
    ssh = FakeSsh(tmp_path, news=BadNews("timeout", "ws-01 did not answer"))
    reading = ReceiptReader(ssh).read(make_asset(), accept=pytest.fail)  # type: ignore[arg-type]
    assert reading == Reading(reason="timeout", text="ws-01 did not answer")


def test_a_windows_machine_is_said_to_be_unsupported(tmp_path: Path) -> None:
    address = Address(host="192.0.2.1", port=5986, user="t", transport=Transport.WINRM)
    ssh = FakeSsh(tmp_path)
    reading = ReceiptReader(ssh).read(make_asset(address=address), accept=pytest.fail)  # type: ignore[arg-type]
    assert (reading.reason, ssh.asked) == ("not_supported", [])
