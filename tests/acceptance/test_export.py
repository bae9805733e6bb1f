"""`audit.export` and `audit.verify --bundle` as typed, and the program in the bundle as somebody outside runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from provisioner.ledger.book import open_book
from provisioner.ledger.entry import Draft

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.conftest import Desk

AT = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def desk(new_desk: Callable[[], Desk]) -> Desk:
    """A desk with a log of seven entries: entry 0, and an intervention on each of three days."""
    made = new_desk()
    with open_book(f"sqlite:///{made.state}/ledger.db", "demo", state=made.state) as book:
        operator = book.pseudonym("Ada Byron")
        for day in range(3):
            at = AT + timedelta(days=day)
            body = {"intervention": f"iv-{day}"}
            book.append([Draft("opened", at, operator, body), Draft("closed", at, operator, body)])
            book.sign(at)
    return made


def test_one_file_is_all_that_somebody_outside_needs(desk: Desk, tmp_path: Path) -> None:
    out = tmp_path / "evidence.tar.gz"
    flags = ("--client", "demo", "--intervention", "iv-1", "--out", str(out))
    written = desk.invoke("audit.export", *flags)
    assert written.returncode == 0
    assert f"{out}: 3 of 7 entries of demo, each with its proof" in written.stdout
    again = json.loads(desk.invoke("audit.export", *flags, "--json").stdout)
    assert (again["client"], again["entries"], again["size"], again["missing"]) == ("demo", 3, 7, [])

    subprocess.run(["tar", "-xf", out], cwd=tmp_path, check=True)
    alone = subprocess.run([sys.executable, "-I", tmp_path / "demo/verify.py"], capture_output=True, text=True)
    assert (alone.returncode, alone.stderr) == (0, "")
    assert alone.stdout.startswith("OK: 3 of 7 entries of provisioner/demo")
    kept = desk.state / "checkpoints" / "demo" / "latest"
    for bundle in (out, tmp_path / "demo"):
        code, report = desk.ask("audit.verify", "--bundle", str(bundle), "--checkpoint", str(kept))
        assert (code, report["status"], report["size"], report["bundle"]) == (0, "OK", 3, str(bundle))
        assert report["compared_with"] == f"checkpoint {kept} of 7 entries"

    entries = tmp_path / "demo" / "entries.jsonl"
    entries.write_bytes(entries.read_bytes().replace(b'"kind":"closed"', b'"kind":"opened"'))
    alone = subprocess.run([sys.executable, "-I", tmp_path / "demo/verify.py"], capture_output=True, text=True)
    told = desk.invoke("audit.verify", "--bundle", str(tmp_path / "demo"))
    assert (alone.returncode, told.returncode) == (7, 7)
    for said in (alone.stdout, told.stdout):
        assert "first bad entry: 4" in said and "TAMPERED" in said


def test_a_period_and_the_whole_log(desk: Desk, tmp_path: Path) -> None:
    flags = ("--since", "2026-11-02", "--until", "2026-11-02", "--out", str(tmp_path / "day.tar.gz"))
    code, written = desk.ask("audit.export", "--client", "demo", *flags)
    assert (code, written["entries"]) == (0, 5), "entry 0, the two of the day, and their neighbours"
    code, written = desk.ask("audit.export", "--client", "demo", "--out", str(tmp_path / "all.tar.gz"), "--details")
    assert (code, written["entries"]) == (0, 7)
    for name in ("day.tar.gz", "all.tar.gz"):
        assert desk.invoke("audit.verify", "--bundle", str(tmp_path / name)).returncode == 0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "--out is missing"),
        (("--out", "x.tar.gz", "--intervention", "iv-9"), "no entry of that intervention"),
        (("--out", "x.tar.gz", "--since", "2027-01-01"), "no entry of that period"),
        (("--out", "x.tar.gz", "--intervention", "iv-1", "--since", "2026-01-01"), "were both given"),
        (("--out", "x.zip"), "a bundle is a .tar.gz"),
        (("--out", "nowhere/x.tar.gz"), "cannot be written"),
    ],
)
def test_what_cannot_be_exported_is_code_2(desk: Desk, flags: tuple[str, ...], said: str) -> None:
    refused = desk.invoke("audit.export", "--client", "demo", *flags)
    assert refused.returncode == 2
    assert said in refused.stderr and "Traceback" not in refused.stderr


def test_a_log_that_is_not_what_was_signed_is_code_7_and_no_file(new_desk: Callable[[], Desk], tmp_path: Path) -> None:
    desk = new_desk()
    with open_book(f"sqlite:///{desk.state}/ledger.db", "demo", state=desk.state) as book:
        book.append([Draft("note", AT, "op-1", {})])
        book.sign(AT)
    (desk.state / "checkpoints/demo/latest").write_text("provisioner/demo\n2\nx\n")
    refused = desk.invoke("audit.export", "--client", "demo", "--out", str(tmp_path / "x.tar.gz"))
    assert refused.returncode == 7 and "not a checkpoint" in refused.stderr
    assert list(tmp_path.iterdir()) == []
