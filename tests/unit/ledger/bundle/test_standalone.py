"""The program and the recipe that lie in every bundle: run as somebody would who has nothing of ours."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from typing import TYPE_CHECKING, cast

import pytest
from tests._authority import Authority
from tests.campaigns._paper import PROGRAM, WITNESS, PaperBook, sample

from provisioner.ledger.bundle import is_part
from provisioner.ledger.bundle.archive import unpack
from provisioner.ledger.bundle.choice import Wanted
from provisioner.ledger.bundle.write import write_bundle
from provisioner.ledger.timestamp import request

if TYPE_CHECKING:
    from pathlib import Path

    from provisioner.ledger.book import Book

BLOCKS = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)
STAMP = re.compile(r"^## The time stamp.*?^```\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture
def book(tmp_path: Path) -> PaperBook:
    return sample(tmp_path / "checkpoints")


@pytest.fixture
def folder(book: PaperBook, tmp_path: Path) -> Path:
    return export(book, tmp_path, Wanted(intervention="iv-0000000000000002"))


def export(book: PaperBook, tmp_path: Path, wanted: Wanted) -> Path:
    write_bundle(cast("Book", book), wanted, tmp_path / "b.tar.gz")
    return unpack(tmp_path / "b.tar.gz", tmp_path / "unpacked", is_part=is_part)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Python without site packages, without our folder and without our environment."""
    command = [sys.executable, "-I", "-S", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"})


def bash(script: str, folder: Path) -> str:
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_it_is_python_3_9_of_the_standard_library() -> None:
    tree = ast.parse(PROGRAM.read_text(encoding="utf-8"), feature_version=(3, 9))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names | {"__future__"}


def test_it_says_what_the_bundle_is_worth(folder: Path, book: PaperBook, tmp_path: Path) -> None:
    alone = run(folder / "verify.py")
    assert (alone.returncode, alone.stderr) == (0, "")
    assert alone.stdout.startswith("OK: 4 of 15 entries of provisioner/demo; self-consistent; nothing outside was")
    assert run(PROGRAM, tmp_path / "b.tar.gz").stdout == alone.stdout
    kept = next(book.checkpoint_folder.glob("0000000004-*.checkpoint"))
    print_of_key = book.signers[-1].verifier.fingerprint.upper()
    flags = ("--checkpoint", kept, "--key-fingerprint", print_of_key, "--witness", WITNESS.key.render())
    compared = run(folder / "verify.py", *flags)
    assert compared.returncode == 0
    for said in (
        print_of_key.lower(),
        f"checkpoint {kept} of 4 entries",
        "'witness.example/w1' (2026-11-23T14:00:00Z)",
    ):
        assert said in compared.stdout


def test_it_names_the_first_bad_entry(folder: Path) -> None:
    path = folder / "entries.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"outcome":"changed"', b'"outcome":"charged"'))
    bad = run(folder / "verify.py")
    assert (bad.returncode, bad.stderr) == (7, "")
    assert bad.stdout == "entry 7 is not in the tree of the checkpoint\nfirst bad entry: 7\nTAMPERED\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("nowhere.tar.gz",),
        (".", "--checkpoint", "nowhere"),
        (".", "--checkpoint", "manifest.json"),
        (".", "--witness", "key"),
        (".", "--shout"),
    ],
)
def test_a_mistake_of_the_command_is_no_verdict(folder: Path, arguments: tuple[str, ...]) -> None:
    there = [str(folder / word) if word in (".", "manifest.json") else word for word in arguments]
    mistake = run(folder / "verify.py", *there)
    assert (mistake.returncode, mistake.stdout) == (2, "")
    assert "verify.py: error:" in mistake.stderr and "Traceback" not in mistake.stderr


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(intervention="iv-0000000000000004"), Wanted(details=True)])
def test_the_recipe_works_as_it_is_printed(book: PaperBook, tmp_path: Path, wanted: Wanted) -> None:
    folder = export(book, tmp_path, wanted)
    script = "\n".join(BLOCKS.findall((folder / "VERIFY.md").read_text(encoding="utf-8")))
    before = sorted(folder.rglob("*"))
    said = bash(script, folder)
    assert f"{book.signers[-1].verifier.fingerprint}  -\n" in said
    assert "Signature Verified Successfully" in said
    assert re.search(r"^entry \d+ is in the signed tree$", said, re.MULTILINE)
    assert sorted(folder.rglob("*")) == before, "nothing is left in the folder"


def test_the_recipe_can_say_no(folder: Path) -> None:
    """Negative control."""
    script = "\n".join(BLOCKS.findall((folder / "VERIFY.md").read_text(encoding="utf-8")))
    entries, checkpoint = folder / "entries.jsonl", folder / "checkpoints" / "newest.checkpoint"
    entries.write_bytes(entries.read_bytes().replace(b"op-00112233445566ff", b"op-ff112233445566ff"))
    assert "is NOT in the signed tree" in bash(script, folder)
    text = checkpoint.read_text(encoding="utf-8")
    checkpoint.write_text(text.replace("\n15\n", "\n14\n"), encoding="utf-8")
    assert "Signature Verification Failure" in bash(script, folder)


def test_the_recipe_of_every_entry(book: PaperBook, tmp_path: Path) -> None:
    folder = export(book, tmp_path, Wanted())
    script = BLOCKS.findall((folder / "VERIFY.md").read_text(encoding="utf-8"))[-1]
    head = "index=0 line=1 proof=proofs/0000000000.tlog-proof"
    assert head in script
    for index in range(15):
        place = f"index={index} line={index + 1} proof=proofs/{index:010d}.tlog-proof"
        assert f"entry {index} is in the signed tree" in bash(script.replace(head, place), folder)


def test_the_time_stamp_is_verified_as_the_recipe_says(book: PaperBook, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    (path,) = book.checkpoint_folder.glob("0000000015-*.checkpoint")
    path.with_suffix(".tsr").write_bytes(authority.answer(request(path.read_bytes()).body))
    folder = export(book, tmp_path, Wanted())
    script = STAMP.findall((folder / "VERIFY.md").read_text(encoding="utf-8"))[0]
    said = bash(script.replace("AUTHORITY.pem", str(authority.roots)), folder)
    stamped = re.search(r"^Time stamp: (.*)$", said, re.MULTILINE)
    assert "Verification: OK" in said and stamped
    late = 'openssl ts -verify -data checkpoints/newest.checkpoint -in checkpoints/newest.tsr -CAfile "$0" -attime '
    then = f"\"$(date -d '{stamped[1]}' +%s)\""
    assert "Verification: OK" in bash((late + then).replace("$0", str(authority.roots)), folder)
    after = str(int(authority.ends.timestamp()) + 5)
    assert "certificate has expired" in bash((late + after).replace("$0", str(authority.roots)), folder)
