"""Output that cannot fail: whether it can be read says nothing about the work, its record and its exit code."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def steady_output() -> Iterator[None]:
    """For the time of the block, let no print fail, on stdout or stderr.

    A reader that left (`| head`), a full disk and a terminal that was hung up end the output, not the block; a stream
    that was closed (`>&-`) writes to nothing; what an encoding lacks is written as `\\xe9` or `\\u2026`.
    """
    _reopen_closed()
    out, err = _Steady(sys.stdout), _Steady(sys.stderr)
    with redirect_stdout(cast("TextIO", out)), redirect_stderr(cast("TextIO", err)):
        try:
            yield
        finally:
            out.flush()
            err.flush()


def _reopen_closed() -> None:
    """Open nothing as the standard streams that are closed: else the next file, a database, would be one of them."""
    closed = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    if closed:
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(descriptor, True)
        os.close(descriptor)
    for name in closed:
        mode = "r" if name == "stdin" else "w"
        setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - as long as the process


class _Steady:
    """A stream whose write and flush do not fail; everything else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Write to nothing from now on, what is still buffered included; say so, unless the reader wanted no more."""
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._stream.fileno())
        os.close(nothing)
        if not isinstance(error, BrokenPipeError):
            print(f"warning: output cannot be written: {error.strerror}; the work goes on", file=sys.stderr)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
