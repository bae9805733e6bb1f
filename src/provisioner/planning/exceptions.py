"""Exceptions: updates that were tried again and again on a machine and never installed. The loop is cut, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.model.rollout import Excepted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.model.rollout import UpdateTry

MOST_TRIES = 3
"""After so many tries in a row that did not install it, an update is left alone on that machine."""

LASTS = 30 * 86_400
"""For so many seconds; then it is tried once more."""


def excepted(tries: Iterable[UpdateTry], *, at: int) -> tuple[Excepted, ...]:
    """Given the tries of updates in order, return those that are left alone at an instant, by machine and package.

    An exception is of one version on one machine: another version is tried as usual, and one try that installed it
    begins the count anew. It ends by itself.
    """
    failed: dict[tuple[str, str, str], list[int]] = {}
    for one in tries:
        key = (one.asset, one.package, one.version)
        if one.installed:
            failed.pop(key, None)
        else:
            failed.setdefault(key, []).append(one.at)
    found = (
        Excepted(asset, package, version, len(when), when[-1] + LASTS)
        for (asset, package, version), when in failed.items()
        if len(when) >= MOST_TRIES and at < when[-1] + LASTS
    )
    return tuple(sorted(found))
