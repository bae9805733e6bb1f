"""The folder of advisories: the newest snapshot, read strictly; any other form is refused with its place."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.config import advisories
from provisioner.config.advisories import newest_snapshot
from provisioner.config.advisory_list import parse_advisories
from provisioner.errors import ConfigurationError
from provisioner.model.advisory import Advisory, Issue, Urgency

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 11, 30)
FIXED = {"status": "resolved", "fixed_version": "3.0.17-1~deb12u3", "urgency": "high"}
LIST = b"""[24 Nov 2026] DSA-6000-1 openssl - security update
\t{CVE-2026-1000 CVE-2026-1001}
\t[bookworm] - openssl 3.0.17-1~deb12u3
\t[trixie] - openssl 3.5.1-1+deb13u1 (bug #1)
\tNOTE: a note, whatever it says
[21 Jul 2006] DSA-1115 gnupg2 - integer overflow
        [sarge] - gnupg2 1.9.15-6sarge1
        [woody] - gnupg2 <not-affected> (too old)
[02 Jan 2026] DLA-4000-1 curl - security update
\t[bullseye] - curl  7.74.0-1.3+deb11u15
"""


def tracker(releases: Any, *, package: str = "openssl", name: str = "CVE-2026-1000") -> dict[str, Any]:
    said = {"description": "…", "debianbug": 1, "scope": "remote", "releases": releases}
    return {package: {name: said}}


def write(folder: Path, document: Any, day: str = "2026-11-29") -> None:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    (folder / f"{day}.json").write_bytes(text)


def refused(folder: Path) -> str:
    with pytest.raises(ConfigurationError) as error:
        newest_snapshot(folder, today=TODAY)
    assert error.value.exit_code == 2
    return str(error.value)


def at(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


def test_the_newest_snapshot_that_is_not_of_the_future(tmp_path: Path) -> None:
    for day in ("2026-11-01", "2026-11-29", "2026-12-01"):
        write(tmp_path, tracker({"bookworm": FIXED}, name=f"CVE-2026-{day.replace('-', '')}"), day)
    (tmp_path / "2026-11-29.dsa").write_bytes(LIST)
    (tmp_path / "README").write_text("not ours")
    (tmp_path / "2026-11-30.json.part").write_text("{")  # a copy that is under way
    found = newest_snapshot(tmp_path, today=TODAY)
    assert found is not None
    assert (found.day, found.releases) == (date(2026, 11, 29), {"bookworm"})
    assert found.issues["openssl", "bookworm"][0].id == "CVE-2026-20261129"
    assert found.digest == sha256((tmp_path / "2026-11-29.json").read_bytes()).hexdigest()
    assert found.list_digest == sha256(LIST).hexdigest()
    assert found.advisories["openssl", "bookworm"] == (Advisory("DSA-6000-1", at(2026, 11, 24), "3.0.17-1~deb12u3"),)


def test_no_snapshot_is_none_and_a_list_alone_is_no_snapshot(tmp_path: Path) -> None:
    (tmp_path / "2026-11-29.dsa").write_bytes(LIST)
    assert newest_snapshot(tmp_path, today=TODAY) is None
    write(tmp_path, tracker({"bookworm": FIXED}), "2026-12-01")
    assert newest_snapshot(tmp_path, today=TODAY) is None


def test_only_what_a_version_ends_is_an_issue(tmp_path: Path) -> None:
    releases = {
        "bookworm": {**FIXED, "urgency": "medium**"},
        "trixie": {"status": "open", "urgency": "not yet assigned"},
        "bullseye": {"status": "undetermined", "urgency": "low"},
        "forky": {"status": "resolved", "fixed_version": "0", "urgency": "unimportant"},
        "sid": {"status": "resolved", "fixed_version": "3.6.0-1", "urgency": "end-of-life"},
    }
    write(tmp_path, tracker(releases))
    found = newest_snapshot(tmp_path, today=TODAY)
    assert found is not None
    assert found.issues == {
        ("openssl", "bookworm"): (Issue("CVE-2026-1000", "3.0.17-1~deb12u3", Urgency.MEDIUM),),
        # What rates nothing is unrated, never harmless.
        ("openssl", "sid"): (Issue("CVE-2026-1000", "3.6.0-1", Urgency.UNRATED),),
    }
    assert found.releases == frozenset(releases), "a release without an issue is known all the same"


HOSTILE: list[tuple[Any, str]] = [
    (b"", "2026-11-29.json:1:1: is not JSON"),
    (b'{\n"openssl": }', "2026-11-29.json:2:12: is not JSON"),
    (b"\xff{}", "is not UTF-8"),
    (b"[]", "expected an object"),
    (b"{}", "names no package"),
    (b"[" * 200_000, "nested too deeply"),
    (b'{"a":' * 200_000, "nested too deeply"),
    (b'{"openssl": {}, "openssl": {}}', "the key 'openssl' is twice"),
    (json.dumps(tracker({"bookworm": {**FIXED, "x": 1}})).replace('"x": 1', '"x": NaN').encode(), "NaN is no value"),
    (json.dumps(tracker({"bookworm": {**FIXED, "x": 1}})).replace('"x": 1', f'"x": {"9" * 5000}').encode(), "digits"),
    ({"Open SSL": {}}, "expected a source package"),
    ({"a\nb": {}}, "expected a source package"),
    ({"openssl": []}, "openssl: expected a source package"),
    ({"openssl": {"CVE-2026-1": []}}, "openssl.CVE-2026-1: expected an issue"),
    ({"openssl": {"CVE 1": {"releases": {}}}}, "expected an issue"),
    ({"openssl": {"CVE-2026-1": {}}}, "expected an issue"),
    (tracker({"bookworm": []}), "'bookworm': expected a release"),
    (tracker({"Book Worm": FIXED}), "'Book Worm': expected a release"),
    (tracker({"bookworm": {**FIXED, "fixed_version": 3}}), "openssl.CVE-2026-1000.releases.bookworm: fixed_version"),
    (tracker({"bookworm": {**FIXED, "fixed_version": "3 or 4"}}), "fixed_version: expected a version"),
    (tracker({"bookworm": {**FIXED, "fixed_version": "1" * 129}}), "fixed_version: expected a version"),
    (tracker({"bookworm": {**FIXED, "urgency": None}}), "expected a status and an urgency"),
    (tracker({"bookworm": {**FIXED, "status": ["resolved"]}}), "expected a status and an urgency"),
]


@pytest.mark.parametrize(("document", "says"), HOSTILE, ids=[f"{n}" for n in range(len(HOSTILE))])
def test_what_is_not_the_trackers_form_is_refused_with_its_place(tmp_path: Path, document: Any, says: str) -> None:
    write(tmp_path, document)
    said = refused(tmp_path)
    assert says in said
    assert said.startswith(f"{tmp_path.name}/2026-11-29.json") and len(said) < 2000


def test_many_problems_are_not_all_shown(tmp_path: Path) -> None:
    write(tmp_path, {f"pkg{n}": [] for n in range(1000)})
    assert len(refused(tmp_path).splitlines()) == 20


def test_files_that_are_too_long_or_elsewhere_or_named_by_no_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "advisories"
    assert "cannot be read" in refused(folder)
    folder.mkdir()
    write(folder, tracker({"bookworm": FIXED}))
    assert newest_snapshot(folder, today=TODAY) is not None
    monkeypatch.setattr(advisories, "TRACKER_LIMIT", 10)
    assert "is longer than" in refused(folder)
    monkeypatch.undo()
    write(tmp_path, tracker({"bookworm": FIXED}), "outside")
    (folder / "2026-11-30.json").symlink_to(tmp_path / "outside.json")
    assert "symbolic link" in refused(folder)
    (folder / "2026-13-45.json").write_text("{}")
    assert "2026-13-45.json: is named by no day" in refused(folder)


BAD_LISTS = [
    (b"DSA-6000-1 openssl", 1, "expected an advisory such as"),
    (b"[31 Feb 2026] DSA-6000-1 openssl", 1, "expected an advisory such as"),
    (b"[24 Nov 2026] DSA-6000-1 x\n[24 November 2026] DSA-6001-1 x", 2, "expected an advisory such as"),
    (b"\t[bookworm] - openssl 3", 1, "before the first advisory"),
    (b"[24 Nov 2026] DSA-6000-1 x\n\t[bookworm] - Open 3", 2, "expected a release and a version"),
    (b"[24 Nov 2026] DSA-6000-1 x\n\t[bookworm] - openssl", 2, "expected a release and a version"),
    (b"[24 Nov 2026] DSA-6000-1 x\n\t[bookworm] - openssl 3_0", 2, "no version"),
    (b"[24 Nov 2026] DSA-6000-1 x\n" + b"\t" * 70_000, 2, "is longer than"),
]


@pytest.mark.parametrize(("data", "line", "says"), BAD_LISTS, ids=[f"{n}" for n in range(len(BAD_LISTS))])
def test_a_line_that_is_nothing_of_a_list(data: bytes, line: int, says: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        parse_advisories(data, file="x.dsa")
    assert str(error.value).startswith(f"x.dsa:{line}:1: ") and says in str(error.value)


def test_the_lists_as_the_tracker_writes_them() -> None:
    found = parse_advisories(LIST, file="x.dsa")
    assert found == {
        ("openssl", "bookworm"): (Advisory("DSA-6000-1", at(2026, 11, 24), "3.0.17-1~deb12u3"),),
        ("openssl", "trixie"): (Advisory("DSA-6000-1", at(2026, 11, 24), "3.5.1-1+deb13u1"),),
        ("gnupg2", "sarge"): (Advisory("DSA-1115", at(2006, 7, 21), "1.9.15-6sarge1"),),
        ("curl", "bullseye"): (Advisory("DLA-4000-1", at(2026, 1, 2), "7.74.0-1.3+deb11u15"),),
    }


@settings(max_examples=200)
@given(st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(LIST.splitlines()), max_size=8).map(b"\n".join)))
def test_no_bytes_are_more_than_a_refusal(data: bytes) -> None:
    try:
        parse_advisories(data, file="x.dsa")
    except ConfigurationError as error:
        assert len(error.problems) <= 20
