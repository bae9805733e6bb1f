"""Secrets that are planted, and the search for them: in files, in processes, on a machine. Knows nothing of ours.

A secret has a random core of hex digits; whoever writes the secret down in whatever form writes one of its needles:
the core as it is (plain, URL-encoded, JSON-escaped), in hex, or what base64 makes of it at each of three places.
"""

from __future__ import annotations

import base64
import gzip
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

CORE = 18
"""Characters of a core; a multiple of three, so that base64 keeps most of it at each place."""


@dataclass(frozen=True)
class Secret:
    """One planted secret: where it was put, and its text."""

    kind: str
    text: str
    core: str

    @cached_property
    def needles(self) -> tuple[bytes, ...]:
        """What every form of it holds one of."""
        core = self.core.encode()
        coded = [base64.b64encode(b"\0" * shift + core).decode()[4:-4].encode() for shift in range(3)]
        return core, core.hex().encode(), core.hex().upper().encode(), *coded


def plant(kind: str, shape: str = "{}") -> Secret:
    """Return a new secret; `shape` says what stands around its core."""
    core = secrets.token_hex(CORE // 2)
    return Secret(kind, shape.format(core), core)


def plant_key(kind: str) -> Secret:
    """Return a new secret that is 32 random bytes in base64, as WireGuard's keys are."""
    text = base64.b64encode(secrets.token_bytes(32)).decode()
    return Secret(kind, text, text[8:26])


def found(planted: Iterable[Secret], data: bytes) -> list[str]:
    """Return the kinds of the secrets that some form of is in the data."""
    return [secret.kind for secret in planted if any(needle in data for needle in secret.needles)]


def in_files(planted: Iterable[Secret], *places: Path) -> list[str]:
    """Return `kind: path` for every secret in a file, or in the name of one, at or under the places; gzip opened."""
    known, hits = tuple(planted), list[str]()
    for place in places:
        for path in sorted([place, *place.rglob("*")]):
            data = str(path).encode()
            if path.is_file() and not path.is_symlink():
                data += path.read_bytes()
            if data.endswith(b".gz") or path.suffix == ".gz":
                data += gzip.decompress(path.read_bytes())
            hits += [f"{kind}: {path}" for kind in found(known, data)]
    return hits


def on_machine(planted: Iterable[Secret], run: Callable[[str, str], str]) -> list[str]:
    """Return `kind: path` for every secret in a file of a machine, and `kind: journal`.

    `run(script, given)` runs a shell script there as root with `given` on its standard input.
    """
    known = {secret.kind: secret for secret in planted}
    of = {needle.decode(): kind for kind, secret in known.items() for needle in secret.needles}
    given, hits = "\n".join(of), set[str]()
    for script in (FILES, JOURNAL):
        rows = (line.rpartition(":") for line in run(script, given).splitlines())
        hits |= {f"{of[needle]}: {path or 'journal'}" for path, _, needle in rows if needle in of}
    return sorted(hits)


FILES = "grep -raoF --exclude-dir=proc --exclude-dir=sys -f - / 2>/dev/null || test $? -lt 3"
JOURNAL = "exec 3<&0; journalctl --all --output=export --no-pager | grep -aoF -f /dev/fd/3 || test $? -lt 2"


def unexpected(hits: Iterable[str], allowed: Mapping[str, str]) -> list[str]:
    """Return the hits `kind: path` but those whose path matches the pattern that `allowed` has for their kind."""
    pairs = ((hit, *hit.split(": ", 1)) for hit in hits)
    return [hit for hit, kind, path in pairs if not re.fullmatch(allowed.get(kind, "(?!)"), path)]


@dataclass
class Watcher:
    """Looks, again and again until it is left, at every process's command line and environment, and at one file.

    `inherited` are kinds that a process has in its environment because the caller put them there: they are looked for
    in the environments of processes whose command line has one of `never` only.
    """

    planted: tuple[Secret, ...]
    file: Path
    inherited: frozenset[str] = frozenset()
    never: tuple[bytes, ...] = (b"ansible-playbook",)
    hits: set[str] = field(default_factory=set)
    rounds: int = 0

    def __post_init__(self) -> None:
        self._seen = set[bytes]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.is_set():
            self.look()
            time.sleep(0.05)

    def look(self) -> None:
        """Look once; what was looked at before is passed over."""
        self.rounds += 1
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
            except OSError:
                continue
            if self._is_new(command + b"\n" + environment):
                self._search(command, environment)
        data = self.file.read_bytes() if self.file.exists() else b""
        if self._is_new(data):
            self.hits |= {f"{kind}: {self.file.name}" for kind in found(self.planted, data)}

    def _is_new(self, data: bytes) -> bool:
        size, digest = len(self._seen), sha256(data).digest()
        self._seen.add(digest)
        return len(self._seen) > size

    def _search(self, command: bytes, environment: bytes) -> None:
        self.hits |= {f"{kind}: command line" for kind in found(self.planted, command)}
        ours = any(word in command for word in self.never)
        kinds = found(self.planted, environment)
        self.hits |= {f"{kind}: environment" for kind in kinds if ours or kind not in self.inherited}
