from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from provisioner.cli import wiring
from provisioner.cli.due import _span, _write
from provisioner.cli.wiring import service
from provisioner.config.settings import load_settings
from provisioner.errors import UsageError
from provisioner.model.agenda import Agenda
from provisioner.model.values import Duration
from provisioner.reporting.agenda import agenda_calendar

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = (agenda_calendar(Agenda(as_of=0, until=date(2026, 1, 1), clients=(), items=()), {}) for _ in range(2))


def test_how_far_to_look() -> None:
    assert _span("90d") == Duration(90, "d")
    assert _span("6mo") == Duration(6, "mo")
    for text in ("", "soon", "90", "-1d", "2bd", "4h", "9999d"):
        with pytest.raises(UsageError, match="--ahead"):
            _span(text)


def test_a_calendar_is_written_and_written_again(tmp_path: Path) -> None:
    path = tmp_path / "due.ics"
    _write(path, OLD)
    _write(path, NEW + b"")
    assert path.read_bytes() == NEW
    assert [each.name for each in tmp_path.iterdir()] == ["due.ics"]


@pytest.mark.parametrize("kind", ["other", "link", "folder"])
def test_what_is_no_calendar_of_ours_stays(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "due.ics"
    if kind == "other":
        path.write_bytes(b"BEGIN:VCALENDAR\r\nPRODID:-//somebody//else//EN\r\nEND:VCALENDAR\r\n")
    elif kind == "link":
        (tmp_path / "theirs").write_bytes(OLD)
        path.symlink_to("theirs")
    else:
        path.mkdir()
    with pytest.raises(UsageError, match="is no calendar that"):
        _write(path, NEW)


def test_a_folder_that_is_not_there_is_an_error_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        _write(tmp_path / "none" / "due.ics", NEW)


def test_no_source_of_figures_is_asked_for_what_is_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(service.figures, "of_client", lambda *found, **_: asked.append(found) or {})
    settings = load_settings({"PROVISIONER_STATE": str(tmp_path)}, checkout=wiring.CHECKOUT, login="tester")
    site = wiring.Site(wiring.CHECKOUT, settings)
    service.promises(site, "demo", as_of="", contract_id="", measured=False)
    assert asked == []
    service.promises(site, "demo", as_of="", contract_id="")
    assert len(asked) == 1
