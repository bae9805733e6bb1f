"""A document: a parsed file with its name, able to say where in it something is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from provisioner.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.config.yaml import Mark, Node

Loc = tuple[str | int, ...]
"""A path into a document: keys of mappings and indices of lists."""


@dataclass(frozen=True)
class Document:
    """A file's tree. A `secret` one (it was a vault) never shows its values in messages."""

    file: str
    root: Node
    secret: bool = False

    def problem(self, loc: Loc, message: str) -> Problem:
        """Given a path and a sentence, return the problem at the value there, or at the nearest thing that exists."""
        mark = self._value_mark(loc)
        return self._problem(mark, loc, message)

    def key_problem(self, loc: Loc, message: str) -> Problem:
        """Given a path whose last part is a key, return the problem at that key."""
        keys = self._nearest(loc[:-1]).keys or {}
        return self._problem(keys.get(str(loc[-1])) or self._value_mark(loc[:-1]), loc, message)

    def _problem(self, mark: Mark, loc: Loc, message: str) -> Problem:
        text = message.split(", found ")[0] if self.secret else message
        return Problem(self.file, mark.line, mark.col, dotted(loc), text)

    def _value_mark(self, loc: Loc) -> Mark:
        return self._nearest(loc).mark

    def at(self, loc: Loc) -> Node | None:
        """Given a path, return the value there, or None when nothing is."""
        node: Node | None = self.root
        for part in loc:
            node = _child(node, part)
        return node

    def _nearest(self, loc: Loc) -> Node:
        node = self.root
        for part in loc:
            child = _child(node, part)
            if child is None:
                break
            node = child
        return node


def _child(node: Node | None, part: str | int) -> Node | None:
    value = node.value if node else None
    if isinstance(value, tuple) and isinstance(part, int) and part < len(value):
        return value[part]
    return value.get(part) if isinstance(value, dict) and isinstance(part, str) else None


def dotted(loc: Loc) -> str:
    """Given a path, return it as messages show it: `objectives[0].target`."""
    parts = []
    for part in loc:
        if isinstance(part, int):
            parts.append(f"[{part}]")
        else:
            parts.append(f".{part}" if re.fullmatch(r"[\w-]+", part, re.ASCII) else f"[{part!a}]")
    return "".join(parts).removeprefix(".")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Given a word nobody knows and those that are known, return `; did you mean x?`, or nothing when none is close."""
    close = get_close_matches(word[:100], sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Given problems, return each once, in the order of the files."""
    return tuple(sorted(set(problems), key=lambda problem: (problem.file, problem.line, problem.col, problem.message)))


def refuse(problems: Iterable[Problem]) -> None:
    """Given problems, raise them all as one ConfigurationError; do nothing for none."""
    found = ordered(problems)
    if found:
        raise ConfigurationError(found)
