"""settings.yml: who outside vouches for checkpoints, who has figures, and where advisories are.

Strict like contract.yml: every problem with file:line:col.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from provisioner.config.decode import decode
from provisioner.config.document import Document, ordered, refuse
from provisioner.config.files import label, read_regular
from provisioner.config.yaml import Bounds, parse
from provisioner.errors import ConfigurationError
from provisioner.model.encoding import from_base64
from provisioner.model.values import Duration, SomeElapsed, Text, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.errors import Problem


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.username is not None or parts.query or parts.fragment:
        raise ValueError(
            f"expected an address such as https://w1.example/, without login or query, found {shown(text)}"
        )
    return text.rstrip("/")


def _witness_key(text: str) -> str:
    name, identity, encoded = text.split("+", 2)
    material = from_base64(encoded)
    if len(material) != 33 or material[0] != 4:
        raise ValueError("this is not a witness's key: copy the line that `invoke audit.witness --init` printed")
    if sha256(name.encode() + b"\n" + material).hexdigest()[:8] != identity:
        raise ValueError("the key's id does not match its name and bytes: copy the whole line")
    return text


_STEP = Duration(5, "m")
_WEEK = Duration(7, "d")
_URL = Annotated[str, Text(_url, r"[!-~]{1,500}", "an address such as https://w1.example")]
_KEY = Annotated[
    str, Text(_witness_key, r"[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", "a witness's key such as w1.example+01234567+BA…")
]
_FILE = Annotated[Path, Text(Path, r"\S.{0,498}\S|\S", "the path of a file")]
_FOLDER = Annotated[Path, Text(Path, r"\S.{0,498}\S|\S", "the path of a folder")]


@dataclass(frozen=True, kw_only=True)
class WitnessSettings:
    """A witness that is asked for a cosignature: the prefix of its address, and its C2SP vkey (type 4)."""

    url: _URL
    key: _KEY


@dataclass(frozen=True, kw_only=True)
class TimestampSettings:
    """The time-stamp service that is asked, and the PEM file of the roots it is held against (absolute once loaded)."""

    url: _URL
    authorities: _FILE


@dataclass(frozen=True, kw_only=True)
class PrometheusSettings:
    """The Prometheus that objectives take figures from, and how far apart the values are that it is asked for."""

    url: _URL
    step: SomeElapsed = _STEP


@dataclass(frozen=True, kw_only=True)
class AdvisorySettings:
    """The folder of advisories (absolute once loaded; None: `advisories` of the state folder), and when they are stale.

    A snapshot is stale once the instant at which its day began (UTC) is longer ago than `stale_after`.
    """

    folder: _FOLDER | None = None
    stale_after: SomeElapsed = _WEEK


@dataclass(frozen=True, kw_only=True)
class Outside:
    """Who outside vouches for the checkpoints of every client's log, who has figures of performance, and advisories."""

    witnesses: tuple[WitnessSettings, ...] = ()
    timestamp: TimestampSettings | None = None
    prometheus: PrometheusSettings | None = None
    advisories: AdvisorySettings = AdvisorySettings()


def load_outside(path: Path) -> Outside:
    """Given settings.yml, return what it says; an empty file says nothing.

    Raises ConfigurationError with every problem; a file of authorities or a folder that is not there is one.
    """
    file, bounds = label(path, folder=path.parent), Bounds()
    document = Document(
        file, parse(read_regular(path, folder=path.parent, limit=bounds.size), file=file, bounds=bounds)
    )
    if document.root.value is None:
        return Outside()
    found, problems = decode(Outside, document)
    if found is None:
        raise ConfigurationError(ordered(problems))
    refuse(_problems(found, document, folder=path.parent))
    said: Outside = found
    stamp, advisories = said.timestamp, said.advisories
    return replace(
        said,
        timestamp=stamp and replace(stamp, authorities=path.parent / stamp.authorities),
        advisories=replace(advisories, folder=advisories.folder and path.parent / advisories.folder),
    )


def _problems(found: Outside, document: Document, *, folder: Path) -> Iterator[Problem]:
    keys: set[str] = set()
    for index, witness in enumerate(found.witnesses):
        if witness.key in keys:
            yield document.problem(("witnesses", index, "key"), "this witness is named twice")
        keys.add(witness.key)
    if found.timestamp and not (folder / found.timestamp.authorities).is_file():
        yield document.problem(("timestamp", "authorities"), f"no such file beside {document.file}")
    if found.advisories.folder and not (folder / found.advisories.folder).is_dir():
        yield document.problem(("advisories", "folder"), f"no such folder beside {document.file}")
