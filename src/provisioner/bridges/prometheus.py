"""Prometheus over HTTP: a range query, whose answer becomes figures (HTTP API, /api/v1/query_range)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode

from provisioner.bridges.http import post
from provisioner.errors import NoAnswer
from provisioner.model.record import Figures
from provisioner.model.sentence import Sentence
from provisioner.model.service_event import Figure

_POINTS = 10_000
"""Points asked for at once; a server refuses more than 11,000."""
_LIMIT = 8 * 1024 * 1024


@dataclass(frozen=True)
class HttpPrometheus:
    """The server at `url`, asked for a value every `step` seconds; each answer takes `seconds` at most."""

    url: str
    step: int
    seconds: float

    def figures(self, query: str, *, start: int, end: int) -> Figures:
        """Given a PromQL query, return its values from `start` to `end` (both included, POSIX seconds), as figures.

        They are those at whole multiples of the step, so that everybody who asks gets the same. NaN is no value.
        Without any, or where the server does not answer, refuses the query, gives several series or an infinite value,
        there is a reason and no value at all.
        """
        found: list[Figure] = []
        first = -(-start // self.step) * self.step
        try:
            for begin in range(first, end + 1, _POINTS * self.step):
                last = min(begin + (_POINTS - 1) * self.step, end)
                found += _values(self._ask(query, start=begin, end=last))
        except NoAnswer as error:
            return Figures(reason=str(error))
        if not found:
            return Figures(reason=Sentence("{url} has no value for this query", url=self.url))
        return Figures(values=tuple(found))

    def _ask(self, query: str, *, start: int, end: int) -> Any:
        """Return the `data` of the answer; raises NoAnswer for none, and for one that is no success."""
        form = urlencode({"query": query, "start": start, "end": end, "step": self.step})
        kind = "application/x-www-form-urlencoded"
        url = f"{self.url}/api/v1/query_range"
        answer = post(url, form.encode(), content_type=kind, seconds=self.seconds, limit=_LIMIT)
        try:
            said = json.loads(answer.body, parse_float=Decimal)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict) or said.get("status") not in ("success", "error"):
            raise NoAnswer(f"{url}: HTTP status {answer.status}, and no answer of Prometheus")
        if said["status"] == "error":
            raise NoAnswer(" ".join(f"{url}: {said.get('errorType')}: {said.get('error')}".split())[:300])
        return said.get("data")


def _values(data: Any) -> list[Figure]:
    """Given the `data` of an answer, return the values of its one series; raises NoAnswer for what is not that."""
    series = data.get("result") if isinstance(data, dict) and data.get("resultType") == "matrix" else None
    if not isinstance(series, list):
        raise NoAnswer("the answer is no range of values")
    if len(series) > 1:
        raise NoAnswer(f"the query gives {len(series)} series; write one that gives a single one, such as max(…)")
    try:
        pairs = [(_instant(at), Decimal(value)) for one in series for at, value in one["values"]]
    except (KeyError, TypeError, ValueError, InvalidOperation, OverflowError):
        raise NoAnswer("the answer holds something that is no value") from None
    if any(value.is_infinite() for _, value in pairs):
        raise NoAnswer("the query gives an infinite value")
    return [Figure(at, value) for at, value in pairs if not value.is_nan()]


def _instant(at: Any) -> int:
    """Given what an answer calls an instant, return whole seconds; ValueError for none before the year 2200."""
    if not 0 <= at < 7_258_118_400:
        raise ValueError
    return int(at)
