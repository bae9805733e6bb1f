"""What becomes of a bundle on its way: blind damage, and changes by somebody who knows the format."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError
from provisioner.ledger import canonical
from provisioner.ledger.bundle import runs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

LISTS = ("entries.jsonl", "checkpoints/consistency.jsonl", "details.jsonl")


def parts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def chosen_list(folder: Path, random: Random) -> Path:
    return folder / random.choice([name for name in LISTS if (folder / name).exists()])


def flip(folder: Path, _other: Path, random: Random) -> None:
    path = random.choice(parts(folder))
    data = bytearray(path.read_bytes())
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    path.write_bytes(bytes(data))


def cut(folder: Path, _other: Path, random: Random) -> None:
    path = random.choice(parts(folder))
    data = path.read_bytes()
    path.write_bytes(data[: random.randrange(len(data) + 1)])


def remove(folder: Path, _other: Path, random: Random) -> None:
    random.choice(parts(folder)).unlink()


def add_file(folder: Path, _other: Path, random: Random) -> None:
    name = random.choice(
        ["readme.txt", "proofs/0000000099.tlog-proof", "proofs/x", "keys/0000000099.pem", f"contract/{'0' * 64}.yml"]
    )
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("more\n")


def of_another(folder: Path, other: Path, random: Random) -> None:
    """Put a part of another client's bundle in the place of ours."""
    name = random.choice(parts(other)).relative_to(other)
    (folder / name).parent.mkdir(exist_ok=True)
    shutil.copyfile(other / name, folder / name)


def lines(folder: Path, _other: Path, random: Random) -> None:
    """Drop, repeat, swap or append lines of a list."""
    path = chosen_list(folder, random)
    rows = path.read_bytes().splitlines(keepends=True)
    if not rows:
        return
    place, second = random.randrange(len(rows)), random.randrange(len(rows))
    kind = random.choice(["drop", "repeat", "swap", "append"])
    if kind == "drop":
        del rows[place]
    elif kind == "repeat":
        rows.insert(place, rows[place])
    elif kind == "swap":
        rows[place], rows[second] = rows[second], rows[place]
    else:
        rows.append(rows[place])
    path.write_bytes(b"".join(rows))


def swap_proofs(folder: Path, _other: Path, random: Random) -> None:
    found = sorted(folder.glob("proofs/*"))
    one, two = random.choice(found), random.choice(found)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def hide(folder: Path, _other: Path, random: Random) -> None:
    """Leave an entry out: its line, its proof and its place in the manifest."""
    rows = (folder / "entries.jsonl").read_bytes().splitlines(keepends=True)
    gone = json.loads(rows.pop(random.randrange(len(rows))))["index"]
    (folder / "entries.jsonl").write_bytes(b"".join(rows))
    (folder / f"proofs/{gone:010d}.tlog-proof").unlink(missing_ok=True)
    with_manifest(
        folder, lambda text: text | {"indices": [list(run) for run in runs(json.loads(row)["index"] for row in rows)]}
    )


def edit(folder: Path, _other: Path, random: Random) -> None:
    """Change a value of an entry, canonically."""
    path = folder / "entries.jsonl"
    rows = path.read_bytes().splitlines()
    if not rows:
        return
    place = random.randrange(len(rows))
    entry = json.loads(rows[place])
    change = random.choice(
        [
            {"index": random.randrange(16)},
            {"at": f"2026-11-2{random.randrange(10)}T14:00:00Z"},
            {"kind": random.choice(["key", "note", "opened"])},
            {"body": random.choice([{}, {"intervention": "iv-0000000000000001"}, entry["body"]])},
            {"v": random.choice([1, 2, True, "1", None])},
            {"salt": random.choice(["0" * 32, "", "F" * 32])},
            {"more": 1},
        ]
    )
    rows[place] = canonical.render(entry | change)
    path.write_bytes(b"\n".join(rows) + b"\n")


