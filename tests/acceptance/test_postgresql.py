"""The chain of commands around a log that lies on a PostgreSQL server: no command knows the difference."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.postgresql import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.acceptance.conftest import Desk
    from tests.postgresql import Server


@pytest.fixture
def desk(new_desk: Callable[[], Desk], postgresql: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    name = postgresql.create()
    monkeypatch.setenv("PROVISIONER_DATABASE_URL", postgresql.tcp_url(name))
    yield new_desk()
    postgresql.drop(name)


def test_a_log_on_a_server_is_written_read_verified_and_exported(desk: Desk, tmp_path: Path) -> None:
    assert desk.invoke("onboard", "--host", "kiosk-01").returncode == 3
    kept = tmp_path / "kept.checkpoint"
    shutil.copy(desk.state / "checkpoints/demo/latest", kept)
    assert desk.invoke("onboard", "--host", "kiosk-01").returncode == 3

    code, listed = desk.ask("audit.log", "--client", "demo")
    assert (code, [row["kind"] for row in listed["entries"]]) == (0, ["key", "contract", "refused", "refused"])
    assert {row["person"] for row in listed["entries"][2:]} == {"Alice Acceptance"}
    code, shown = desk.ask("audit.show", "--client", "demo", "--entry", "3")
    assert (code, shown["entries"][0]["body"]["outcome"]) == (0, "refused")
    code, report = desk.ask("audit.verify", "--client", "demo", "--checkpoint", str(kept))
    assert (code, report["status"], report["warnings"]) == (0, "OK", [])

    bundle = tmp_path / "demo.tar.gz"
    assert desk.invoke("audit.export", "--client", "demo", "--out", str(bundle)).returncode == 0
    assert desk.invoke("audit.verify", "--bundle", str(bundle), "--checkpoint", str(kept)).returncode == 0
    assert not (desk.state / "ledger.db").exists()


def test_no_server_no_work_and_no_password_on_the_screen(
    desk: Desk, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVISIONER_DATABASE_URL", postgresql.tcp_url("nosuch"))
    for words in (("onboard", "--host", "kiosk-01"), ("audit.verify", "--client", "demo")):
        done = desk.invoke(*words)
        assert done.returncode == 7
        assert 'database "nosuch" does not exist' in done.stderr
        assert PASSWORD.partition("/")[0] not in done.stdout + done.stderr
