"""The backup agent against real restic, over SSH to a store that only takes: each bad case is told truthfully."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.backup_agent import PASSWORD, PROGRAM, SEED, Agent
from tests.backup_door import Door, door
from tests.ports import free_port

from provisioner_backup import canary, exclusions, restic, run, walk

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One sshd for all; each test names its own inbox."""
    folder = tmp_path_factory.mktemp("door")
    with door(folder, folder / "nothing") as found:
        yield found


@pytest.fixture
def agent(listening: Door, tmp_path: Path) -> Agent:
    listening.inbox = tmp_path / "inbox"
    listening.inbox.mkdir()
    listening.authorize()
    found = Agent(tmp_path, listening)
    found.configure()
    (found.source / "kept").write_text("kept")
    (tmp_path / "metrics").mkdir()
    return found


def child(agent: Agent, *, before: str = "") -> subprocess.Popen[str]:
    """Start the program as a process of its own, on the same folders; `before` is Python that comes first."""
    text = f"""
import os, sys, uuid
from datetime import datetime, UTC
from pathlib import Path
sys.path.insert(0, {str(PROGRAM)!r})
from provisioner_backup import run, settings
{before}
places = settings.Places(*map(Path, {[str(agent.root / name) for name in ("settings", "state", "metrics")]!r}))
sys.exit(run.run(run.Machine(places=places, now=lambda: datetime.now(UTC), new_id=lambda: uuid.uuid4().hex)))
"""
    return subprocess.Popen(
        [sys.executable, "-B", "-c", text], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def until(condition: Any, process: subprocess.Popen[str]) -> None:
    """Wait until something is so, while a process runs."""
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_backup_completes_and_restores(agent: Agent, tmp_path: Path) -> None:
    code, said = agent.back_up()
    assert (code, said["state"], said["reason"], said["missing"], said["unreadable"]) == (0, "completed", "", [], 0)
    assert said["counter"] == 1
    assert {one["id"]: one["tags"] for one in agent.snapshots()} == {
        said["snapshot"]: [f"run:{said['run']}"],
        said["manifest_snapshot"]: [f"run:{said['run']}", "manifest"],
    }
    source = agent.restored(said["snapshot"], tmp_path / "restored")
    assert (source / "kept").read_text() == "kept"
    beside = tmp_path / "restored" / str(agent.places.canary).lstrip("/")
    read = {os.fsencode(path.name): path.read_bytes() for path in beside.iterdir() if not path.is_symlink()}
    assert read == canary.expected(bytes.fromhex(SEED), 1)
    stored = agent.restored(said["manifest_snapshot"], tmp_path / "manifest")
    assert not stored.exists(), "the second snapshot has the manifest and nothing else"
    copy = tmp_path / "manifest" / str(agent.places.manifest).lstrip("/")
    assert copy.read_bytes() == agent.places.manifest.read_bytes()
    assert 'provisioner_backup_state{state="completed"} 1' in (tmp_path / "metrics/provisioner_backup.prom").read_text()


def test_the_next_run_counts_on_and_leaves_nothing_of_a_run_behind(agent: Agent) -> None:
    agent.back_up()
    (agent.source / "more").write_text("more")
    code, said = agent.back_up()
    assert (code, said["counter"], said["state"]) == (0, 2, "completed")
    assert f"{agent.source}/more" in agent.rows()
    assert not agent.places.dumps.exists()
    assert agent.restic("list", "locks").stdout == ""
    assert len(agent.snapshots()) == 4


def test_a_missing_path_is_never_completed(agent: Agent) -> None:
    agent.configure(paths=[str(agent.source), "/srv/not-there"])
    code, said = agent.back_up()
    assert (code, said["state"], said["reason"]) == (3, "incomplete", "missing_path")
    assert said["missing"] == ["/srv/not-there"]
    assert said["text"] == "/srv/not-there does not exist"
    assert said["snapshot"]


def test_all_paths_missing_is_a_failure_and_no_snapshot(agent: Agent) -> None:
    agent.configure(paths=["/srv/not-there", "/srv/neither"])
    code, said = agent.back_up()
    assert (code, said["state"], said["reason"], said["snapshot"]) == (1, "failed", "missing_path", None)
    assert said["missing"] == ["/srv/not-there", "/srv/neither"]
    assert not (agent.door.inbox / "config").exists()


def test_an_exclusion_that_would_leave_out_the_canaries_is_told(agent: Agent) -> None:
    agent.configure(exclude=[f"{agent.root}/state"])
    code, said = agent.back_up()
    assert (code, said["reason"]) == (3, "missing_path")
    assert said["missing"] == [str(agent.places.canary), str(agent.places.dumps)]


def test_a_file_that_restic_cannot_read_is_never_completed(agent: Agent) -> None:
    """A file that vanishes after the survey: restic ends with 3 in every version we know, or saves without it."""
    program = agent.root / "restic"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *"-- {agent.source} "*) restic "$@" || exit; '
        f'echo \'{{"message_type":"error","error":{{}},"during":"archival","item":"{agent.source}/kept"}}\'; exit 3;; '
        'esac\nexec restic "$@"\n'
    )
    program.chmod(0o755)
    code, said = agent.back_up(repository=through(program))
    assert (code, said["state"], said["reason"], said["unreadable"]) == (3, "incomplete", "unreadable", 1)
    assert said["snapshot"]


