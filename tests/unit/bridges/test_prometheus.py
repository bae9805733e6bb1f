"""A tiny server that speaks Prometheus's documented JSON; by hand it was tried against 2.42.0."""

from __future__ import annotations

import json
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from provisioner.bridges.prometheus import HttpPrometheus
from provisioner.model.service_event import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Form = dict[str, str]


@contextmanager
def prometheus(answer: Callable[[Form], tuple[int, bytes]]) -> Iterator[tuple[HttpPrometheus, list[Form]]]:
    """A server on a loopback port, and the forms it was sent."""
    heard: list[Form] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            assert self.path == "/api/v1/query_range"
            heard.append({name: values[0] for name, values in parse_qs(body).items()})
            status, said = answer(heard[-1])
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield HttpPrometheus(f"http://127.0.0.1:{server.server_port}", 60, 5.0), heard
        server.shutdown()
    thread.join(timeout=10)


def matrix(*series: list[tuple[Any, str]]) -> bytes:
    result = [{"metric": {"job": str(number)}, "values": values} for number, values in enumerate(series)]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()


def test_values_are_figures_at_multiples_of_the_step() -> None:
    said = matrix([(1_800, "0.1"), (1860.0, "2e-05"), (1_920, "NaN")])
    with prometheus(lambda _: (200, said)) as (server, heard):
        found = server.figures("max(x) by (le)", start=1_741, end=1_950)
    assert found.values == (Figure(1_800, Decimal("0.1")), Figure(1_860, Decimal("0.00002")))
    assert found.reason == ""
    assert heard == [{"query": "max(x) by (le)", "start": "1800", "end": "1950", "step": "60"}]


def test_a_long_term_is_asked_for_in_parts_that_leave_nothing_out() -> None:
    def answer(form: Form) -> tuple[int, bytes]:
        instants = range(int(form["start"]), int(form["end"]) + 1, 60)
        assert len(instants) <= 11_000
        return 200, matrix([(at, "1") for at in instants])

    with prometheus(answer) as (server, heard):
        found = server.figures("up", start=60, end=60 * 25_000)
    assert [figure.at for figure in found.values] == list(range(60, 60 * 25_000 + 1, 60))
    assert len(heard) == 3


ERROR = json.dumps({"status": "error", "errorType": "bad_data", "error": "1:4: parse error"}).encode()


@pytest.mark.parametrize(
    ("status", "said", "reason"),
    [
        (200, matrix(), "has no value for this query"),
        (200, matrix([(60, "NaN")]), "has no value for this query"),
        (200, matrix([(60, "1")], [(60, "2")]), "gives 2 series"),
        (200, matrix([(60, "+Inf")]), "an infinite value"),
        (200, matrix([(60, "one")]), "is no value"),
        (200, matrix([(10**400, "1")]).replace(b"1" + b"0" * 400, b"1e999999999"), "is no value"),
        (200, b'{"status": "success", "data": {"resultType": "vector", "result": []}}', "no range of values"),
        (200, b'{"status": "success", "data": {"resultType": "matrix", "result": [{}]}}', "is no value"),
        (400, ERROR, "bad_data: 1:4: parse error"),
        (502, b"<html>", "HTTP status 502"),
        (200, b"[]", "HTTP status 200, and no answer of Prometheus"),
    ],
)
def test_what_gives_no_figures_gives_a_reason(status: int, said: bytes, reason: str) -> None:
    with prometheus(lambda _: (status, said)) as (server, _):
        found = server.figures("up", start=0, end=600)
    assert found.values == ()
    assert reason in found.reason


def test_an_answer_that_fails_half_way_leaves_no_half_of_the_figures() -> None:
    with prometheus(lambda form: (200, matrix([(60, "1")])) if form["start"] == "0" else (503, b"")) as (server, _):
        found = server.figures("up", start=0, end=60 * 15_000)
    assert (found.values, "503" in found.reason) == ((), True)


def test_nobody_there_is_a_reason() -> None:
    with prometheus(lambda _: (200, b"")) as (server, _):
        pass
    found = server.figures("up", start=0, end=600)
    assert found.values == ()
    assert "refused" in found.reason
