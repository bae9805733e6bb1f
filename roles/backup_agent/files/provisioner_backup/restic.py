# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Calling restic 0.14 to 0.18, and what its exit code and its complaints mean."""

from __future__ import annotations

import ctypes
import json
import os
import re
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass, field

from provisioner_backup.settings import Trouble

REASONS = (
    ("store_full", r"rclone: .*(no space left on device|file too big for remaining disk space|disk quota exceeded)"),
    ("wrong_password", r"wrong password or no key found"),
    ("locked", r"already locked|unable to create lock"),
    ("store_unreachable", r"rclone: ssh: "),
    (
        "store_unreachable",
        r"rclone: .*(Host key verification failed|Permission denied|Connection (closed|reset|timed out))",
    ),
    ("store_unreachable", r"rclone: (Timeout, server|client_loop|kex_exchange_identification|.*[Bb]roken pipe)"),
    ("disk_full", r"no space left on device|disk quota exceeded"),
    ("store_unreachable", r"rclone stdio connection already closed|error talking HTTP to rclone|unexpected EOF"),
)
"""What to look for in complaints, the most telling first. What begins with `rclone: ` was said by ssh or the store."""
CODES = {11: "locked", 12: "wrong_password", 130: "killed"}
NO_REPOSITORY = re.compile(r"Is there a repository at the following location|repository does not exist")
HOPELESS = re.compile(REASONS[0][1], re.IGNORECASE)
KEPT = 400
LONGEST = 200


@dataclass
class Answer:
    """What came back: the exit code, lines of the output that are no progress, of the complaints the newest ones.

    `given_up` is why it was stopped from here, else empty.
    """

    code: int = 0
    lines: list = field(default_factory=list)
    complaints: list = field(default_factory=list)
    given_up: str = ""

    @property
    def messages(self):
        """The lines that are objects of JSON."""
        return [one for one in map(safely, self.lines) if one]

    @property
    def unreadable(self):
        """The objects that restic could not read, by its own account."""
        errors = [one for one in map(safely, (*self.lines, *self.complaints)) if one.get("message_type") == "error"]
        return {str(one.get("item")) for one in errors}


def safely(line):
    """Return the object that a line of JSON is, {} where it is none."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def reason(answer):
    """Given the Answer of a call that failed, return (reason, one line for a person)."""
    if answer.given_up == "store_unreachable":
        return answer.given_up, "restic made no progress and was interrupted"
    for word, pattern in REASONS:
        for line in answer.complaints:
            if re.search(pattern, line, re.IGNORECASE):
                return answer.given_up or CODES.get(answer.code, word), short(line)
    return CODES.get(answer.code, "restic"), said(answer) or f"restic ended with {answer.code}"


def said(answer):
    """Return the complaint that names the failure."""
    fatal = [line for line in answer.complaints if "Fatal:" in line or '"exit_error"' in line]
    return short((fatal or answer.complaints or [""])[-1])


def short(line):
    """Return a complaint as status.json shows it."""
    line = safely(line).get("message") or line
    return " ".join(str(line).removeprefix("rclone: ").removeprefix("Fatal: ").split())[:LONGEST]


def dies_with_us():
    """Have this process interrupted when its parent ends without a word: restic then takes its lock back."""
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGINT)


@dataclass(frozen=True)
class Repository:
    """restic's words for a repository, and the environment of its calls. `patience` is in seconds without progress."""

    words: tuple
    temporary: object
    program: str = "restic"
    patience: float = 1800

    def call(self, *arguments):
        """Run restic; return the Answer. It is interrupted when it makes no progress, and when we are."""
        environment = {"LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.temporary)}
        environment |= {"TMPDIR": str(self.temporary), "RESTIC_PROGRESS_FPS": "0.2"}
        process = subprocess.Popen(
            [self.program, *self.words, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=environment, start_new_session=True, preexec_fn=dies_with_us,
        )  # fmt: skip
        answer = Answer()
        try:
            self._listen(process, answer)
            answer.code = process.wait()
        finally:
            stop(process)
        return answer

    def _listen(self, process, answer):
        begun, progress = time.monotonic(), None
        with selectors.DefaultSelector() as selector:
            for stream in (process.stdout, process.stderr):
                selector.register(stream, selectors.EVENT_READ, bytearray())
            while selector.get_map():
                for key, _ in selector.select(timeout=min(1, self.patience)):
                    for line in lines(key, selector):
                        new = take(line, answer, complains=key.fileobj is process.stderr)
                        if new != progress:
                            begun, progress = time.monotonic(), new
                if not answer.given_up and time.monotonic() - begun > self.patience:
                    answer.given_up = "store_unreachable"
                if answer.given_up:
                    stop(process)
                    return

    def version(self):
        """Return restic's version, such as 0.14.0; raise Trouble where there is none."""
        try:
            found = subprocess.run([self.program, "version"], capture_output=True, text=True, check=False, timeout=60)
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise Trouble("restic", f"{self.program} cannot be run: {problem}") from None
        return (re.findall(r"\d+\.\d+\.\d+", found.stdout) or ["unknown"])[0]


def lines(key, selector):
    """Yield the whole lines that can be read now; at the end of a stream, what is left of it, and forget it."""
    block = os.read(key.fd, 1 << 16)
    key.data.extend(block)
    if not block:
        selector.unregister(key.fileobj)
        key.data.extend(b"\n" if key.data else b"")
    *whole, rest = key.data.split(b"\n")
    key.data[:] = rest
    for line in whole:
        yield line.decode(errors="replace")


def take(line, answer, *, complains):
    """Keep a line of restic's; return what differs when there was progress."""
    if complains:
        answer.complaints[:] = [*answer.complaints[-KEPT:], line]
        if HOPELESS.search(line):
            answer.given_up = "store_full"
        return line
    if line.startswith('{"message_type":"status"'):
        status = safely(line)
        return status.get("files_done"), status.get("bytes_done"), status.get("percent_done")
    answer.lines.append(line)
    return line


def stop(process):
    """Interrupt a process that still runs, as Ctrl-C would, and end it with all it started where that does not help."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    for stream in (process.stdout, process.stderr):
        stream.close()
