"""A person's name in a text: found as whole words, however it is typed, and blanked. Pure.

Names compare by canonical caseless matching (Unicode 16, definition D145): NFD(casefold(NFD(name))).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from unicodedata import category, combining, normalize

if TYPE_CHECKING:
    from collections.abc import Iterable

ERASED = "[erased]"
"""What stands where a text named a person."""

_APOSTROPHES = str.maketrans({"\u2019": "'", "\u02bc": "'"})


def same_name(one: str, other: str) -> bool:
    """Whether two names are the same but for letter case, the way accents are encoded, and blank space."""
    return _key(one) == _key(other)


def occurrences(text: str, words: str) -> list[tuple[int, int]]:
    """Given a text and a name (or other words), return where it stands as whole words, as [start, stop) in the text.

    Any blank space between the words counts, line breaks too, and an apostrophe may be doubled, as YAML writes it in
    single quotes. At a letter of a script without letter case (category Lo), such as Han, a word may begin or end.
    """
    wanted = _key(words)
    if not wanted:
        return []
    folded, spans, at = _folded(text), list[tuple[int, int]](), 0
    pattern = re.compile(r"\s+".join(re.escape(word).replace("'", "''?") for word in wanted.split(" ")))
    while match := pattern.search(folded, at):
        start, stop = match.span()
        at = start + 1
        if not (_inside(wanted[0], folded[start - 1 : start]) or _inside(wanted[-1], folded[stop : stop + 1])):
            spans.append((start, stop))
    places = _places(text) if spans else []
    return [(places[start][0], places[stop - 1][1]) for start, stop in spans]


def blanked(text: str, phrases: Iterable[str]) -> str:
    """Given a text, return it with every phrase in it, found as `occurrences` does, replaced by ERASED."""
    parts, end = list[str](), 0
    for start, stop in sorted(span for words in phrases for span in occurrences(text, words)):
        if start >= end:
            parts += [text[end:start], ERASED]
        end = max(end, stop)
    return "".join([*parts, text[end:]])


def _key(words: str) -> str:
    return " ".join(_folded(words).split())


def _folded(text: str) -> str:
    return normalize("NFD", normalize("NFD", text).casefold()).translate(_APOSTROPHES)


def _places(text: str) -> list[tuple[int, int]]:
    """For each character of the folded text, the place in `text` of the letter it comes from, accents included."""
    places, start = list[tuple[int, int]](), 0
    while start < len(text):
        stop = start + 1
        while stop < len(text) and combining(text[stop]):
            stop += 1
        places += [(start, stop)] * len(_folded(text[start:stop]))
        start = stop
    return places


def _inside(edge: str, beyond: str) -> bool:
    """Whether the word that ends with `edge` goes on with `beyond`."""
    return bool(beyond) and _is_word(beyond) and _is_word(edge) and category(edge) != "Lo"


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_" or category(char).startswith("M")
