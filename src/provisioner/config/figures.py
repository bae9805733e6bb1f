"""Figures of a dated source: `<client folder>/<source>/2026-10.csv`, one file a month, with the columns at,value."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from provisioner.config.document import refuse
from provisioner.config.files import label, read_regular
from provisioner.config.service_events import instant
from provisioner.errors import Problem
from provisioner.model.record import Figures
from provisioner.model.sentence import Sentence
from provisioner.model.service_event import Figure
from provisioner.model.values import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROMETHEUS = "prometheus:"
_HEADER = "at,value"
_LIMIT = 64 * 1024 * 1024
_SHOWN = 50
_SOURCE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_VALUE = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


def source_problem(source: str) -> str:
    """Given the `source` of an objective, return what is wrong with it; empty for nothing."""
    if source.startswith(PROMETHEUS):
        return "" if source.removeprefix(PROMETHEUS).strip() else "expected a query after prometheus:"
    if _SOURCE.fullmatch(source):
        return ""
    return "expected a folder beside the contract such as probes/latency, or prometheus: and a query"


def read_figures(folder: Path, source: str, *, zone: str) -> Figures:
    """Given a client's folder and a source such as `probes/latency`, return the figures of all its months, in order.

    Without a file there are none, and a reason. Raises ConfigurationError with every line that is no figure, is not
    after the one above it, or is not of the month of its file in the time zone, and what `read_regular` raises.
    """
    files = sorted((folder / source).glob("*.csv"))
    if not files:
        return Figures(reason=Sentence("no file such as {source}/2026-10.csv", source=source))
    problems: list[Problem] = []
    values: list[Figure] = []
    for path in files:
        text = read_regular(path, folder=folder, limit=_LIMIT)
        name = label(path, folder=folder)
        if not _MONTH.fullmatch(path.stem):
            problems.append(Problem(name, 0, 0, "", "expected a file for each month, such as 2026-10.csv"))
            continue
        for line, found in _lines(text, month=path.stem, zone=ZoneInfo(zone or "UTC")):
            if isinstance(found, Figure):
                values.append(found)
            else:
                problems.append(Problem(name, line, 1, "", found))
    refuse(problems[:_SHOWN])
    return Figures(values=tuple(values))


def _lines(text: bytes, *, month: str, zone: ZoneInfo) -> Iterator[tuple[int, Figure | str]]:
    """Each line of a file with its number: the figure it holds, or what is wrong with it."""
    try:
        header, *rows = text.decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        yield 0, "is not UTF-8"
        return
    if header.removesuffix("\r") != _HEADER:
        yield 1, f"expected the columns {_HEADER}, found {shown(header)}"
        return
    last = -1
    for line, row in enumerate(rows, start=2):
        try:
            found = _figure(row.removesuffix("\r"))
            if found.at <= last:
                raise ValueError("is not after the figure above it")
            if f"{datetime.fromtimestamp(found.at, zone):%Y-%m}" != month:
                raise ValueError(f"is not in {month}, {zone.key} time")
        except ValueError as error:
            yield line, str(error)
        else:
            last = found.at
            yield line, found


def _figure(row: str) -> Figure:
    cells = row.split(",")
    if len(cells) != 2:
        raise ValueError(f"expected an instant and a value, found {shown(row)}")
    if not _VALUE.fullmatch(cells[1]):
        raise ValueError(f"expected a number such as 1.25, found {shown(cells[1])}")
    return Figure(instant(cells[0]), Decimal(cells[1]))
