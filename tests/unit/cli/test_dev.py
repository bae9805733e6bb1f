"""The tasks of the engineers keep the rules of all tasks."""

from __future__ import annotations

import json
import subprocess
from types import SimpleNamespace
from typing import TYPE_CHECKING

from invoke.context import Context

from provisioner.cli import dev

if TYPE_CHECKING:
    import pytest


def test_everything_run_in_full_is_one_document(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    campaigns = []

    def run(command: list[str], *, env: dict[str, str], **_: object) -> SimpleNamespace:
        campaigns.append(env.get("PROVISIONER_CAMPAIGN"))
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.delenv("PROVISIONER_CAMPAIGN", raising=False)
    dev.full(Context(), json=True)
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert [step["code"] for step in steps] == [0] * (len(dev.STATIC) + 2)
    assert campaigns == [None] * (len(dev.STATIC) + 1) + ["full"]
