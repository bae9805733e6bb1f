"""What advisories make of several updates: the order, the oldest of each severity, and never an age in the future."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.advisory import Advisory, Issue, Severity, Snapshot, Unaged, Urgency
from provisioner.model.patch_level import PatchLevel, PendingUpdate
from provisioner.planning.advisories import assess

AT = 1_800_000_000


def update(name: str, **changes: object) -> PendingUpdate:
    fields: dict[str, object] = {
        "name": name,
        "architecture": "amd64",
        "before": "1",
        "version": "2",
        "sha256": "",
        "origin": "Debian",
        "security": False,
        "kept": "",
        "source": name,
        "source_before": "1",
        "source_version": "2",
        "undo": False,
    }
    return PendingUpdate(**{**fields, **changes})  # type: ignore[arg-type]


def snapshot(**urgencies: Urgency) -> Snapshot:
    issues = {(name, "bookworm"): (Issue(f"CVE-2026-{name}", "2", how),) for name, how in urgencies.items()}
    return Snapshot(day=date(2026, 11, 29), digest="d", releases=frozenset({"bookworm"}), issues=issues)


def level(*pending: PendingUpdate) -> PatchLevel:
    return PatchLevel(release="bookworm", boot="b", pending=pending)


def test_the_worst_and_oldest_first() -> None:
    pending = [update("d"), update("c", security=True), update("b"), update("a"), update("e")]
    told = snapshot(a=Urgency.HIGH, b=Urgency.UNRATED, c=Urgency.LOW)
    seen = {("b", "2"): AT - 50, ("e", "2"): AT - 10}
    found = assess("ws-01", level(*pending), told, seen=seen, at=AT)
    assert [one.update.name for one in found.updates] == ["b", "a", "c", "e", "d"]
    assert found.oldest == {Severity.CRITICAL: AT - 50, Severity.OTHER: AT - 10}


def test_without_advisories_security_goes_first_and_first_sight_still_counts() -> None:
    pending = [update("a"), update("b", security=True)]
    found = assess("ws-01", level(*pending), Unaged.NO_ADVISORIES, seen={("a", "2"): AT - 5}, at=AT)
    assert [(one.update.name, one.severity, one.known) for one in found.updates] == [
        ("b", None, AT),
        ("a", None, AT - 5),
    ]
    assert (found.oldest, found.reason) == (None, Unaged.NO_ADVISORIES)


def test_a_machine_that_lacks_nothing_has_no_oldest() -> None:
    assert assess("ws-01", level(), snapshot(), seen={}, at=AT).oldest == {}


@given(
    st.lists(st.tuples(st.integers(-100, 100), st.integers(-100, 100), st.booleans()), min_size=1, max_size=8),
)
def test_nothing_is_known_after_the_scan_and_each_oldest_is_of_an_update(rows: list[tuple[int, int, bool]]) -> None:
    pending = [update(f"p{number}", security=security) for number, (_, _, security) in enumerate(rows)]
    seen = {(f"p{number}", "2"): AT + first for number, (first, _, _) in enumerate(rows)}
    advisories = {
        (f"p{number}", "bookworm"): (Advisory("DSA-1", AT + day, "2"),) for number, (_, day, _) in enumerate(rows)
    }
    told = Snapshot(day=date(2026, 11, 29), digest="d", releases=frozenset({"bookworm"}), advisories=advisories)
    found = assess("ws-01", level(*pending), told, seen=seen, at=AT)
    assert found.oldest is not None and all(at <= AT for at in found.oldest.values())
    for one in found.updates:
        first, day, _ = rows[int(one.update.name[1:])]
        assert one.known == min(AT, AT + first, AT + day)
    for severity, at in found.oldest.items():
        assert at == min(one.known for one in found.updates if one.severity is severity)
