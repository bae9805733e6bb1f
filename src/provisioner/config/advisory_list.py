"""The tracker's lists of advisories (its files DSA/list and DLA/list): on which day which version was published."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, datetime

from provisioner.errors import ConfigurationError, Problem
from provisioner.model.advisory import Advisory
from provisioner.model.debian import PACKAGE, RELEASE, VERSION

_SHOWN = 20
_HEAD = re.compile(r"\[(\d\d?) ([A-Z][a-z]{2}) (\d{4})\] (D[LS]A-\d{1,5}(?:-\d{1,3})?)\b.*", re.ASCII)
_FIX = re.compile(r"\s+\[([^\]\s]+)\]\s+- (\S+) +(\S+)(?:\s.*)?", re.ASCII)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_LONGEST = 64 * 1024

Advisories = dict[tuple[str, str], tuple[Advisory, ...]]


def parse_advisories(data: bytes, *, file: str) -> Advisories:
    """Given the bytes of a list, or of both one after the other, return the advisories by source package and release.

    A line at the margin is an advisory with its day, an indented one that begins with a release says which version of a
    source package it brings there; other indented lines are notes. A release without a version (`<unfixed>`) has none.
    Raises ConfigurationError with the lines that are neither.
    """
    reading = _Reading()
    problems: list[Problem] = []
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), start=1):
        try:
            reading.line(line)
        except ValueError as error:
            problems.append(Problem(file, number, 1, "", str(error)))
            if len(problems) == _SHOWN:
                break
    if problems:
        raise ConfigurationError(tuple(problems))
    return {key: tuple(advisories) for key, advisories in reading.found.items()}


class _Reading:
    """What was read so far, and the advisory that the next indented line belongs to."""

    def __init__(self) -> None:
        self.found: defaultdict[tuple[str, str], list[Advisory]] = defaultdict(list)
        self._head: tuple[str, int] | None = None

    def line(self, line: str) -> None:
        """Read a line; ValueError for one that is nothing of a list."""
        if len(line) > _LONGEST:
            raise ValueError(f"is longer than the {_LONGEST // 1024} KiB that a line may have")
        text = line.lstrip()
        if text and text == line:
            self._head = _head(line)
        elif text.startswith("["):
            key, version = _fix(line)
            if self._head is None:
                raise ValueError("a version before the first advisory")
            if version:
                self.found[key].append(Advisory(*self._head, version))


def _head(line: str) -> tuple[str, int]:
    """The advisory's name, and the first instant of its day in UTC."""
    match = _HEAD.fullmatch(line.rstrip())
    said = ValueError("expected an advisory such as [24 Nov 2026] DSA-6000-1 openssl - security update")
    if match is None or match[2] not in _MONTHS:
        raise said
    try:
        day = datetime(int(match[3]), _MONTHS.index(match[2]) + 1, int(match[1]), tzinfo=UTC)
    except ValueError:
        raise said from None
    return match[4], int(day.timestamp())


def _fix(line: str) -> tuple[tuple[str, str], str]:
    match = _FIX.fullmatch(line.rstrip())
    if match is None or not RELEASE.fullmatch(match[1]) or not PACKAGE.fullmatch(match[2]):
        raise ValueError("expected a release and a version such as [bookworm] - openssl 3.0.17-1~deb12u3")
    if match[3].startswith("<"):
        return (match[2], match[1]), ""
    if not VERSION.fullmatch(match[3]):
        raise ValueError(f"{match[3][:60]!a} is no version of Debian's form")
    return (match[2], match[1]), match[3]
