"""The folder of advisories: dated snapshots of Debian's security tracker, read strictly, the newest alone.

`YYYY-MM-DD.json` is the tracker's own `data/json` of that day, `YYYY-MM-DD.dsa` beside it its lists of advisories.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from provisioner.config.advisory_list import parse_advisories
from provisioner.config.files import label, read_regular
from provisioner.errors import ConfigurationError, Problem
from provisioner.model.advisory import Issue, Snapshot, Urgency
from provisioner.model.debian import PACKAGE, RELEASE, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TRACKER_LIMIT = 256 * 1024 * 1024
LIST_LIMIT = 16 * 1024 * 1024
_SHOWN = 20
_FILE = re.compile(r"(\d{4}-\d\d-\d\d)\.json", re.ASCII)
_ISSUE = re.compile("[A-Z]{3,4}-[0-9]{4,7}-[0-9A-Z]{1,19}")
_NEVER = "0"
"""The fixed version of what was never vulnerable."""

_URGENCIES = {urgency.value: urgency for urgency in Urgency}


class _Refused(Exception):
    """Something in a document that it may not hold: where, and a sentence."""


def newest_snapshot(folder: Path, *, today: date) -> Snapshot | None:
    """Given the folder of advisories, return the newest snapshot that is not after `today`; None where there is none.

    Files of other names are passed over. Raises ConfigurationError with the file and the place where it cannot be read,
    is too long, is no JSON or not the tracker's form: half of what is known is not used in its place.
    """
    days = sorted(day for day in _days(folder) if day <= today)
    if not days:
        return None
    day = days[-1]
    tracker, listed = folder / f"{day}.json", folder / f"{day}.dsa"
    data = read_regular(tracker, folder=folder, limit=TRACKER_LIMIT)
    issues, releases = _tracker(data, label(tracker, folder=folder))
    text = read_regular(listed, folder=folder, limit=LIST_LIMIT) if listed.exists() else None
    return Snapshot(
        day=day,
        digest=sha256(data).hexdigest(),
        list_digest=None if text is None else sha256(text).hexdigest(),
        releases=frozenset(releases),
        issues=issues,
        advisories=parse_advisories(text, file=label(listed, folder=folder)) if text is not None else {},
    )


def _days(folder: Path) -> Iterator[date]:
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise _error(folder.name, 0, 0, "", f"cannot be read: {error.strerror}") from None
    for found in filter(None, map(_FILE.fullmatch, names)):
        try:
            yield date.fromisoformat(found[1])
        except ValueError:
            raise _error(f"{folder.name}/{found[0]}", 0, 0, "", "is named by no day of the calendar") from None


Issues = dict[tuple[str, str], tuple[Issue, ...]]


def _tracker(data: bytes, file: str) -> tuple[Issues, set[str]]:
    document = _document(data, file)
    found: defaultdict[tuple[str, str], list[Issue]] = defaultdict(list)
    releases: set[str] = set()
    problems: list[Problem] = []
    for source, issues in document.items():
        for loc, name, release, said in _releases(source, issues, file, problems):
            try:
                issue = _issue(name, said)
            except _Refused as error:
                problems.append(Problem(file, 0, 0, loc, str(error)))
                continue
            releases.add(release)
            if issue is not None:
                found[source, release].append(issue)
        if len(problems) >= _SHOWN:
            break
    if not document:
        problems.append(Problem(file, 0, 0, "", "names no package: this is no snapshot of the tracker"))
    if problems:
        raise ConfigurationError(tuple(problems[:_SHOWN]))
    return {key: tuple(issues) for key, issues in found.items()}, releases


def _releases(
    source: str, issues: Any, file: str, problems: list[Problem]
) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Yield where, which issue, which release and what is said of it; everything else is a problem."""
    if not PACKAGE.fullmatch(source) or not isinstance(issues, dict):
        problems.append(Problem(file, 0, 0, source[:80], "expected a source package with its issues"))
        return
    for name, issue in issues.items():
        loc = f"{source}.{name[:40]}"
        releases = issue.get("releases") if isinstance(issue, dict) and _ISSUE.fullmatch(name) else None
        if not isinstance(releases, dict):
            problems.append(Problem(file, 0, 0, loc, "expected an issue such as CVE-2026-1234 with `releases`"))
            continue
        for release, said in releases.items():
            if RELEASE.fullmatch(release) and isinstance(said, dict):
                yield f"{loc}.releases.{release}", name, release, said
            else:
                problems.append(Problem(file, 0, 0, loc, f"{release[:40]!a}: expected a release with its status"))


def _issue(name: str, said: Mapping[str, Any]) -> Issue | None:
    """The issue where a version ends it, None where none does (open, undetermined, never vulnerable)."""
    status, fixed, urgency = said.get("status"), said.get("fixed_version") or _NEVER, said.get("urgency", "")
    if not isinstance(status, str) or not isinstance(urgency, str):
        raise _Refused("expected a status and an urgency, each a text")
    if not isinstance(fixed, str) or not VERSION.fullmatch(fixed):
        raise _Refused("fixed_version: expected a version of Debian's form")
    if status != "resolved" or fixed == _NEVER:
        return None
    # Asterisks: rated by another database. Words that nobody knows, such as end-of-life, rate nothing.
    return Issue(name, fixed, _URGENCIES.get(urgency.rstrip("*"), Urgency.UNRATED))


def _document(data: bytes, file: str) -> dict[str, Any]:
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _error(file, line, 1, "", "is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _error(file, error.lineno, error.colno, "", f"is not JSON: {error.msg}") from None
    except RecursionError:
        raise _error(file, 0, 0, "", "is nested too deeply") from None
    except (_Refused, ValueError) as error:  # a number of more digits than Python converts is a ValueError
        raise _error(file, 0, 0, "", str(error)) from None
    if not isinstance(found, dict):
        raise _error(file, 1, 1, "", "expected an object with the source packages")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _Refused(f"the key {twice[:80]!a} is twice in one object")
    return found


def _constant(text: str) -> Any:
    raise _Refused(f"{text} is no value of JSON")


def _error(file: str, line: int, col: int, path: str, message: str) -> ConfigurationError:
    return ConfigurationError((Problem(file, line, col, path, message),))
