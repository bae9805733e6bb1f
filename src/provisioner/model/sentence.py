"""Sentence: English text that knows what it was made of, so that another language can say the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Sentence(str):
    """English text, made from a template and the values it names: `Sentence("{fee} a month", fee=fee)`.

    `str` of every value stands in it, instants as `2026-11-23T14:00:00Z`, lengths of time as `1 h 05 min`. Values are
    Money, Percentage, Duration, date, aware datetime, timedelta, a Sentence, an enumeration, a number or text.
    """

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, **values: object) -> Sentence:
        """Fill the template; KeyError when it names a value that is not given."""
        sentence = super().__new__(cls, template.format(**{name: _english(value) for name, value in values.items()}))
        sentence.template = template
        sentence.values = values
        return sentence


def at_instant(at: int) -> datetime:
    """Given POSIX seconds, return the aware instant, as a sentence wants it."""
    return datetime.fromtimestamp(at, UTC)


def _english(value: object) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, timedelta):
        return _length(int(value.total_seconds()))
    return str(value)


def _length(seconds: int) -> str:
    """Given seconds, return `26 h 05 min`, seconds only where there are any; hours are not folded into days."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{hours} h"] if hours else []
    if minutes or not (hours or left):
        parts.append(f"{minutes:02} min" if hours else f"{minutes} min")
    return " ".join([*parts, f"{left:02} s" if parts else f"{left} s"] if left else parts)
