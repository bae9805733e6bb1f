"""The one way a task is declared: exit codes, help, errors as sentences, one JSON document on stdout."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from invoke.collection import Collection
from invoke.program import Program

from provisioner.cli.command import command, print_json, required, say
from provisioner.errors import ConfigurationError, ExecutionError, LedgerError, MissingTool, Problem, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoke.context import Context

PROBLEM = Problem("acme/contract.yml", 7, 3, "objectives[0].target", "expected a duration such as 4h")


def run(body: Callable[[], int], *arguments: str) -> int:
    """Declare a task `act` with this body, type it, and return the exit code."""

    @command(help={"host": "the machine", "json": "one document"})
    def act(_context: Context, host: str = "", json: bool = False) -> int:
        """Do it. Example: invoke act --host ws-01"""
        required("host", host, "invoke act --host ws-01")
        return body()

    program = Program(namespace=Collection(act), name="invoke", version="0")
    try:
        program.run(["invoke", "act", *arguments], exit=True)
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def raising(error: BaseException) -> Callable[[], int]:
    def body() -> int:
        raise error

    return body


@pytest.mark.parametrize("code", [0, 3, 4, 5, 6, 7, 130])
def test_the_body_s_code_is_the_exit_code(code: int) -> None:
    assert run(lambda: code, "--host", "ws-01") == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no such host"), 2),
        (MissingTool("podman is not installed"), 2),
        (ConfigurationError((PROBLEM, PROBLEM)), 2),
        (ExecutionError("changed since the plan was made"), 5),
        (LedgerError("the disk is full; no work was done"), 7),
        (KeyboardInterrupt(), 130),
        (RuntimeError("x"), 1),
    ],
)
def test_an_error_is_a_sentence_on_stderr_and_its_code(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(error), "--host", "ws-01") == code
    out, err = capsys.readouterr()
    assert out == "" and "Traceback" not in err
    assert run(raising(error), "--host", "ws-01", "--json") == code
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"error", "next", "exit_code", "problems"} and document["exit_code"] == code
    assert all(line.startswith(("error: ", "next: ")) for line in err.splitlines())
    assert str(error) in err.replace("error: ", "") or isinstance(error, KeyboardInterrupt)


def test_what_to_do_next_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    run(raising(UsageError("no such host", hint="see hosts.yml")), "--host", "ws-01")
    assert "next: see hosts.yml" in capsys.readouterr().err


def test_a_bug_says_how_to_report_it(capsys: pytest.CaptureFixture[str]) -> None:
    run(raising(ZeroDivisionError("division by zero")), "--host", "ws-01")
    err = capsys.readouterr().err
    assert "a bug in provisioner: ZeroDivisionError: division by zero" in err and "invoke -d" in err


@pytest.mark.parametrize("arguments", [[], ["--host", "-h"], ["--host", ""]])
def test_a_missing_flag_is_named_with_an_example(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(lambda: 0, *arguments) == 2
    err = capsys.readouterr().err
    assert "--host is missing" in err and "invoke act --host ws-01" in err


def test_h_is_no_short_form_of_host(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(lambda: 0, "-h", "ws-01") == 1
    assert "ws-01" not in capsys.readouterr().out


def test_nothing_is_positional() -> None:
    assert run(lambda: 0, "ws-01") == 1


def test_with_json_an_error_is_one_document_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(ConfigurationError((PROBLEM,), hint="mend it")), "--host", "ws-01", "--json") == 2
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert (document["exit_code"], document["next"]) == (2, "mend it")
    assert document["problems"] == [vars(PROBLEM)]
    assert "objectives[0].target" in err


def test_a_document_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "Zoë", "n": [1]})
    say("on the side")
    out, err = capsys.readouterr()
    assert json.loads(out) == {"name": "Zoë", "n": [1]} and "Zoë" in out
    assert err == "on the side\n"
