r"""Check any tool against the conformance suite of this folder: docs/reference/sla_conformance.md describes the cases.

    python tests/golden/sla/run.py --command \
        'invoke sla.replay --contract {contract} --events {events} --as-of {as_of} --json'

Needs Python and PyYAML, and nothing of provisioner. Ends 0 when every case is as expected, 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent
BASE = "base.yml"


class _Loader(yaml.SafeLoader):
    """YAML of which only null and booleans are more than text: days, instants and amounts stay as they are written."""


_Loader.yaml_implicit_resolvers = {}  # `on` is a key of a notice, and no truth
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^(null|)$"), ["n", ""])


def read(path: Path) -> object:
    """Read a file of the suite."""
    return yaml.load(path.read_text(encoding="utf-8"), _Loader)


def cases() -> list[tuple[str, dict]]:
    """Every case with its name: the file, and its title."""
    files = [path for path in sorted(FOLDER.glob("*.yml")) if path.name != BASE]
    return [(f"{path.stem}: {case['title']}", case) for path in files for case in read(path)]


def merged(base: object, change: object) -> object:
    """The base with a change in it: mappings key by key, anything else replaced, null takes a key away."""
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    both = {**base, **{key: merged(base.get(key), value) for key, value in change.items()}}
    return {key: value for key, value in both.items() if value is not None or key not in change}


def write(case: dict, folder: Path) -> tuple[Path, Path]:
    """Write the files of a case; return the contract (a folder when there are several) and the events."""
    base = read(FOLDER / BASE)["contract"]
    if "contracts" in case:
        (folder / "contracts").mkdir()
        for change in case["contracts"]:
            _dump(folder / "contracts" / f"{change['id']}.yml", merged(base, change))
    else:
        _dump(folder / "contract.yml", merged(base, case.get("contract", {})))
    if "hosts" in case:
        groups = {group: {"hosts": {name: {} for name in names}} for group, names in case["hosts"].items()}
        _dump(folder / "hosts.yml", {"all": {"children": groups}})
    events = folder / "events.jsonl"
    events.write_text(
        "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in case["events"]), encoding="utf-8"
    )
    return folder if "contracts" in case else folder / "contract.yml", events


def _dump(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")


def differences(expect: dict, document: dict) -> list[str]:
    """What of a document (or of the error that came in its place) is not as expected; only what is expected is read."""
    if unknown := expect.keys() - {"measurements", "absent", "credits", "total", "error"}:
        return [f"an expectation that nobody looks at: {', '.join(sorted(unknown))}"]
    if "error" in expect or "error" in document:
        wanted, said = expect.get("error", []), str(document.get("error", ""))
        texts = wanted if isinstance(wanted, list) else [wanted]
        return [] if texts and all(text in said for text in texts) else [f"error: expected {wanted!r}, found {said!r}"]
    found = _listed("measurement", expect.get("measurements", []), document["measurements"])
    for one in expect.get("absent", []):
        there = [other for other in document["measurements"] if all(_same(one[key], other.get(key)) for key in one)]
        found += [f"measurement {one}: expected none, found {len(there)}"] if there else []
    if "credits" in expect:
        found += _listed("credit", expect["credits"], document["credits"])
        if len(expect["credits"]) != len(document["credits"]):
            found.append(f"credits: expected {len(expect['credits'])}, found {len(document['credits'])}")
    if "total" in expect and not _same(expect["total"], _total(expect["total"], document["total"])):
        found.append(f"total: expected {expect['total']}, found {document['total']}")
    return found


def _total(wanted: dict, having: dict) -> dict:
    """The totals of every month that there is, with the wanted keys of it."""
    return {month: _part(total, wanted.get(month)) for month, total in having.items()}


def _part(value: object, wanted: object) -> object:
    """A value with the wanted keys of its mappings only."""
    if not isinstance(value, dict) or not isinstance(wanted, dict):
        return value
    return {key: _part(value.get(key), wanted[key]) for key in wanted}


_NAMES = ("ticket", "group", "asset", "month", "objective", "contract")


def _listed(noun: str, wanted: list[dict], having: list[dict]) -> list[str]:
    """Each wanted one is looked for by the names it has; the others of its keys are then compared."""
    found = []
    for one in wanted:
        named = {key: one[key] for key in _NAMES if key in one}
        matching = [other for other in having if all(_same(value, other.get(key)) for key, value in named.items())]
        if len(matching) != 1:
            found.append(f"{noun} {named}: expected one, found {len(matching)}")
            continue
        for key, value in one.items():
            other = matching[0].get(key)
            if not _same(value, _part(other, value) if key == "bounds" else other):
                found.append(f"{noun} {named}: {key}: expected {value}, found {other}")
    return found


def _same(wanted: object, found: object) -> bool:
    if isinstance(wanted, dict) and isinstance(found, dict):
        return wanted.keys() == found.keys() and all(_same(value, found[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(_same(one, other) for one, other in zip(wanted, found, strict=True))
    if wanted is None or found is None or isinstance(wanted, bool):
        return wanted is found
    return _plain(wanted) == _plain(found)


def _plain(value: object) -> str:
    """A scalar as text; an instant in UTC, whatever its offset was."""
    text = str(value)
    if "T" in text and text[:4].isdigit():
        try:
            return datetime.fromisoformat(text).astimezone(UTC).isoformat()
        except ValueError:
            return text
    return text


def ask(command: str, case: dict, folder: Path) -> dict:
    """Run a command line on the files of a case and return the JSON document it printed."""
    contract, events = write(case, folder)
    places = {"contract": contract, "events": events, "as_of": case["as_of"], "folder": folder}
    words = [word.format(**places) for word in shlex.split(command)]
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    try:
        document = json.loads(answer.stdout)
    except ValueError:
        return {"error": answer.stderr.strip() or f"exit code {answer.returncode}, and no JSON document"}
    return document if isinstance(document, dict) else {"error": "the document is no JSON object"}


def main(arguments: list[str] | None = None) -> int:
    """Run every case, or those with `--only` in their name; print what differs, and how many are as expected."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", required=True)
    parser.add_argument("--only", default="")
    options = parser.parse_args(arguments)
    chosen = [(name, case) for name, case in cases() if options.only in name]
    failed = 0
    for name, case in chosen:
        with tempfile.TemporaryDirectory() as folder:
            found = differences(case["expect"], ask(options.command, case, Path(folder)))
        failed += bool(found)
        for line in found:
            print(f"{name}\n    {line}")
    print(f"{len(chosen) - failed} of {len(chosen)} cases as expected")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
