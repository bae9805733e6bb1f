"""apt's timers survive a work that is killed in the middle; and nothing of a package is ever forced."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "roles/patched_packages/module_utils"))

import patched_packages_timers as timers  # type: ignore[import-not-found]

UTILITIES = Path(timers.__file__).parent
ROLE = UTILITIES.parent
DAILY, UPGRADE = timers.TIMERS
KILLED_IN_THE_MIDDLE = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import patched_packages_timers as timers
state, note = Path(sys.argv[2]), Path(sys.argv[3])
def call(word, *names):
    active = set(state.read_text().split())
    if word == "is-active":
        return names[-1] in active
    state.write_text(" ".join(active | set(names) if word == "start" else active - set(names)))
    return True
with timers.quiet(call, note):
    os.kill(os.getpid(), signal.SIGKILL)
"""


class Systemd:
    """A fake systemctl: which timers are active, kept in a file."""

    def __init__(self, state: Path, *active: str) -> None:
        self.state = state
        state.write_text(" ".join(active))

    @property
    def active(self) -> list[str]:
        return sorted(self.state.read_text().split())

    def call(self, word: str, *names: str) -> bool:
        if word == "is-active":
            return names[-1] in self.active
        found = set(self.active)
        self.state.write_text(" ".join(found | set(names) if word == "start" else found - set(names)))
        return True


def kill_in_the_middle(systemd: Systemd, note: Path) -> None:
    words = [sys.executable, "-c", KILLED_IN_THE_MIDDLE, str(UTILITIES), str(systemd.state), str(note)]
    assert subprocess.run(words, env=dict(os.environ), check=False).returncode == -signal.SIGKILL


def test_they_are_stopped_for_the_time_and_started_again(tmp_path: Path) -> None:
    systemd, note = Systemd(tmp_path / "state", DAILY, "other.timer"), tmp_path / "note"
    with timers.quiet(systemd.call, note):
        assert systemd.active == ["other.timer"]
        assert note.read_text() == DAILY
    assert systemd.active == [DAILY, "other.timer"], "one that was not active stays so"
    assert not note.exists()


def test_a_work_that_was_killed_leaves_a_note_from_which_the_next_one_starts_them(tmp_path: Path) -> None:
    systemd, note = Systemd(tmp_path / "state", DAILY, UPGRADE), tmp_path / "note"
    kill_in_the_middle(systemd, note)
    assert systemd.active == [], "nobody has started them yet"
    with timers.quiet(systemd.call, note):
        assert systemd.active == []
    assert systemd.active == sorted([DAILY, UPGRADE])
    assert not note.exists()


def test_what_somebody_started_in_the_meantime_makes_nobody_forget_the_other(tmp_path: Path) -> None:
    systemd, note = Systemd(tmp_path / "state", DAILY, UPGRADE), tmp_path / "note"
    kill_in_the_middle(systemd, note)
    systemd.call("start", DAILY)
    with timers.quiet(systemd.call, note):
        assert systemd.active == []
    assert systemd.active == sorted([DAILY, UPGRADE])


def test_a_machine_that_is_put_off_gets_them_back_as_well(tmp_path: Path) -> None:
    systemd, note = Systemd(tmp_path / "state", DAILY, UPGRADE), tmp_path / "note"
    kill_in_the_middle(systemd, note)
    timers.restore(systemd.call, note)
    assert systemd.active == sorted([DAILY, UPGRADE])


def test_without_the_note_they_would_stay_stopped(tmp_path: Path) -> None:
    """Negative control: it is the note that brings them back, and nothing else."""
    systemd, note = Systemd(tmp_path / "state", DAILY, UPGRADE), tmp_path / "note"
    kill_in_the_middle(systemd, note)
    note.unlink()
    with timers.quiet(systemd.call, note):
        pass
    assert systemd.active == []


def test_a_note_starts_nothing_but_timers_of_apt(tmp_path: Path) -> None:
    systemd, note = Systemd(tmp_path / "state"), tmp_path / "note"
    note.write_text(f"evil.service {DAILY}")
    timers.restore(systemd.call, note)
    assert systemd.active == [DAILY]


def forced(text: str) -> set[str]:
    """What a program forces of dpkg or apt."""
    return set(re.findall(r"--(?:force|allow)[a-z-]*", text)) | set(re.findall(r"(?<=[\"' ])-f(?=[\"' ])", text))


def test_only_settings_files_are_decided_by_force() -> None:
    text = "\n".join(path.read_text() for path in ROLE.glob("*/*.py"))
    assert forced(text) == {"--force-confdef", "--force-confold"}
    assert "--no-remove" in text
    assert not forced("".join(path.read_text() for path in ROLE.glob("tasks/*.yml"))) - {"-f"}, "-f is one of cut"


def test_what_is_forced_would_be_seen() -> None:
    """Negative control."""
    assert forced('run("dpkg", "--force-depends")\nrun("apt-get", "-f", "--allow-downgrades")') == {
        "--force-depends", "-f", "--allow-downgrades",
    }  # fmt: skip
