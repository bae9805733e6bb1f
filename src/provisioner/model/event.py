"""Events: the few facts of a run that are remembered. What is not copied here cannot leak."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """What one event of a run says."""

    PLAY = "play"
    TASK = "task"
    OK = "ok"
    CHANGED = "changed"
    FAILED = "failed"
    IGNORED = "ignored"
    UNREACHABLE = "unreachable"
    SKIPPED = "skipped"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Event:
    """One allow-listed fact: which host, role and task, what became of it, in how many seconds.

    `message` is kept only for failed, unreachable and warning events, cut to 500 characters, secrets redacted; it is
    for the operator's eyes and never enters an entry.
    """

    kind: EventKind
    host: str = ""
    role: str = ""
    task: str = ""
    seconds: float = 0.0
    message: str = ""
