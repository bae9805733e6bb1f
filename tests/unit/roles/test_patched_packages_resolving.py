"""What stays beside a held package, by fakes of python-apt's nouns; Molecule shows the same with apt itself."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "roles/patched_packages/module_utils"))

import patched_packages_resolving as resolving  # type: ignore[import-not-found]


@dataclass(eq=False)
class Base:
    name: str


@dataclass(eq=False)
class Version:
    package: Any
    version: str
    relations: dict[str, list[Any]] = field(default_factory=dict)

    def get_dependencies(self, *kinds: str) -> list[Any]:
        return [one for kind in kinds for one in self.relations.get(kind, [])]


class Dependency(list[Base]):
    """Alternatives by name, the versions that meet them, and those of them that are installed."""

    def __init__(self, *names: str, targets: tuple[Version, ...] = (), there: tuple[Version, ...] = ()) -> None:
        super().__init__(Base(name) for name in names)
        self.target_versions, self.installed_target_versions = list(targets), list(there)


@dataclass(eq=False)
class Package:
    shortname: str
    marked_upgrade: bool = False
    installed: Any = None
    versions: dict[str, Version] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.installed = Version(self, "1.0")
        self.versions = {"1.0": self.installed, "2.0": Version(self, "2.0")}

    @property
    def new(self) -> Version:
        return self.versions["2.0"]


def left(monkeypatch: pytest.MonkeyPatch, *packages: Package, staying: str = "held") -> list[str]:
    """Those of the packages that stay beside one that does."""
    cache = {one.shortname: one for one in packages}
    monkeypatch.setattr(resolving, "opened", lambda words: cache)
    rows = [{"name": one.shortname, "architecture": "all", "version": "2.0"} for one in packages]
    found = resolving.tied_ones([row for row in rows if row["name"] != staying], {staying: "1.0"}, [])
    return [row["name"] for row in found]


def test_what_needs_a_newer_one_of_what_stays_stays_and_what_needs_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, driven, further = Package("held"), Package("driven"), Package("further")
    driven.new.relations["Depends"] = [Dependency("held", targets=(held.new,))]
    further.new.relations["PreDepends"] = [Dependency("driven", targets=(driven.new,))]
    assert left(monkeypatch, held, further, driven) == ["driven", "further"]


def test_what_breaks_the_one_that_is_there_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    held, breaker = Package("held"), Package("breaker")
    breaker.new.relations["Breaks"] = [Dependency("held", targets=(held.installed,), there=(held.installed,))]
    assert left(monkeypatch, held, breaker) == ["breaker"]


def test_what_the_one_that_stays_needs_in_the_old_version_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    held, library = Package("held"), Package("library")
    held.installed.relations["Depends"] = [Dependency("library", targets=(library.installed,))]
    assert left(monkeypatch, held, library) == ["library"]


def test_what_apt_refuses_for_another_reason_is_left_to_the_installer_to_complain_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, broken = Package("held"), Package("broken")
    broken.new.relations["Depends"] = [Dependency("nowhere")]
    assert left(monkeypatch, held, broken) == []


def test_what_apt_takes_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    held, other = Package("held"), Package("other", marked_upgrade=True)
    other.new.relations["Depends"] = [Dependency("held", targets=(held.new,))]
    assert left(monkeypatch, held, other) == []


def test_what_stays_is_the_candidate_whatever_is_offered_and_what_is_not_there_does_not_come() -> None:
    text = resolving.preferences({"vim": "1.0", "new": ""})
    assert text.split("\n\n") == [
        "Package: new\nPin: version *\nPin-Priority: -1",
        "Package: vim\nPin: version 1.0\nPin-Priority: 1001\n",
    ]


def test_the_preferences_of_the_machine_are_read_after_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "OWN", tmp_path / "own")
    (tmp_path / "own").write_text("Package: *\nPin: release a=stable\nPin-Priority: 900\n")
    words = resolving.write_preferences({"vim": "1.0"}, tmp_path / "ours")
    assert words == ["-o", f"Dir::Etc::preferences={tmp_path / 'ours'}"]
    assert (tmp_path / "ours").read_text().index("vim") < (tmp_path / "ours").read_text().index("stable")


def test_the_words_of_a_command_are_the_settings_of_the_cache() -> None:
    words = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dir::State::lists=/x", "--no-remove", "-o", "A::B=c=d"]
    assert resolving.settings(words) == [("Dir::State::lists", "/x"), ("A::B", "c=d")]
