"""3-2-1-1-0 of one machine: three copies, two stores, one off site, one that cannot be changed, no errors. Pure.

Each part says what proves it, or what is lacking: a part that nobody looked at is not proven. A copy counts while the
newest complete snapshot of its vault is within the rpo.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioner.model.backup import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioner.model.backup_seen import Seen


def rules(seen: Seen, newest: Mapping[str, int]) -> tuple[Rule, ...]:
    """Given what is known of a machine, and by store the instant of its newest complete snapshot, return the parts."""
    return tuple(_rules(seen, newest)) if seen.policy is not None else ()


def _rules(seen: Seen, newest: Mapping[str, int]) -> Iterator[Rule]:
    assert seen.policy is not None
    young = {name: at for name, at in newest.items() if seen.at - at <= seen.policy.rpo}
    held = ", ".join(f"{name} ({_utc(at)})" for name, at in young.items()) or "no vault within the rpo"
    yield Rule("3", "three copies", len(young) >= 2, f"the machine itself; {held}")
    yield Rule("2", "on two stores", len(young) >= 2, held)
    away = [name for name in seen.policy.stores[1:] if name in young]
    yield Rule("1", "one off site", bool(away), ", ".join(away) or _not_away(seen, newest))
    yield _immutable(seen)
    yield _no_errors(seen)


def _not_away(seen: Seen, newest: Mapping[str, int]) -> str:
    assert seen.policy is not None
    if not seen.policy.stores[1:]:
        return "the contract names no second store"
    known = [f"{name}: its newest is of {_utc(newest[name])}" for name in seen.policy.stores[1:] if name in newest]
    return "; ".join(known) or f"nothing complete on {', '.join(seen.policy.stores[1:])}"


def _immutable(seen: Seen) -> Rule:
    """The last probe decides, whatever those before it said."""
    assert seen.policy is not None
    probes = [one for one in seen.probes if one.store == seen.policy.site]
    last = max(probes, key=lambda one: (one.at, one.place), default=None)
    said = f"probe of {_utc(last.at)}, entry {last.place}" if last else "no probe: invoke backup.probe"
    passed = last is not None and last.passed
    return Rule("1", "one that cannot be changed", passed, said if passed or last is None else f"{said}: not refused")


def _no_errors(seen: Seen) -> Rule:
    """The last drill decides, and every check of a vault."""
    last = max(seen.drills, key=lambda one: (one.ended, one.place), default=None)
    wrong = [
        name for name, report in seen.stores.items() if report and report.vault_checked and not report.vault_checked.ok
    ]
    if last is None:
        return Rule("0", "no errors", False, "no restore drill: invoke backup.drill")
    said = f"{'full ' if last.full else ''}drill of {_utc(last.ended)}, entry {last.place}"
    if not last.passed:
        return Rule("0", "no errors", False, f"{said}: failed")
    if wrong:
        return Rule("0", "no errors", False, f"{said}; but the vault on {', '.join(wrong)} does not check")
    return Rule("0", "no errors", True, said)


def _utc(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
