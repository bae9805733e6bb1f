"""Every case of advisories.yml: a pending update and a snapshot in, what the scan proves out."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioner.config.advisories import newest_snapshot
from provisioner.model.advisory import Unaged
from provisioner.model.patch_level import PatchLevel, PendingUpdate
from provisioner.planning.advisories import assess, usable

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "advisories.yml").read_text())
AT = int(datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp())
WEEK = 7 * 86_400
DAYS = {"fresh": "2026-11-29", "stale": "2026-11-22"}
UPDATE = PendingUpdate(
    name="libssl3",
    architecture="amd64",
    before="3.0.15-1~deb12u1",
    version="3.0.17-1~deb12u3",
    sha256="a" * 64,
    origin="Debian stable",
    security=False,
    kept="",
    source="openssl",
    source_before="3.0.15-1~deb12u1",
    source_version="3.0.17-1~deb12u3",
    undo=True,
)


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def folder(case: dict[str, Any], path: Path) -> Path:
    """The folder of advisories of a case; one issue of another package is always there, in bookworm."""
    issues: dict[str, dict[str, Any]] = {}
    for name, release, status, fixed, urgency in case.get("issues", []):
        said = {"status": status, "urgency": urgency} | ({"fixed_version": fixed} if fixed else {})
        issues.setdefault(name, {"releases": {}})["releases"][release] = said
    other = {"CVE-2020-1": {"releases": {"bookworm": {"status": "open", "urgency": "low"}}}}
    day = DAYS.get(case.get("snapshot", "fresh"))
    if day:
        document = {"other": other, case.get("source", "openssl"): issues}
        (path / f"{day}.json").write_text(json.dumps(document))
        if "list" in case:
            (path / f"{day}.dsa").write_text(case["list"])
    return path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["title"])
def test_what_a_scan_proves(case: dict[str, Any], tmp_path: Path) -> None:
    snapshot = newest_snapshot(folder(case, tmp_path), today=date(2026, 11, 30))
    update = UPDATE._replace(**case["update"])
    level = PatchLevel(
        release=case.get("release", "bookworm"), boot="b", pending=(update,), left_out=case.get("left_out", 0)
    )
    seen = {(update.name, update.version): seconds(case["seen"])} if "seen" in case else {}
    told = usable(snapshot, stale_after=WEEK, at=AT) or snapshot
    assert told is not None
    found = assess("ws-01", level, told, seen=seen, at=AT)
    expected = case["expect"]
    (one,) = found.updates
    assert (one.severity, list(one.issues)) == (expected["severity"], expected.get("issues", []))
    assert (found.reason and found.reason.value) == expected.get("reason")
    assert (found.oldest is None) == ("reason" in expected), "an age is told, or why not; never both"
    if "oldest" in expected:
        assert found.oldest == {severity: seconds(at) for severity, at in expected["oldest"].items()}


def test_stale_is_longer_ago_than_was_agreed(tmp_path: Path) -> None:
    snapshot = newest_snapshot(folder({"issues": []}, tmp_path), today=date(2026, 11, 30))
    assert snapshot is not None
    begun = seconds("2026-11-29T00:00:00Z")
    assert usable(snapshot, stale_after=WEEK, at=begun + WEEK) is None
    assert usable(snapshot, stale_after=WEEK, at=begun + WEEK + 1) is Unaged.STALE_ADVISORIES
    assert usable(None, stale_after=WEEK, at=begun) is Unaged.NO_ADVISORIES
    assert usable(replace(snapshot, day=date(2026, 11, 1)), stale_after=WEEK, at=begun) is Unaged.STALE_ADVISORIES
