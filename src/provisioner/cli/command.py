"""The one way a task is declared: help on `-h`, errors as sentences with the documented exit code.

invoke would make `-h` mean `--host` and hand positional arguments over: both are switched off here.
"""

from __future__ import annotations

import codecs
import json
import logging
import sys
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Exit
from invoke.tasks import Task

from provisioner.cli.streams import steady_output
from provisioner.errors import ConfigurationError, ProvisionerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from invoke.context import Context

    from provisioner.errors import Problem

JSON_HELP = "print one JSON document on stdout, everything else on stderr"
CLIENT_HELP = "the client's folder; needed when two clients have a host of that name"


def command(*, help: Mapping[str, str]) -> Callable[[Callable[..., int]], Task[Any]]:
    """Declare a task whose body returns its exit code; its docstring is the help, with an example."""

    def declare(body: Callable[..., int]) -> Task[Any]:
        @wraps(body)
        def run(context: Context, *args: object, **kwargs: object) -> None:
            with steady_output():
                code = _guarded(body, context, *args, **kwargs)
            if code:
                raise Exit(code=code)

        declared: Task[Any] = Task(run, auto_shortflags=False, positional=[], help=dict(help))
        return declared

    return declare


def _guarded(body: Callable[..., int], context: Context, *args: object, **kwargs: object) -> int:
    """Return the body's exit code; an error is said on stderr, and with `json` it is the one document on stdout."""
    try:
        return body(context, *args, **kwargs)
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, Exception) and not isinstance(error, ProvisionerError) and _debugging():
            raise
        ended = _ended(error)
        say("\n".join(f"error: {line}" for line in ended.error.splitlines()))
        if ended.next:
            say(f"next: {ended.next}")
        if kwargs.get("json"):
            print_json(vars(ended) | {"problems": [vars(problem) for problem in ended.problems]})
        return ended.exit_code


@dataclass(frozen=True)
class _Ended:
    """What ended a task, by the keys of the document that `--json` prints of it."""

    error: str
    next: str
    exit_code: int
    problems: tuple[Problem, ...] = ()


def _ended(error: BaseException) -> _Ended:
    if isinstance(error, ProvisionerError):
        problems = error.problems if isinstance(error, ConfigurationError) else ()
        return _Ended(str(error), error.hint, error.exit_code, problems)
    if isinstance(error, KeyboardInterrupt):
        return _Ended("interrupted", "", 130)
    said = f"a bug in provisioner: {type(error).__name__}: {error}"
    return _Ended(said, "type the same with `invoke -d …` to see where, and report it", 1)


def _debugging() -> bool:
    return logging.getLogger("invoke").isEnabledFor(logging.DEBUG)


def say(text: str) -> None:
    """Print one line for the person, on stderr."""
    print(text, file=sys.stderr, flush=True)


def print_json(document: object) -> None:
    """Print the one JSON document of this call on stdout, in UTF-8, or in ASCII where stdout is not UTF-8."""
    utf8 = codecs.lookup(sys.stdout.encoding).name == "utf-8"
    print(json.dumps(document, ensure_ascii=not utf8, indent=2))


def required(flag: str, value: str | None, example: str) -> str:
    """Given a flag's value, return it; raise UsageError with an example when it is missing or looks like a flag."""
    if not value or value.startswith("-"):
        raise UsageError(f"--{flag} is missing", hint=f"for example: {example}")
    return value
