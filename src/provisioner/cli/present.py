"""What a person sees: live progress on a terminal, plain lines otherwise; tables. All of it on stderr or as asked."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.errors import UsageError
from provisioner.model.approval import CLAUSE, NAMESPACE
from provisioner.model.event import EventKind
from provisioner.model.intervention import CheckResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from rich.console import Console
    from rich.status import Status
    from rich.table import Table

    from provisioner.model.event import Event
    from provisioner.model.intervention import AssetResult, Intervention
    from provisioner.reporting.page import Section

SHOWN = {
    EventKind.CHANGED: "changed",
    EventKind.FAILED: "FAILED",
    EventKind.IGNORED: "failed, went on",
    EventKind.UNREACHABLE: "UNREACHABLE",
    EventKind.WARNING: "warning",
}
"""What gets a line on a terminal, where the current task is shown live; elsewhere every result gets one."""


class Told:
    """Progress for a person: a context manager, since the live line on a terminal must be taken away again."""

    def __init__(self, *, to_stdout: bool) -> None:
        """Print lines to stdout, or to stderr when stdout is for the JSON document."""
        self._stream = sys.stdout if to_stdout else sys.stderr
        self._live = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._status: Status | None = None

    def __enter__(self) -> Told:
        if self._live:
            drawn = console(self._stream is sys.stderr)
            self._status = drawn.status("", spinner="dots" if drawn.encoding.startswith("utf") else "line")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._still()

    def _still(self) -> None:
        if self._status is not None:
            self._status.stop()

    def begin(self, intervention: str, *, clause: str, assets: tuple[str, ...], simulated: bool) -> None:
        """Print id, clause and machines; start the live line."""
        count = f"{len(assets)} machine{'s' if len(assets) > 1 else ''}: {', '.join(assets)}"
        self.note(f"intervention {intervention}")
        self.note(f"rests on {clause}; {'simulates on' if simulated else 'will touch'} {count}")
        if self._status is not None:
            self._status.start()

    def event(self, event: Event) -> None:
        """Print the event if it is worth a line, and keep the live line at the current task."""
        where = f"{event.role} : {event.task}" if event.role else event.task
        if event.kind is EventKind.TASK and self._status is not None:
            self._status.update(_escaped(where))
        if event.kind in (EventKind.PLAY, EventKind.TASK) or (self._status is not None and event.kind not in SHOWN):
            return
        text = f"{SHOWN.get(event.kind, event.kind.value):<11} {event.host} {where}".rstrip()
        self.note(f"{text}: {event.message}" if event.message else text)

    def ask(self, question: str) -> str:
        """Ask the person on stderr, the live line taken away meanwhile; an end of the input is no answer."""
        self._still()
        try:
            print(question, end=" ", file=sys.stderr, flush=True)
            return sys.stdin.readline().strip()
        except (OSError, ValueError):  # the terminal is gone, or what was typed is no text
            return ""
        finally:
            if self._status is not None:
                self._status.start()

    def note(self, text: str) -> None:
        """Print one line."""
        if self._status is not None:
            self._status.console.print(_escaped(text), highlight=False, soft_wrap=True)
        else:
            print(text, file=self._stream, flush=True)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def console(stderr: bool = False) -> Console:
    """A rich console; it honours NO_COLOR and knows whether it writes to a terminal."""
    from rich.console import Console

    return Console(stderr=stderr, width=None if sys.stdout.isatty() else 160)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stdout; texts are shown as they are, never as markup."""
    console().print(_table(title, columns, rows))


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    from rich.table import Table

    drawn = Table(title=title or None, title_justify="left", box=None)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(_escaped(cell) for cell in row))
    return drawn


def watch(look: Callable[[], Sequence[Section]], *, seconds: float) -> None:
    """Show a page on the terminal and show it anew every so many seconds, until Ctrl-C; UsageError without one."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        raise UsageError("--watch needs a terminal", hint="leave it out, or ask for --json as often as you like")

    def drawn() -> Group:
        parts: list[Text | Table] = []
        for section in look():
            parts.extend(Text(line) for line in ("", section.title, *section.lines) if line or not parts)
            parts.extend([_table("", section.columns, section.rows)] if section.columns else [])
        return Group(*parts, Text("Ctrl-C ends the watching; the rollout goes on"))

    with Live(drawn(), console=console(), auto_refresh=False) as live, suppress(KeyboardInterrupt):
        while True:
            time.sleep(seconds)
            live.update(drawn(), refresh=True)


def page(sections: Sequence[Section]) -> None:
    """Print a page on stdout: every section's title, lines and table, a blank line between two."""
    for number, section in enumerate(sections):
        if number:
            print()
        if section.columns:
            print(section.title, *section.lines, sep="\n")
            table("", section.columns, section.rows)
        else:
            print("\n".join(filter(None, (section.title, *section.lines))))


MARKS = {CheckResult.PASS: "pass", CheckResult.FAIL: "FAIL", CheckResult.NOT_APPLICABLE: "not applicable"}


def show_intervention(intervention: Intervention) -> None:
    """Print an intervention for a person: each machine's acceptance table, its outcome and reason; the id last."""
    for result in intervention.assets:
        _show_asset(result)
    if intervention.outcome is Outcome.REFUSED:
        print(f"intervention {intervention.id}")
        print(f"refused under contract {intervention.contract}:")
        for reason in intervention.reasons:
            print(f"  {reason.clause}: {reason.text}")
        _show_request(intervention)
    entries = ", ".join(str(index) for index in intervention.entries)
    simulated = " (simulated: check mode)" if intervention.simulated else ""
    print(f"outcome {intervention.outcome}{simulated}; clause {intervention.clause}; log entries {entries}")
    print(f"intervention {intervention.id}")


def _show_request(intervention: Intervention) -> None:
    """Print the digest of the plan, and how the client approves it where that is possible."""
    print(f"plan {intervention.plan_digest}")
    if intervention.request:
        print(f"what the client may sign, with a key that the contract names under {CLAUSE}: {intervention.request}")
        print(f"  ssh-keygen -Y sign -f KEY -n {NAMESPACE} {Path(intervention.request).name}")
        print(f"then type the same again with --approval {intervention.request}, FILE.sig beside it")


def _show_asset(result: AssetResult) -> None:
    if result.checks:
        rows = [(check.name, check.asked, check.found, MARKS[check.result]) for check in result.checks]
        table(f"{result.name}: acceptance", ("check", "asked", "found", "result"), rows)
    print(f"{result.name}: {result.outcome}, {result.ok} tasks ok, {result.changed} changed")
    if result.failed_task:
        label = "last task seen" if result.outcome in (Outcome.INTERRUPTED, Outcome.UNKNOWN) else "failed task"
        print(f"  {label}: {result.failed_task}")
    if result.reason:
        print(f"  {result.reason.code}: {result.reason.text}")
