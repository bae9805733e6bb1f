"""A file of service events, one JSON object a line: read strictly, every problem at once with its line and column."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from itertools import count, islice, repeat
from typing import TYPE_CHECKING, Any

from provisioner.config.document import did_you_mean, dotted
from provisioner.config.files import read_named
from provisioner.config.json_lines import plain_objects
from provisioner.config.service_events import readers
from provisioner.errors import ConfigurationError, Problem
from provisioner.model.record import Record
from provisioner.model.service_event import AssetEvent, BackupStatus, Drill, Scan, TicketEvent
from provisioner.model.values import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from provisioner.config.service_events import ServiceEvent, Shape

_FILE_LIMIT = 512 * 1024 * 1024
_LINE_LIMIT = 16 * 1024
_CHUNK = 512
_SHOWN = 50
_BLANK = " \t\r"

Pairs = list[tuple[str, Any]]


class _Refused(Exception):
    """A line that is no event: the key it is about (empty for the line), where in the line, and a sentence."""

    def __init__(self, *problems: tuple[str, int, str]) -> None:
        super().__init__()
        self.problems = problems


class _Twice(Exception):
    """A key that an object has twice."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


_NUMBER = object()
"""Stands for any number, NaN included: no key of an event holds one, so that none is ever computed."""


def load_events(path: Path) -> Record:
    """Given a path as somebody typed it, return what the file says happened.

    Raises ConfigurationError with the first 50 problems and how many more there are.
    """
    file = str(path) if str(path).isprintable() else ascii(str(path))[1:-1]
    data = read_named(path, name=file, limit=_FILE_LIMIT)
    return parse_events(_lines(data, file), file=file)


def parse_events(lines: Iterable[str], *, file: str) -> Record:
    """Given lines and the name that messages call them by, return what they say happened; blank ones say nothing.

    Each line is one JSON object, in the shape of its `kind` (contract.md, Events); places are line numbers from 1.
    Raises ConfigurationError like `load_events`. The order of events is not looked at here (rule 6 does).
    """
    reader = _Reader()
    events: dict[type, list[Any]] = defaultdict(list)
    problems: list[Problem] = []
    refusals = 0
    for place, line, body in _numbered(lines):
        try:
            event = reader.plain(body, place) or reader.event(line, place)
        except _Refused as refused:
            refusals += len(refused.problems)
            found = [
                Problem(file, place, col, dotted((key,)) if key else "", said) for key, col, said in refused.problems
            ]
            problems.extend(found[: _SHOWN - len(problems)])
        else:
            if event is not None:
                events[type(event)].append(event)
    if refusals > len(problems):
        problems.append(Problem(file, 0, 0, "", f"{refusals - len(problems)} more problems are not shown"))
    if problems:
        raise ConfigurationError(tuple(problems))
    return Record(
        origin=file,
        tickets=tuple(events[TicketEvent]),
        assets=tuple(events[AssetEvent]),
        scans=tuple(events[Scan]),
        backups=tuple(events[BackupStatus]),
        drills=tuple(events[Drill]),
    )


def located(record: Record, *, place: int, message: str) -> ConfigurationError:
    """Given what contradicts itself at a line of a record that was read here, return the error that says where."""
    return ConfigurationError((Problem(record.origin, place, 1, "", message),))


