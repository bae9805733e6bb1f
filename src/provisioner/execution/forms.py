"""Forms that machines' reports are held against: what is not of its form is nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

LARGEST = 1 << 53
"""The largest number that is believed: RFC 8785 holds no larger one exactly."""

DIGEST = re.compile("[0-9a-f]{64}")
CODE = re.compile("[a-z][a-z_]{0,39}")


def mapping(value: object) -> Mapping[str, object]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[object]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, (list, tuple)) else ()


def matching(value: object, form: re.Pattern[str]) -> str:
    """The value where it is a text wholly of the form, else nothing."""
    return value if isinstance(value, str) and form.fullmatch(value) else ""


def number(value: object) -> int:
    """The value where it is a whole number of which a count can be made, else 0."""
    return value if type(value) is int and 0 <= value <= LARGEST else 0
