#!/usr/bin/env python3
"""Verify a bundle that `invoke audit.export` wrote, with Python 3.9 or later and its standard library alone.

    python3 verify.py [FOLDER or BUNDLE.tar.gz] [--checkpoint FILE] [--key-fingerprint HEX] [--witness VKEY]

Says OK (exit code 0), or TAMPERED and the first bad entry (7); 2 if it cannot look. The rules are those of
docs/reference/bundle_format.md of provisioner: RFC 9162, 8032 (Ed25519), 8785 (no floats), C2SP notes and proofs.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import re
import shutil
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

WHOLE, UNPACKED = 2**24, 2**32  # bytes: of a line or a file that is read whole; of an archive
CITED = re.compile(rb'"((?:op-|pv-)?[0-9a-f]{16,64})"')
SALT = re.compile("[0-9a-f]{32}")
NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
CLIENT = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
MEMBER = re.compile(CLIENT + r"(/[A-Za-z][a-z]+)?/[A-Za-z0-9]+\.[a-z-]+")
PROOF = re.compile(r"([0-9]{10}|[1-9][0-9]{10,18})\.tlog-proof")
COSIGNED, STEPS = "checkpoints/newest.cosigned", "checkpoints/consistency.jsonl"

MANIFEST: dict[str, type] = {"indices": list, "origin": str, "scope": dict, "size": int, "v": int}
ENTRY = {"at": str, "body": dict, "index": int, "kind": str, "operator": str, "salt": str, "v": int}
DETAIL: dict[str, type] = {"field": str, "reference": str, "salt": str, "value": str}
STEP: dict[str, type] = {"proof": list, "root": str, "size": int}
PERIOD, INTERVENTION = {"first": int, "last": int, "since": str, "until": str}, {"intervention": str}


class Bad(Exception):
    """The bundle is not what was signed: why, from which entry on (None: not said), and whether a tree says so."""

    def __init__(self, why: object, index: int | None = None, tree: bool = False) -> None:
        super().__init__(why)
        self.index, self.tree = index, tree


@contextmanager
def blaming(what: str, index: int | None = None) -> Iterator[None]:
    """Say of an error of the parsers which part of the bundle it comes from."""
    try:
        yield
    except Bad as error:
        raise Bad(error, index if error.index is None else error.index, error.tree) from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Bad(f"{what}: {error}", index) from error


def refuse(bad: object, why: object) -> None:
    if bad:
        raise ValueError(why)


P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int, int, int]


def add(a: Point, b: Point) -> Point:
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def point(data: bytes) -> Point | None:
    number = int.from_bytes(data, "little")
    y, odd = (number & (2**255 - 1)) % P, number >> 255
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if (v * x * x + u) % P == 0:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (v * x * x - u) % P:
        return None
    x = x if x % 2 == odd else -x % P
    return x, y, 1, x * y % P


BASE = point(bytes.fromhex("58" + "66" * 31)) or (0, 1, 1, 0)


def signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is that of `message` under `public`: cofactorless, S below L, R as bytes, as OpenSSL does."""
    key, s = point(public), int.from_bytes(signature[32:], "little")
    if key is None or len(signature) != 64 or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    minus = (-key[0] % P, key[1], 1, -key[3] % P)
    summands, total = (BASE, minus, add(BASE, minus)), (0, 1, 1, 0)
    for bit in reversed(range(253)):
        total, chosen = add(total, total), (s >> bit & 1) + 2 * (h >> bit & 1)
        total = add(total, summands[chosen - 1]) if chosen else total
    inverse = pow(total[2], P - 2, P)
    x, y = total[0] * inverse % P, total[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def included(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """Return the root of the tree of `size` that has leaf hash `leaf` at `index` by this path, None if it fits none."""
    if size <= 1 or not path:
        return leaf if (index, size, path) == (0, 1, []) else None
    middle, outer = 1 << ((size - 1).bit_length() - 1), path[-1]
    if index < middle:
        inner = included(leaf, index, middle, path[:-1])
        return inner and sha256(b"\x01", inner, outer)
    inner = included(leaf, index - middle, size - middle, path[:-1])
    return inner and sha256(b"\x01", outer, inner)


def grown(old: int, root: bytes, size: int, path: list[bytes], whole: bool = True) -> tuple[bytes, bytes] | None:
    """Return the roots of the old tree (said to be `root`) and of the one of `size` by this path, if it fits."""
    if old == size:
        return None if not old or len(path) != (not whole) else (root, root) if whole else (path[0], path[0])
    if not path or not 0 < old < size:
        return None
    middle, outer = 1 << ((size - 1).bit_length() - 1), path[-1]
    if old <= middle:
        inner = grown(old, root, middle, path[:-1], whole)
        return inner and (inner[0], sha256(b"\x01", inner[1], outer))
    inner = grown(old - middle, root, size - middle, path[:-1], False)
    return inner and (sha256(b"\x01", outer, inner[0]), sha256(b"\x01", outer, inner[1]))


def canonical(line: bytes, form: dict[str, type]) -> dict[str, Any]:
    """Return the object whose one canonical form (RFC 8785, no floats) is `line`, with members of these types."""

    def integer(text: str) -> int:
        refuse(len(text) > 17 or abs(int(text)) >= 2**53, "an integer is beyond 2**53 - 1")
        return int(text)

    def ordered(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key.encode("utf-16-be", "surrogatepass") for key, _ in pairs]
        refuse(any(before >= after for before, after in zip(keys, keys[1:])), "keys are repeated or out of order")
        return dict(pairs)

    hooks = {"parse_int": integer, "parse_float": integer, "parse_constant": integer}
    value = json.loads(line.decode(), object_pairs_hook=ordered, **hooks)  # type: ignore[arg-type]
    refuse(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() != line, "not canonical JSON")
    found = {name: type(item) for name, item in value.items()} if isinstance(value, dict) else None
    refuse(found != form, "not an object of format version 1")
    return dict(value)


def moment(text: object) -> datetime:
    at = datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%S.%f%z" if "." in str(text) else "%Y-%m-%dT%H:%M:%S%z")
    refuse(f"{at.replace(tzinfo=None).isoformat()}Z" != text, "not an instant such as 2026-11-23T14:00:00Z")
    return at


def entry_of(line: bytes) -> dict[str, Any]:
    entry = canonical(line, ENTRY)
    refuse(entry["v"] != 1 or entry["index"] < 0 or not SALT.fullmatch(entry["salt"]), "not an entry of version 1")
    return {**entry, "at": moment(entry["at"])}


class Key(NamedTuple):
    """A verifier key: `kind` is its type byte, `start` the entry that brought it, `end` that of the next key."""

    name: str
    public: bytes
    kind: bytes = b"\x01"
    start: int = 0
    end: int | None = None

    def id(self) -> bytes:
        return sha256(self.name.encode(), b"\n", self.kind, self.public)[:4]

    def render(self) -> str:
        return f"{self.name}+{self.id().hex()}+{base64.b64encode(self.kind + self.public).decode()}"

    def files(self) -> dict[str, bytes]:
        """Return what lies in keys/: the vkey, and a PEM SubjectPublicKeyInfo (RFC 8410)."""
        der, stem = bytes.fromhex("302a300506032b6570032100") + self.public, f"{self.start:010d}"
        pem = f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(der).decode()}\n-----END PUBLIC KEY-----\n"
        return {f"{stem}.vkey": f"{self.render()}\n".encode(), f"{stem}.pem": pem.encode()}


class Note(NamedTuple):
    """A signed note: its form, its text, its signature lines (name, key id, bytes); the last three of a checkpoint."""

    form: str
    text: str
    lines: list[tuple[str, bytes, bytes]]
    origin: str = ""
    size: int = 0
    root: bytes = b""

    def by(self, key: Key) -> list[bytes]:
        return [value for name, identity, value in self.lines if (name, identity) == (key.name, key.id())]

    def signed_by(self, key: Key) -> bool:
        """Whether the key signed the text: one line at least, and each of its lines verifies."""
        return bool(self.by(key)) and all(signed(key.public, self.text.encode(), value) for value in self.by(key))

    def cosigned_by(self, key: Key) -> datetime | None:
        """Return when a witness cosigned, the earliest if often; None if it did not or a line does not verify."""
        times = [int.from_bytes(value[:8], "big") for value in self.by(key)]
        said = [f"cosignature/v1\ntime {time}\n{self.text}".encode() for time in times]
        if not all(signed(key.public, text, value[8:]) for text, value in zip(said, self.by(key))):
            return None
        return datetime.fromtimestamp(min(times), timezone.utc) if 0 < min(times, default=0) < 253402300800 else None


def unbase64(text: Any, size: int | None = None) -> bytes:
    data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    refuse(base64.b64encode(data).decode() != text or size not in (None, len(data)), "not that many bytes in base64")
    return data


def key_of(text: Any, kind: bytes = b"\x01") -> Key:
    name, _, encoded = (str(text) + "++").split("+", 2)
    key = Key(name, unbase64(encoded[:-2], 33)[1:], kind)
    refuse(not re.fullmatch(r"[^\s+]+", name) or key.render() != text, "not a verifier key (name+id+base64)")
    return key


def note_of(form: str) -> Note:
    text, blank, tail = form.rpartition("\n\n")
    found = [re.fullmatch(r"\u2014 ([^\s+]+) (\S+)", line) for line in tail[:-1].split("\n")]
    lines = [(match[1], unbase64(match[2])[:4], unbase64(match[2])[4:]) for match in found if match]
    shaped = blank and tail[-1:] == "\n" and all(found) and all(value for _, _, value in lines)
    refuse(not shaped or len(form) > 10**6 or re.search("[\x00-\x09\x0b-\x1f]", form), "not a signed note")
    return Note(form, text + "\n", lines)


def checkpoint_of(form: str) -> Note:
    note = note_of(form)
    lines = note.text.split("\n")[:-1]
    refuse(len(lines) < 3 or not all(lines) or not NUMBER.fullmatch(lines[1]), "not a checkpoint")
    return note._replace(origin=lines[0], size=int(lines[1]), root=unbase64(lines[2], 32))


def proof_of(form: str) -> tuple[int, list[bytes], str]:
    (title, *lines), blank, note = form.partition("\n\n")[0].split("\n"), *form.partition("\n\n")[1:]
    if lines and lines[0].startswith("extra "):
        unbase64(lines.pop(0)[6:])
    index = lines.pop(0) if lines else ""
    named = title == "c2sp.org/tlog-proof@v1" and index[:6] == "index " and NUMBER.fullmatch(index[6:])
    refuse(not blank or not named, "not a tlog-proof")
    return int(index[6:]), [unbase64(line, 32) for line in lines], note


def next_keys(keys: list[Key], entry: dict[str, Any], origin: str) -> list[Key]:
    """Return the keys of the log after a `key` entry, which the key before vouches for."""
    body, index, name = entry["body"], entry["index"], f"{origin}/rotation"
    new = key_of(body.get("key"))._replace(start=index)
    if entry["kind"] != "key" or new.name != origin or body.get("fingerprint") != sha256(new.public).hex():
        raise ValueError(f"not the public key of {origin}")
    if not keys:
        return [new]
    old, known = keys[-1], [key.public for key in keys]
    reasoned = body.get("previous") == sha256(old.public).hex() and body.get("reason") in ("rotation", "compromise")
    note = note_of(str(body.get("note")))
    vouched = note.text == f"{name}\n{index}\n{new.render()}\n" and note.signed_by(old._replace(name=name))
    refuse(new.public in known or not reasoned or not vouched, "a change of key that the key before did not sign")
    return [*keys[:-1], old._replace(end=index), new]


def misfit(checkpoint: Note, keys: list[Key], origin: str) -> str:
    """Say why no key that may sign so many entries signed a checkpoint, empty if one did."""
    able = [key for key in keys if key.start < checkpoint.size and (key.end is None or checkpoint.size <= key.end + 1)]
    fits = checkpoint.origin == origin and any(checkpoint.signed_by(key) for key in able)
    return "" if fits else f"the checkpoint of {checkpoint.size} entries was not signed by the key of {origin}"


class Bundle:
    """An unpacked bundle. Methods raise Bad where it is not as it was signed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.keys, self.cited = folder, list[Key](), set[str]()
        with blaming("manifest.json"):
            self.check_manifest(canonical(self.read("manifest.json"), MANIFEST))
        self.newest = self.proven = self.checkpoint("checkpoints/newest.checkpoint")
        if (folder / COSIGNED).exists():
            self.proven = self.checkpoint(COSIGNED)
        if (self.newest.origin, self.newest.size, self.proven.text) != (self.origin, self.size, self.newest.text):
            raise Bad("the checkpoint is not the one that manifest.json names")
        self.indices = sorted(int(path.stem) for path in folder.glob("proofs/*") if PROOF.fullmatch(path.name))

    def read(self, name: str) -> bytes:
        path = self.folder / name
        if not path.is_file() or path.is_symlink() or path.stat().st_size > WHOLE:
            raise Bad(f"{name} is missing or too large")
        return path.read_bytes()

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file without their ends; one without an end is empty."""
        if not (self.folder / name).is_file() or (self.folder / name).is_symlink():
            raise Bad(f"{name} is missing")
        with (self.folder / name).open("rb") as file:
            for line in iter(lambda: file.readline(WHOLE), b""):
                yield line[:-1] if line.endswith(b"\n") else b""

    def records(self, name: str, form: dict[str, type]) -> Iterator[dict[str, Any]]:
        return (canonical(line, form) for line in self.lines(name))

    def checkpoint(self, name: str) -> Note:
        with blaming(name):
            return checkpoint_of(self.read(name).decode())

    def check_manifest(self, manifest: dict[str, Any]) -> None:
        self.ranges, self.origin, self.scope, self.size, version = (manifest[name] for name in MANIFEST)
        scope, form = self.scope, {name: type(item) for name, item in self.scope.items()}
        named = re.fullmatch(f"provisioner/{CLIENT}", self.origin)
        refuse(version != 1 or form not in (PERIOD, INTERVENTION) or not named, "not a manifest of format version 1")
        if not 0 <= scope.get("first", 0) <= scope.get("last", 0) < self.size or scope.get("intervention") == "":
            raise ValueError("the scope names nothing in the log")
        list(map(moment, filter(None, (scope.get("since"), scope.get("until")))))

    def foreign(self, entry: dict[str, Any]) -> str:
        if "intervention" in self.scope:
            own = entry["kind"] == "key" or entry["body"].get("intervention") == self.scope["intervention"]
            return "" if own else "not of this intervention"
        first, last, since, until = (self.scope[name] for name in sorted(PERIOD))
        inside = (not since or entry["at"] >= moment(since)) and (not until or entry["at"] < moment(until))
        if entry["index"] in (first, last) and not inside:
            return "the period neither begins nor ends here"
        if entry["index"] in (first - 1, last + 1):
            return "of the period, which is said not to reach here" if inside else ""
        return "" if first <= entry["index"] <= last or entry["kind"] == "key" else "not of this period"

    def check_entry(self, index: int, line: bytes, before: int) -> Bad | None:
        """Hold a line, the one after entry `before`, against place, scope and key before; return what the tree says."""
        with blaming(f"entry {index}", index):
            entry = entry_of(line)
            if before < entry["index"] < index:
                raise Bad(f"entry {entry['index']} has no proof", entry["index"])
            why = self.foreign(entry) or f"entry {entry['index']} stands in its place"
            refuse(entry["index"] != index or self.foreign(entry), why)
            if index == 0 or entry["kind"] == "key":
                self.keys = next_keys(self.keys, entry, self.origin)
            place, path, form = proof_of(self.read(f"proofs/{index:010d}.tlog-proof").decode())
            refuse(place != index, f"the proof is that of entry {place}")
        self.cited.update(text.decode() for text in CITED.findall(line))
        if form == self.proven.form and included(sha256(b"\x00", line), index, self.size, path) == self.newest.root:
            return None
        return Bad(f"entry {index} is not in the tree of the checkpoint", index, tree=True)

    def check_entries(self) -> Bad | None:
        """Return what is wrong with the first entry that is bad or missing, None if none is."""
        bad, before, lines, there = None, -1, self.lines("entries.jsonl"), set(self.indices)
        try:
            for index in self.indices:
                found = self.check_entry(index, next(lines, b""), before)
                bad, before = bad or found, index
            if next(lines, None) is not None:
                raise Bad(f"entries.jsonl goes on after entry {before}")
        except Bad as error:
            bad = Bad(bad, bad.index) if bad else error
        due = range(max(self.scope.get("first", 0) - 1, 0), min(self.scope.get("last", -1) + 2, self.size))
        missing = next((index for run in (range(1), due) for index in run if index not in there), None)
        if missing is not None and (bad is None or bad.index is None or missing < bad.index):
            return Bad(f"entry {missing} is missing", missing)
        return bad

    def check_files(self) -> None:
        there = set(self.indices)
        starts = [index for index in self.indices if index - 1 not in there]
        ends = [index for index in self.indices if index + 1 not in there]
        if self.ranges != [list(pair) for pair in zip(starts, ends)]:
            raise Bad("manifest.json names other entries than are there")
        if "intervention" in self.scope and len(self.indices) == len(self.keys):
            raise Bad("no entry is of this intervention")
        if any(self.read(f"keys/{name}") != data for key in self.keys for name, data in key.files().items()):
            raise Bad("the files in keys/ are not the keys that the entries bring")
        for path in self.folder.glob("contract/*"):
            digest = sha256(self.read(f"contract/{path.name}")).hex()
            if path.name != f"{digest}.yml" or digest not in self.cited:
                raise Bad(f"contract/{path.name} is not a text that an entry cites")
        if (self.folder / "details.jsonl").exists():
            self.check_details()
        if not all(same for _, same in self.steps()):
            raise Bad(f"{STEPS}: a step does not lead to the checkpoint")

    def check_details(self) -> None:
        with blaming("details.jsonl"):
            for detail in self.records("details.jsonl", DETAIL):
                reference, field, salt = detail["reference"], detail["field"], detail["salt"]
                given = f"pv-{sha256(bytes.fromhex(salt), detail['value'].encode()).hex()}"
                if field == "operator":  # whom a pseudonym stands for, nothing can prove
                    given = reference if reference[:3] == "op-" and not salt else ""
                elif field in ("contract", "contract_redacted") or not SALT.fullmatch(salt):
                    given = ""
                refuse(reference != given or reference not in self.cited, f"{reference!a} is not what an entry cites")

    def steps(self, kept: Note | None = None) -> Iterator[tuple[int, bool]]:
        """Yield the size of each older checkpoint, and whether its root, or the `kept` one's, leads to the newest."""
        with blaming(STEPS):
            for step in self.records(STEPS, STEP):
                root = kept.root if kept else unbase64(step["root"], 32)
                path = [unbase64(text, 32) for text in step["proof"]]
                size, both = step["size"], (root, self.newest.root)
                yield size, size < self.size and grown(size, root, self.size, path) == both

    def compare(self, asked: argparse.Namespace) -> Iterator[str]:
        kept, prints = asked.kept, [sha256(key.public).hex() for key in self.keys]
        if asked.fingerprint not in (None, *prints):
            raise Bad(f"the log's key has the fingerprint {prints[-1]}, not {asked.fingerprint}", 0)
        if asked.fingerprint:
            yield f"key fingerprint {asked.fingerprint}{'' if asked.fingerprint == prints[-1] else ' of an older key'}"
        if kept and (kept.origin != self.origin or kept.size > self.size):
            raise OSError(f"{asked.checkpoint} is of another log or newer than the bundle: nothing to compare")
        if kept:
            why = misfit(kept, self.keys, self.origin)
            same = (kept.size, kept.root) == (self.size, self.newest.root)
            if why or not (same or (kept.size, True) in self.steps(kept)):
                raise Bad(why or f"this log did not grow from the kept checkpoint of {kept.size} entries")
            yield f"checkpoint {asked.checkpoint} of {kept.size} entries"
        for witness in asked.witnesses:
            at = self.proven.cosigned_by(witness)
            if at is None:
                raise Bad(f"{witness.name!a} did not cosign the checkpoint")
            yield f"witness {witness.name!a} ({at:%Y-%m-%dT%H:%M:%SZ})"

    def examine(self, asked: argparse.Namespace) -> str:
        bad = self.check_entries()
        why = misfit(self.newest, self.keys, self.origin) or misfit(self.proven, self.keys, self.origin)
        bad = Bad(why) if why and (bad is None or bad.tree) else bad
        if bad:
            raise bad
        self.check_files()
        said = "; ".join(self.compare(asked)) or "self-consistent; nothing outside was compared"
        return f"{len(self.indices)} of {self.size} entries of {self.origin}; {said}"


class Regular(tarfile.TarInfo):  # noqa: D101 - no member of another kind is read: its header may be of any size
    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> Regular:
        member = super().frombuf(buf, encoding, errors)
        if member.type != tarfile.REGTYPE:
            raise tarfile.ReadError(f"it holds {member.name!a}, which is no regular file")
        return member


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack an archive that holds nothing but what a bundle has; return the one folder in it."""
    names, room = set[str](), UNPACKED
    try:
        with gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r|", tarinfo=Regular) as tar:
            for member in tar:
                room -= member.size
                if room < 0 or member.name in names or not MEMBER.fullmatch(member.name):
                    raise Bad(f"{archive.name} holds {member.name!a}, which no bundle does")
                names.add(member.name)
                (folder / member.name).parent.mkdir(parents=True, exist_ok=True)
                with tar.extractfile(member) as source, (folder / member.name).open("wb") as target:  # type: ignore
                    shutil.copyfileobj(source, target)
            while stream.read(WHOLE) and room > 0:
                room -= WHOLE
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
        raise Bad(f"{archive.name} cannot be unpacked: {error}") from error
    if len({name.partition("/")[0] for name in names}) != 1:
        raise Bad(f"{archive.name} does not hold one folder")
    return folder / names.pop().partition("/")[0]


def main() -> int:
    parser = argparse.ArgumentParser(description="Verify a bundle of a provisioner log; 0: OK, 7: TAMPERED.")
    parser.add_argument("bundle", nargs="?", type=Path, default=Path(__file__).parent, help="folder or archive")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint of this log that you kept")
    parser.add_argument("--key-fingerprint", dest="fingerprint", type=str.lower, help="SHA-256 of its key")
    parser.add_argument("--witness", dest="witnesses", action="append", default=[], help="vkey of a witness you trust")
    asked = parser.parse_args()
    try:
        asked.kept = checkpoint_of(asked.checkpoint.read_bytes().decode()) if asked.checkpoint else None
        asked.witnesses = [key_of(text, b"\x04") for text in asked.witnesses]
        with tempfile.TemporaryDirectory() as scratch:
            folder = asked.bundle if asked.bundle.is_dir() else unpack(asked.bundle, Path(scratch))
            said = Bundle(folder).examine(asked)
    except Bad as bad:
        print(f"{bad}\n" + ("" if bad.index is None else f"first bad entry: {bad.index}\n") + "TAMPERED")
        return 7
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(f"OK: {said} (a time stamp, if there is one, is not checked here: see VERIFY.md)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