def rewrite(folder: Path, _other: Path, random: Random) -> None:
    """Write the same value in another form of JSON."""
    path = folder / random.choice(["entries.jsonl", "manifest.json", "checkpoints/consistency.jsonl"])
    rows = path.read_bytes().splitlines(keepends=True)
    if not rows:
        return
    place = random.randrange(len(rows))
    forms: list[Callable[[bytes], bytes]] = [
        lambda row: row.replace(b":", b": ", 1),
        lambda row: row.replace(b"e", b"\\u0065", 1),
        lambda row: row.replace(b"1", b"1.0", 1),
        lambda row: row.replace(b"1", b"1e0", 1),
        lambda row: row.replace(b'"', b'\\"', 1),
        lambda row: row.replace(b"{", b'{"":0,', 1),
        lambda row: row.rstrip(b"\n") + b"\r\n",
        lambda row: b"\xef\xbb\xbf" + row,
        lambda row: row.replace(b"o", "ο".encode(), 1),
        lambda row: re.sub(rb"^\{(.*?),(.*)\}", rb"{\2,\1}", row),
    ]
    rows[place] = random.choice(forms)(rows[place])
    path.write_bytes(b"".join(rows))


def manifest(folder: Path, _other: Path, random: Random) -> None:
    """Say something else in the manifest."""
    number = random.choice([-1, 0, 1, 2, 7, 14, 15, 16, 17, True, "1", None, 2**53 - 1])
    origin = random.choice(["provisioner/other", "demo", "", "provisioner/", 1, "provisioner/demo/pending"])
    changes: list[Callable[[dict[str, object]], dict[str, object]]] = [
        lambda text: text | {random.choice(["size", "v"]): number},
        lambda text: text | {"indices": random.choice([[], [[0, 14]], [[0, 0]], [[0, number]], [0], {}, [[0, 0, 0]]])},
        lambda text: text | {"origin": origin},
        lambda text: text | {"scope": scope(text["scope"], random, number)},
        lambda text: text | {"more": 1},
    ]
    with_manifest(folder, random.choice(changes))


def scope(text: object, random: Random, number: object) -> object:
    given = text if isinstance(text, dict) else {}
    instant = random.choice(["", "2026-11-24T00:00:00Z", "2026-11-23T18:00:00Z", "2026-11-23", None])
    return random.choice(
        [
            {"intervention": random.choice(["iv-0000000000000001", "iv-none", "", 1])},
            given | {random.choice(["first", "last"]): number},
            given | {random.choice(["since", "until"]): instant},
            {"first": 0, "last": 14, "since": "", "until": ""},
            {"kind": "log"},
            [],
        ]
    )


def signature(folder: Path, _other: Path, random: Random) -> None:
    """Change the lines below a checkpoint, in its file and in every proof alike."""
    names = [name for name in ("newest.checkpoint", "newest.cosigned") if (folder / "checkpoints" / name).exists()]
    if not names:
        return
    path = folder / "checkpoints" / random.choice(names)
    old = path.read_text(encoding="utf-8", errors="replace")
    rows = old.splitlines(keepends=True)
    if not rows:
        return
    line = random.choice(["— somebody.else AAAAAAAAAAAA\n", rows[-1], rows[-1].replace("A", "B", 1), "— no\n", "x\n"])
    new = random.choice([old + line, "".join(rows[:-1]) + line, old.replace(random.choice(rows), "", 1)])
    path.write_text(new, encoding="utf-8")
    for proof in folder.glob("proofs/*"):
        text = proof.read_text(encoding="utf-8", errors="replace")
        proof.write_text(text.replace(old, new), encoding="utf-8")


def with_manifest(folder: Path, change: Callable[[dict[str, object]], dict[str, object]]) -> None:
    path = folder / "manifest.json"
    path.write_bytes(canonical.render(change(json.loads(path.read_bytes()))))


MUTATIONS: tuple[Callable[[Path, Path, Random], None], ...] = (
    flip,
    cut,
    remove,
    add_file,
    of_another,
    lines,
    swap_proofs,
    hide,
    edit,
    rewrite,
    manifest,
    signature,
)


def mutate(folder: Path, other: Path, random: Random) -> str:
    """Change a bundle in one way, if an earlier change left it something to change; return the name of the way."""
    chosen = random.choice(MUTATIONS)
    with suppress(OSError, ValueError, KeyError, TypeError, IndexError, LedgerError):
        chosen(folder, other, random)
    return chosen.__name__