def _lines(data: bytes, file: str) -> Iterator[str]:
    """Yield the lines of a file, one at a time; ConfigurationError, before the first, for what is no UTF-8 text."""
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise _error(file, 1, 1, "starts with a byte order mark; save it as UTF-8 without one")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, col = data.count(b"\n", 0, error.start) + 1, error.start - data.rfind(b"\n", 0, error.start)
        byte = data[error.start]
        raise _error(file, line, col, f"byte 0x{byte:02x} is not UTF-8; save the file as UTF-8") from None
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield each line with its number from 1, and its object; an empty one where the line needs a closer look."""
    rest, place = iter(lines), 1
    while chunk := tuple(islice(rest, _CHUNK)):
        short = max(map(len, chunk)) <= _LINE_LIMIT
        bodies = plain_objects(chunk, number=_number) if short else None
        yield from zip(count(place), chunk, bodies or repeat({}))
        place += len(chunk)


def _error(file: str, line: int, col: int, message: str) -> ConfigurationError:
    return ConfigurationError((Problem(file, line, col, "", message),))


class _Reader:
    """Turns lines into events."""

    def __init__(self) -> None:
        self._shapes = readers()
        self._decoder = json.JSONDecoder(
            object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_number
        )

    def plain(self, body: dict[str, Any], place: int) -> ServiceEvent | None:
        """Return the event of an object, None for one that needs a closer look at its line."""
        kind = body.get("kind")
        shape = self._shapes.get(kind) if type(kind) is str else None
        if shape is None or type(kind) is not str:
            return None
        keys = shape.keys
        try:
            said = {key: keys[key](value) for key, value in body.items() if key != "kind"}
            for key in shape.needs:
                said[key]
            return shape.make(kind, place, said)
        except (KeyError, ValueError):
            return None

    def event(self, line: str, place: int) -> ServiceEvent | None:
        """Return the event of a line, None for a blank one; _Refused with every problem of the line otherwise."""
        if not line.strip(_BLANK):
            return None
        body = self._object(line)
        kind = body.pop("kind", None)
        shape = self._shapes.get(kind) if type(kind) is str else None
        if shape is None or type(kind) is not str:
            raise _Refused(self._no_kind(line, kind))
        said: dict[str, Any] = {}
        problems: list[tuple[str, int, str]] = []
        for key, value in body.items():
            read = shape.keys.get(key)
            if read is None:
                problems.append((key, _column(line, key), _unknown(key, kind, shape)))
                continue
            try:
                said[key] = read(value)
            except ValueError as error:
                problems.append((key, _column(line, key, value=True), str(error)))
        problems.extend((key, 1, f"an event {kind} needs this key") for key in shape.needs if key not in body)
        if problems:
            raise _Refused(*sorted(problems, key=lambda problem: problem[1]))
        try:
            return shape.make(kind, place, said)
        except ValueError as error:
            key, _, message = str(error).partition(": ")
            raise _Refused((key, _column(line, key, value=True), message)) from None

    def _object(self, line: str) -> dict[str, Any]:
        if len(line) > _LINE_LIMIT:
            raise _Refused(("", 1, f"is longer than the {_LINE_LIMIT // 1024} KiB that a line may have"))
        try:
            body = self._decoder.decode(line)
        except json.JSONDecodeError as error:
            raise _Refused(("", error.pos + 1, f"is not JSON: {_sentence(error, line)}")) from None
        except RecursionError:
            raise _Refused(("", 1, "is nested too deeply for an event")) from None
        except _Twice as error:
            raise _Refused((error.key, _column(line, error.key), "this key is here twice")) from None
        if not isinstance(body, dict):
            raise _Refused(("", 1, 'expected one JSON object a line, such as {"at": …, "kind": …}'))
        return body

    def _no_kind(self, line: str, kind: object) -> tuple[str, int, str]:
        known = ", ".join(self._shapes)
        if kind is None:
            return "kind", 1, f"this key is required: {known}"
        hint = did_you_mean(kind, self._shapes) if isinstance(kind, str) else ""
        found = f", found {shown(kind)}{hint}" if isinstance(kind, str) else ""
        return "kind", _column(line, "kind", value=True), f"expected one of {known}{found}"


def _object(pairs: Pairs) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _Twice(next(key for key in keys if keys.count(key) > 1))
    return found


def _number(_text: str) -> object:
    return _NUMBER


def _sentence(error: json.JSONDecodeError, line: str) -> str:
    found = line[error.pos : error.pos + 1]
    if error.msg.startswith("Invalid control character"):
        return f"the character U+{ord(found):04X} is a control character"
    return f"{error.msg}, found {found!a}" if found else f"{error.msg}, and the line ends here"


def _unknown(key: str, kind: str, shape: Shape) -> str:
    hint = did_you_mean(key, shape.keys)
    return f"unknown key{hint}" if hint else f"unknown key; an event {kind} has at, kind, {_others(shape)}"


def _others(shape: Shape) -> str:
    return ", ".join(key for key in shape.keys if key != "at")


def _column(line: str, key: str, *, value: bool = False) -> int:
    """Where in a line a key, or its value, begins; 1 when it is written in a way that is not found (an escape)."""
    match = re.search(r"(?<!\\)" + re.escape(json.dumps(key, ensure_ascii=False)) + r"\s*:\s*", line)
    if match is None:
        return 1
    return (match.end() if value else match.start()) + 1