def through(program: Path, **changed: Any) -> Any:
    def repository(settings: Any, places: Any) -> restic.Repository:
        words = tuple(run.door(settings, places))
        return restic.Repository(words, places.work / "tmp", program=str(program), **changed)

    return repository


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another account to run as")
def test_an_unreadable_file_is_never_completed(listening: Door) -> None:
    """As an account that may not read everything, over a repository of its own."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        agent = Agent(Path(folder), listening)
        agent.configure()
        for name in ("kept", "secret"):
            (agent.source / name).write_text(name)
        (agent.source / "secret").chmod(0)
        subprocess.run(["chown", "-R", "65534:65534", folder], check=True)
        own = "own = lambda settings, places: run.restic.Repository("
        own += f'("-r", "{folder}/inbox", "--password-file", "{folder}/settings/password"), places.work / "tmp")'
        drop = "os.setgroups([]); os.setgid(65534); os.setuid(65534)"
        given = "import functools; run.Machine = functools.partial(run.Machine, repository=own)"
        process = child(agent, before=f"{drop}\n{own}\n{given}")
        told = process.communicate(timeout=120)[0]
        said = agent.status()
        assert (process.returncode, said["state"], said["reason"]) == (3, "incomplete", "unreadable"), told
        assert said["unreadable"] == 1
        assert agent.rows()[f"{agent.source}/secret"]["e"] == "EACCES"
        assert "e" not in agent.rows()[f"{agent.source}/kept"]


def test_a_wrong_password(agent: Agent) -> None:
    agent.back_up()
    (agent.places.settings / "password").write_text("another\n")
    code, said = agent.back_up()
    assert (code, said["state"], said["reason"], said["snapshot"]) == (1, "failed", "wrong_password", None)


def test_a_store_that_refuses_connections(agent: Agent) -> None:
    agent.configure(store=agent.door.store | {"port": free_port()})
    code, said = agent.back_up()
    assert (code, said["state"], said["reason"]) == (1, "failed", "store_unreachable")
    assert "Connection refused" in said["text"]


def test_a_store_with_another_key_is_not_spoken_to(agent: Agent) -> None:
    other = agent.door.key.with_suffix(".pub").read_text().split()
    (agent.places.settings / "known_hosts").write_text(f"[127.0.0.1]:{agent.door.port} {other[0]} {other[1]}\n")
    code, said = agent.back_up()
    assert (code, said["reason"]) == (1, "store_unreachable")
    assert not (agent.door.inbox / "config").exists()


def test_a_store_that_swallows_everything_is_given_up(agent: Agent) -> None:
    """It takes the connection and never answers: the time limit without progress ends it."""
    with socket.create_server(("127.0.0.1", free_port())) as silent:
        agent.configure(store=agent.door.store | {"port": silent.getsockname()[1]})
        begun = time.monotonic()
        code, said = agent.back_up(repository=through(Path("restic"), patience=1))
        assert (code, said["state"], said["reason"]) == (1, "failed", "store_unreachable")
        assert time.monotonic() - begun < 30


def test_a_full_store_is_given_up_at_once(agent: Agent) -> None:
    """The store's rclone as it speaks on a full disk; a file system that is full is in the role's scenario."""
    program = agent.root / "restic"
    line = "rclone: ERROR : data/5a: put error: preallocate: file too big for remaining disk space"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *backup*) echo "{line}" >&2; exec sleep 600;; esac\nexec restic "$@"\n'
    )
    program.chmod(0o755)
    begun = time.monotonic()
    code, said = agent.back_up(repository=through(program))
    assert (code, said["state"], said["reason"], said["snapshot"]) == (1, "failed", "store_full", None)
    assert time.monotonic() - begun < 60


def test_a_store_that_lost_the_repository_is_not_taken_for_a_new_one(agent: Agent) -> None:
    agent.back_up()
    shutil.rmtree(agent.door.inbox)
    agent.door.inbox.mkdir()
    code, said = agent.back_up()
    assert (code, said["state"], said["reason"]) == (1, "failed", "restic")
    assert "lost this machine's repository" in said["text"]
    assert list(agent.door.inbox.iterdir()) == []
    assert agent.restic("init").returncode == 0
    code, said = agent.back_up()
    assert (code, said["reason"]) == (1, "restic")
    assert "another repository" in said["text"]
    (agent.places.work / "repository.json").unlink()
    assert agent.back_up()[0] == 0


def in_the_middle(agent: Agent) -> subprocess.Popen[str]:
    """Start a run that restic needs a while for, and return when the store has something of it."""
    with (agent.source / "large").open("wb") as handle:
        for _ in range(12):
            handle.write(os.urandom(4 << 20))
    slow = "make = run.restic.Repository.call\n"
    slow += (
        "run.restic.Repository.call = lambda self, *words: make(self, *words[:1], '--limit-upload', '4096', *words[1:])"
    )
    process = child(agent, before=slow)
    until(lambda: any((agent.door.inbox / "data").glob("*/*")), process)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_asked_to_end_says_so_and_leaves_no_lock(number: signal.Signals, agent: Agent) -> None:
    process = in_the_middle(agent)
    process.send_signal(number)
    told = process.communicate(timeout=90)[0]
    said = agent.status()
    assert (process.returncode, said["state"], said["reason"]) == (1, "failed", "killed"), told
    assert said["text"] == f"ended by {number.name}"
    assert (said["snapshot"], said["ended"] is not None) == (None, True)
    assert agent.restic("list", "locks").stdout == ""
    code, said = agent.back_up()
    assert (code, said["state"], said["counter"]) == (0, "completed", 2)


def test_a_run_that_dies_without_a_word_is_told_by_the_next_reader(agent: Agent) -> None:
    process = in_the_middle(agent)
    process.kill()
    process.communicate()
    assert agent.status()["state"] == "running"
    with run.status.lock(agent.places):
        assert run.status.last(agent.places)["reason"] == "killed"
    code, said = agent.back_up()
    assert (code, said["state"], said["counter"]) == (0, "completed", 2)
    assert agent.restic("list", "locks").stdout == ""


def test_a_lock_that_a_dead_restic_left_is_taken_back_by_the_next_run(agent: Agent) -> None:
    process = in_the_middle(agent)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for number in map(int, children):
        os.kill(number, signal.SIGKILL)
    process.communicate()
    said = agent.status()
    assert (said["state"], said["reason"]) == ("failed", "restic")
    assert agent.restic("list", "locks").stdout, "the control: there is a lock to take back"
    assert agent.back_up()[0] == 0
    assert agent.restic("list", "locks").stdout == ""


def test_a_second_run_does_nothing_and_touches_no_word_of_the_first(agent: Agent) -> None:
    process = in_the_middle(agent)
    before = agent.places.status.read_bytes()
    assert run.run(agent.machine()) == 75
    assert agent.places.status.read_bytes() == before
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=90)


def test_a_file_that_changes_while_restic_reads_is_moving(agent: Agent) -> None:
    process = in_the_middle(agent)
    (agent.source / "kept").write_text("changed")
    assert process.wait(120) == 0
    rows = agent.rows()
    assert rows[f"{agent.source}/kept"]["w"]
    assert "w" not in rows[f"{agent.source}/large"]
    process.communicate()


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_clock_that_is_wrong_by_a_day_shows(hours: int, agent: Agent) -> None:
    wrong = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
    code, said = agent.back_up(now=lambda: wrong)
    assert (code, said["state"]) == (0, "completed")
    assert said["clock"] == said["begun"] == f"{wrong:%Y-%m-%dT%H:%M:%SZ}"
    assert 0 <= said["seconds"] < 300


def test_a_dump_that_fails_is_a_failure_and_the_files_are_saved(agent: Agent, tmp_path: Path) -> None:
    agent.configure(databases=[{"name": "app", "kind": "mysql"}])
    code, said = agent.back_up()
    assert (code, said["state"], said["reason"]) == (1, "failed", "dump_failed")
    assert "'app'" in said["text"]
    assert (agent.restored(said["snapshot"], tmp_path / "restored") / "kept").read_text() == "kept"


def test_settings_that_cannot_be_used_are_a_failure(agent: Agent) -> None:
    agent.back_up()
    (agent.places.settings / "config.json").write_text("{}")
    code, said = agent.back_up()
    assert (code, said["state"], said["reason"], said["counter"]) == (1, "failed", "agent", 2)
    assert json.loads(agent.places.completed.read_text())["counter"] == 1


def test_the_password_is_in_no_process_list_and_no_output(agent: Agent) -> None:
    process = in_the_middle(agent)
    seen = b"".join(path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if readable(path))
    environments = b"".join(path.read_bytes() for path in Path("/proc").glob("[0-9]*/environ") if ours(path, agent))
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=90)[0]
    assert b"--password-file" in seen, "the control: restic was in the list"
    assert str(agent.root).encode() in environments, "the control: and its environment"
    for text in (seen, environments, told.encode(), agent.places.status.read_bytes()):
        assert PASSWORD.encode() not in text


def readable(path: Path) -> bool:
    try:
        return bool(path.read_bytes())
    except OSError:
        return False


def ours(path: Path, agent: Agent) -> bool:
    return readable(path) and str(agent.root).encode() in path.read_bytes()


NAMES = ["a", "b", "ab", "a.b", "a b", "é", "x*y", "c.tmp", "[z]", "new\nline", "\\", "A"]
PARTS = ["a", "b", "ab", "a*", "*b", "?", "??", "*", "*.tmp", "é", "x*y", "a?b", "new*", "A"]


@pytest.mark.parametrize("seed", range(4))
def test_patterns_mean_to_restic_what_they_mean_to_the_manifest(seed: int, tmp_path: Path) -> None:
    chosen = random.Random(seed)
    root = tmp_path / "tree [x]"
    for _ in range(60):
        path = root.joinpath(*chosen.choices(NAMES, k=chosen.randint(1, 4)))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except (NotADirectoryError, FileExistsError, IsADirectoryError):
            continue
    patterns = ["/".join(chosen.choices(PARTS, k=chosen.randint(1, 3))) for _ in range(3)]
    patterns = [one for one in patterns if one.strip("*/?")] + [f"{tmp_path}/*/{chosen.choice(PARTS)}/b"]
    patterns += [f"{tmp_path}/**/{chosen.choice(NAMES[:5])}/{chosen.choice(PARTS)}", "**/c.tmp"]
    apart = [str(root / "x*y"), str(root / "[z]")]
    found = exclusions.Exclusions(patterns, roots=[str(root)], apart=apart)
    ours = {os.fsdecode(path) for path in walk.walk([os.fsencode(root)], found).paths}
    environment = {"PATH": "/usr/bin:/bin", "RESTIC_PASSWORD": "x", "HOME": str(tmp_path)}
    words = ["restic", "-r", tmp_path / "repository", "--no-cache"]
    excluded = [word for pattern in found.patterns for word in ("--exclude", pattern)]
    for rest in (["init"], ["backup", *excluded, "--", root]):
        subprocess.run([*words, *rest], env=environment, capture_output=True, check=True)
    listed = subprocess.run([*words, "ls", "--json", "latest"], env=environment, capture_output=True, check=True)
    theirs = {one["path"] for one in map(json.loads, listed.stdout.splitlines()) if one["struct_type"] == "node"}
    assert {path for path in theirs if path.startswith(f"{root}/") or path == str(root)} == ours, patterns


@pytest.mark.parametrize(
    "pattern", ["", "!a", "[a]", "a\\b", "../a", "a/./b", "a//b", "/", "new\nline", "a/**", "/a/**/b/**"]
)
def test_patterns_that_mean_something_else_to_restic_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="no pattern"):
        exclusions.Exclusions([pattern])


def test_file_systems_of_the_kernel_are_left_out() -> None:
    mounts = "22 28 0:20 / /proc rw - proc proc rw\n23 28 0:21 / /srv/a\\040b/sys rw shared:1 - sysfs sysfs rw\n"
    mounts += "28 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    assert exclusions.pseudo_mounts(mounts) == ["/proc", "/srv/a b/sys"]
