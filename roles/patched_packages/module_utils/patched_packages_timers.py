# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""apt's own timers: stopped for the time of the work, and started again whatever becomes of it.

What was stopped is noted under /run before it is. A work that is killed leaves the note, and the next run starts from
it what it names; another boot starts the timers by itself, and has no note. Standard library only.
"""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from pathlib import Path

TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")
NOTE = Path("/run/provisioner-stopped-timers")
CLEAN = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def systemctl(*words):
    """Call systemctl; return whether it said yes."""
    done = subprocess.run(["systemctl", *words], check=False, env=CLEAN, stdin=subprocess.DEVNULL)
    return done.returncode == 0


def noted(note):
    """Return what earlier work has stopped and did not start again; nothing but apt's own timers is believed."""
    named = set(note.read_text().split()) if note.exists() else set()
    return [name for name in TIMERS if name in named]


def restore(call=systemctl, note=NOTE):
    """Start what earlier work has left stopped."""
    names = noted(note)
    if names:
        call("start", *names)
    note.unlink(missing_ok=True)


@contextmanager
def quiet(call=systemctl, note=NOTE):
    """Keep apt's timers from starting anything in the meantime; then start those that were active before."""
    known = noted(note)
    names = [name for name in TIMERS if name in known or call("is-active", "--quiet", name)]
    if names:
        note.write_text("\n".join(names))
        call("stop", *names)
    try:
        yield
    finally:
        restore(call, note)
