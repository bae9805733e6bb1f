"""What restic's codes and complaints mean; what status.json says of a run that ended without a word; metrics."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from provisioner_backup import restic, settings, status

if TYPE_CHECKING:
    from pathlib import Path

COMPLAINTS = [
    (1, "Fatal: wrong password or no key found", "wrong_password"),
    (12, '{"message_type":"exit_error","code":12,"message":"Fatal: wrong password or no key found"}', "wrong_password"),
    (1, "rclone: ssh: connect to host 127.0.0.1 port 1: Connection refused", "store_unreachable"),
    (1, "rclone: ssh: connect to host 192.0.2.1 port 22: Connection timed out", "store_unreachable"),
    (1, "rclone: ssh: Could not resolve hostname nowhere: Name or service not known", "store_unreachable"),
    (1, "rclone: Host key verification failed.", "store_unreachable"),
    (1, "rclone: backup-acme@store: Permission denied (publickey).", "store_unreachable"),
    (1, "rclone: Timeout, server 192.0.2.1 not responding.", "store_unreachable"),
    (1, "Fatal: unable to save snapshot: rclone stdio connection already closed", "store_unreachable"),
    (
        1,
        "rclone: ERROR : data/5a: put error: preallocate: file too big for remaining disk space",
        "store_full",
    ),
    (1, "rclone: ERROR : data/5a: Post request put error: write /x: no space left on device", "store_full"),
    (1, "Fatal: write /var/lib/provisioner/backup/work/tmp/x: no space left on device", "disk_full"),
    (1, "Fatal: unable to create lock in backend: repository is already locked by PID 1", "locked"),
    (11, "failed to lock repository", "locked"),
    (130, "", "killed"),
    (1, "Fatal: config or key 1234 is damaged", "restic"),
]


@pytest.mark.parametrize(("code", "line", "expected"), COMPLAINTS)
def test_a_complaint_has_a_reason(code: int, line: str, expected: str) -> None:
    word, text = restic.reason(restic.Answer(code=code, complaints=["something else", line, "and more"]))
    assert word == expected
    assert not text.startswith(("rclone:", "{"))
    assert text


def test_the_most_telling_complaint_decides() -> None:
    lines = ["Fatal: unable to open repository: unexpected EOF", "rclone: ssh: connect to host h: Connection refused"]
    assert restic.reason(restic.Answer(code=1, complaints=lines))[1] == "ssh: connect to host h: Connection refused"
    full = ["Save(<data/1>) returned error: unexpected EOF", "rclone: write x: No space left on device"]
    assert restic.reason(restic.Answer(code=1, complaints=full))[0] == "store_full"


def test_why_it_was_given_up_is_the_reason_and_not_how() -> None:
    lines = ["rclone: ERROR : data/5a: put error: no space left on device", "signal interrupt received, cleaning up"]
    found = restic.reason(restic.Answer(code=130, complaints=lines, given_up="store_full"))
    assert found == ("store_full", "ERROR : data/5a: put error: no space left on device")
    assert (
        restic.reason(restic.Answer(code=130, complaints=["x"], given_up="store_unreachable"))[0] == "store_unreachable"
    )


def test_errors_are_counted_wherever_this_restic_writes_them() -> None:
    error = '{"message_type":"error","error":{},"during":"archival","item":"/srv/%s"}'
    answer = restic.Answer(lines=[error % "a", error % "b"], complaints=[error % "b", "text", "[]"])
    assert answer.unreadable == {"/srv/a", "/srv/b"}


def words(**changed: Any) -> dict[str, Any]:
    said = {"v": 1, "run": "0" * 32, "counter": 4, "begun": "2026-11-30T12:00:00Z", "ended": "2026-11-30T12:00:05Z"}
    said |= {"state": "completed", "reason": "", "text": "", "missing": [], "unreadable": 0, "snapshot": "1" * 64}
    return said | {"files": 3, "bytes": 9, "added": 2, "seconds": 5} | changed


@pytest.fixture
def places(tmp_path: Path) -> Any:
    (tmp_path / "state/work").mkdir(parents=True)
    return settings.Places(tmp_path / "settings", tmp_path / "state", tmp_path / "metrics")


def test_a_run_that_ended_without_a_word_was_killed(places: Any) -> None:
    status.write(places, words(state="running", ended=None))
    found = status.last(places)
    assert found == words(state="failed", reason="killed", text="the run ended without a word", ended=None)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"state": "completed"}', '{"state": 1, "counter": "4"}', "\xff"])
def test_a_status_that_says_nothing_is_none(text: str, places: Any) -> None:
    places.status.write_text(text, encoding="latin-1")
    assert status.last(places) is None


def test_the_last_completed_run_stays_known(places: Any) -> None:
    status.write(places, words())
    status.write(places, words(counter=5, state="failed"))
    assert json.loads(places.completed.read_text())["counter"] == 4
    assert json.loads(places.status.read_text())["counter"] == 5


def test_two_at_once_are_one_and_a_refusal(places: Any) -> None:
    with status.lock(places), pytest.raises(status.Busy), status.lock(places):
        pass
    with status.lock(places):
        pass


def test_metrics_name_the_last_completed_run_and_the_state() -> None:
    lines = status.metrics(words(state="failed", ended="2026-11-30T13:00:00Z"), words()).splitlines()
    assert "provisioner_backup_last_run_timestamp_seconds 1796043600" in lines
    assert "provisioner_backup_last_completed_timestamp_seconds 1796040005" in lines
    assert 'provisioner_backup_state{state="failed"} 1' in lines
    assert 'provisioner_backup_state{state="completed"} 0' in lines
    assert "provisioner_backup_last_completed_timestamp_seconds 0" in status.metrics(words(), None).splitlines()


def test_metrics_go_only_where_somebody_reads_them(places: Any) -> None:
    status.publish(places, words())
    assert not places.metrics.exists()
    places.metrics.mkdir()
    status.publish(places, words())
    assert [path.name for path in places.metrics.iterdir()] == ["provisioner_backup.prom"]


@pytest.mark.parametrize("text", [None, "", "{}", '{"agent": "a"}', "[1]"])
def test_settings_that_cannot_be_used_are_named(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(settings.Trouble, match=r"config\.json cannot be used") as found:
        settings.Settings.read(path)
    assert found.value.reason == "agent"
