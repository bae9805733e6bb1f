"""The one way a task is declared: help on `-h`, errors as sentences with the documented exit code.

invoke would make `-h` mean `--host` and hand positional arguments over: both are switched off here.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import redirect_stdout
from functools import wraps
from typing import TYPE_CHECKING, Any, TextIO, cast

from invoke.exceptions import Exit
from invoke.tasks import Task

from provisioner.errors import ConfigurationError, ProvisionerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from invoke.context import Context

JSON_HELP = "print one JSON document on stdout, everything else on stderr"
CLIENT_HELP = "the client's folder; needed when two clients have a host of that name"


def command(*, help: Mapping[str, str]) -> Callable[[Callable[..., int]], Task[Any]]:
    """Declare a task whose body returns its exit code; its docstring is the help, with an example."""

    def declare(body: Callable[..., int]) -> Task[Any]:
        @wraps(body)
        def run(context: Context, *args: object, **kwargs: object) -> None:
            stdout = _Unread(sys.stdout)
            with redirect_stdout(cast("TextIO", stdout)):
                code = _guarded(body, context, *args, **kwargs)
                stdout.flush()
            if code:
                raise Exit(code=code)

        declared: Task[Any] = Task(run, auto_shortflags=False, positional=[], help=dict(help))
        return declared

    return declare


class _Unread:
    """A stream that goes on when nobody reads it any more (`| head`): the work, its record and its exit code matter."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            return self._give_up(len(text))

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._give_up(0)

    def _give_up(self, written: int) -> int:
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        return written

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def _guarded(body: Callable[..., int], context: Context, *args: object, **kwargs: object) -> int:
    try:
        return body(context, *args, **kwargs)
    except ProvisionerError as error:
        say_error(str(error))
        if error.hint:
            say(f"next: {error.hint}")
        if kwargs.get("json"):
            problems = [vars(problem) for problem in error.problems] if isinstance(error, ConfigurationError) else []
            print_json({"error": str(error), "next": error.hint, "exit_code": error.exit_code, "problems": problems})
        return error.exit_code
    except KeyboardInterrupt:
        say_error("interrupted")
        return 130
    except Exit:
        raise
    except Exception as error:
        if logging.getLogger("invoke").isEnabledFor(logging.DEBUG):
            raise
        say_error(f"a bug in provisioner: {type(error).__name__}: {error}")
        say("next: type the same with `invoke -d …` to see where, and report it")
        return 1


def say(text: str) -> None:
    """Print one line for the person, on stderr."""
    print(text, file=sys.stderr, flush=True)


def say_error(text: str) -> None:
    """Print what went wrong, on stderr."""
    say("\n".join(f"error: {line}" for line in text.splitlines()))


def print_json(document: object) -> None:
    """Print the one JSON document of this call on stdout."""
    print(json.dumps(document, ensure_ascii=False, indent=2))


def required(flag: str, value: str | None, example: str) -> str:
    """Given a flag's value, return it; raise UsageError with an example when it is missing or looks like a flag."""
    if not value or value.startswith("-"):
        raise UsageError(f"--{flag} is missing", hint=f"for example: {example}")
    return value
