"""Strict YAML with positions: every scalar is text, nothing is shared, nothing is guessed. The only home of PyYAML.

A document is one tree of `Node`. Refused: anchors, aliases, tags, merge keys, duplicate or structured keys, a second
document, control and bidirectional characters, anything but UTF-8 without a byte order mark, and trees beyond `Bounds`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from provisioner.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How large a file may be: bytes, levels of nesting, and nodes (keys included)."""

    size: int = 256 * 1024
    depth: int = 20
    nodes: int = 10_000


@dataclass(frozen=True, slots=True)
class Mark:
    """A position in a file, both counted from 1."""

    line: int
    col: int


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file: text, None (`null`, `~` or nothing), a list or a mapping; `keys` says where its keys are."""

    mark: Mark
    value: str | tuple[Node, ...] | dict[str, Node] | None
    keys: dict[str, Mark] | None = None


_CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff"
_DECEIVING = "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069"
_REFUSED = re.compile(f"[{_CONTROL}{_DECEIVING}]")
_NULLS = ("", "~", "null")
_SENTENCES = {
    "found character that cannot start any token": "a character that cannot start a value; put the text in quotes",
    "could not find expected ':'": "a key without a colon after it",
    "mapping values are not allowed in this context": "a second colon on the line; put the text in quotes",
}


def parse(data: bytes, *, file: str, bounds: Bounds) -> Node:
    """Given a file's bytes and its name for messages, return its one document (None when it is empty).

    Raises ConfigurationError with `file:line:col` for whatever this module refuses.
    """
    if len(data) > bounds.size:
        raise _error(file, None, f"is longer than the {bounds.size // 1024} KiB that are allowed")
    text = _decoded(data, file)
    bad = _REFUSED.search(text)
    if bad is not None:
        raise _error(file, _mark_at(text, bad.start()), _refused_character(bad.group()))
    try:
        return _Reader(yaml.parse(text, Loader=yaml.CSafeLoader), file=file, bounds=bounds).document()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text=text, file=file) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _error(file, None, f"is not YAML: {error}".splitlines()[0]) from None


def _decoded(data: bytes, file: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _error(file, None, "is UTF-16; save it as UTF-8 without a byte order mark")
    if data.startswith(b"\xef\xbb\xbf"):
        raise _error(file, None, "starts with a byte order mark; save it as UTF-8 without one")
    if b"\x00" in data:
        raise _error(file, None, "contains a NUL byte; it is not a text file")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        message = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise _error(file, _mark_at(before, len(before)), message) from None


def _mark_at(text: str, index: int) -> Mark:
    lines = re.split(r"\r\n|[\r\n\x85]", text[:index])
    return Mark(len(lines), len(lines[-1]) + 1)


def _refused_character(character: str) -> str:
    kind = "deceives the eye" if re.match(f"[{_DECEIVING}]", character) else "is a control character"
    return f"the character U+{ord(character):04X} {kind}"


def _syntax_error(error: yaml.MarkedYAMLError, *, text: str, file: str) -> ConfigurationError:
    where = error.problem_mark or error.context_mark
    mark = Mark(where.line + 1, where.column + 1) if where else None
    lines = text.splitlines()
    line = lines[mark.line - 1] if mark and mark.line <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return _error(file, mark, "a tab in the indentation; use spaces")
    problem = str(error.problem or error.context or "").strip()
    return _error(file, mark, f"is not YAML: {_SENTENCES.get(problem, problem)}")


def _error(file: str, mark: Mark | None, message: str) -> ConfigurationError:
    line, col = (mark.line, mark.col) if mark else (0, 0)
    return ConfigurationError((Problem(file, line, col, "", message),))


class _Reader:
    """Builds the tree from the parser's events, within the bounds; the recursion is bounded by `bounds.depth`."""

    def __init__(self, events: Iterator[Any], *, file: str, bounds: Bounds) -> None:
        self._events = events
        self._file = file
        self._bounds = bounds
        self._count = 0

    def document(self) -> Node:
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return Node(Mark(1, 1), None)
        root = self._node(next(self._events), depth=1)
        next(self._events)
        end = next(self._events)
        if not isinstance(end, yaml.StreamEndEvent):
            raise _error(self._file, _mark(end), "a second document; one file holds one")
        return root

    def _node(self, event: Any, *, depth: int) -> Node:
        self._check(event, depth=depth)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(following := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(following, depth=depth + 1))
            return Node(_mark(event), tuple(items))
        return self._mapping(event, depth=depth)

    def _check(self, event: Any, *, depth: int) -> None:
        self._count += 1
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _error(self._file, _mark(event), "anchors (&) and aliases (*) are not allowed; write the value out")
        if event.tag is not None:
            advice = "keep secrets in a file of their own that ansible-vault encrypts" if "vault" in event.tag else ""
            message = f"tags such as {ascii(event.tag)[1:-1]} are not allowed"
            raise _error(self._file, _mark(event), f"{message}; {advice}" if advice else message)
        if depth > self._bounds.depth:
            raise _error(self._file, _mark(event), f"nested deeper than {self._bounds.depth} levels")
        if self._count > self._bounds.nodes:
            raise _error(self._file, _mark(event), f"more than {self._bounds.nodes} values")

    def _scalar(self, event: Any) -> Node:
        bad = _REFUSED.search(event.value)
        if bad is not None:
            raise _error(self._file, _mark(event), _refused_character(bad.group()))
        return Node(_mark(event), None if not event.style and event.value in _NULLS else event.value)

    def _mapping(self, event: Any, *, depth: int) -> Node:
        values: dict[str, Node] = {}
        marks: dict[str, Mark] = {}
        while not isinstance(following := next(self._events), yaml.MappingEndEvent):
            key = self._key(following, depth=depth + 1)
            if key.value in values:
                first = marks[key.value].line
                raise _error(self._file, key.mark, f"the key {key.value!a} is here twice; first on line {first}")
            marks[key.value] = key.mark
            values[key.value] = self._node(next(self._events), depth=depth + 1)
        return Node(_mark(event), values, marks)

    def _key(self, event: Any, *, depth: int) -> _Key:
        node = self._node(event, depth=depth)
        if not isinstance(node.value, str):
            raise _error(self._file, node.mark, "a key must be text")
        if node.value == "<<" and not event.style:
            raise _error(self._file, node.mark, "merge keys (<<) are not allowed; write the values out")
        return _Key(node.mark, node.value)


@dataclass(frozen=True, slots=True)
class _Key:
    mark: Mark
    value: str


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)
