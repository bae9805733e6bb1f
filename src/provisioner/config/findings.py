"""What rules find: a path into the contract, and a sentence."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from provisioner.config.document import Loc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Finding = tuple[Loc, str]


def repeated(loc: Loc, names: Iterable[str], *, key: str = "") -> Iterator[Finding]:
    """Given the names in the list at `loc`, under `key` of each item where it has one, yield each that is twice."""
    seen: Counter[str] = Counter()
    for index, name in enumerate(names):
        seen[name] += 1
        if seen[name] == 2:
            yield (*loc, index, key) if key else (*loc, index), f"{name!a} is here twice"


def not_rising(loc: Loc, values: Iterable[object], *, key: str = "") -> Iterator[Finding]:
    """Given values that can be compared, yield each that is not above the one before it."""
    before = None
    for index, value in enumerate(values):
        if before is not None and not before < value:  # type: ignore[operator]
            yield (*loc, index, key) if key else (*loc, index), f"{value} after {before}: expected rising order"
        before = value
