"""The errors a user can meet: each a sentence, an exit code and a next step.

The exit codes are the table of docs/reference/exit_codes.md. Expected bad news (a refusal, an unreachable
machine) is not an error but a value: see `provisioner.model`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing wrong in one file: `file:line:col: path: message`; line and col count from 1, 0 is the whole file."""

    file: str
    line: int
    col: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.col}" if self.line else self.file
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


class ProvisionerError(Exception):
    """provisioner could not go on."""

    exit_code = 1

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        """Say what happened and where in `message` (the class's own sentence by default), what to do next in `hint`."""
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])
        self.hint = hint


class UsageError(ProvisionerError):
    """The command cannot be carried out as typed; nothing was recorded."""

    exit_code = 2


class ConfigurationError(UsageError):
    """The configuration is invalid; nothing was touched."""

    def __init__(self, problems: tuple[Problem, ...], *, hint: str = "") -> None:
        """Carry every problem found, in the order of the files."""
        super().__init__("\n".join(str(problem) for problem in problems), hint=hint)
        self.problems = problems


class MissingTool(UsageError):
    """A program or package that this task needs is not on this machine."""


class LedgerError(ProvisionerError):
    """The ledger cannot be written, or does not verify."""

    exit_code = 7


class NoAnswer(ProvisionerError):
    """A service outside did not answer, or not as its protocol says."""

    exit_code = 4


class StillRunning(ProvisionerError):
    """The processes of a run do not end: its intervention stays open."""

    exit_code = 5


class ExecutionError(ProvisionerError):
    """A run could not be carried out as planned, through no fault of the machine it was for."""

    exit_code = 5
