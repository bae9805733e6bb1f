"""Many lines of JSON at once: a line at a time costs more in calls than in reading."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BEFORE_COLON = (" :", "\t:", "\r:", "\n:")


def plain_objects(lines: Sequence[str], *, number: Callable[[str], object]) -> list[dict[str, Any]] | None:
    """Given lines, return the object of each when every line plainly is one flat object; None for a closer look.

    Whatever it returns is what reading each line by itself would, no key twice (RFC 8259). Two facts make that sure.
    Lines that each begin with `{`, without any `[`, are joined by a comma and a line end: inside an object that comma
    would need a key after it, inside a string the line end is refused, so each line begins an object at the top, and
    as many objects as lines are one on each. And a key ends in a quotation mark and a colon: where none of the colons
    has white space before it, there are no more keys than such pairs of characters.
    `number` is called with the text of each number.
    """
    text = ",\n".join(lines)
    if "[" in text or any(pair in text for pair in _BEFORE_COLON) or not all(line.startswith("{") for line in lines):
        return None
    try:
        found = json.loads(f"[{text}]", parse_int=number, parse_float=number, parse_constant=number)
    except (json.JSONDecodeError, RecursionError):
        return None
    if len(found) != len(lines) or text.count('":') != sum(map(len, found)):
        return None
    return found  # type: ignore[no-any-return]
