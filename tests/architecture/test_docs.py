"""What the documentation says of the code is true. Run this file as a program to write docs/reference/cli.md.

Each check is a function from texts to findings, so that each has a negative control beside it.
"""

from __future__ import annotations

import copy
import inspect
import re
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provisioner import errors
from provisioner.cli.collection import namespace
from provisioner.missions.audit import Row
from provisioner.model.intervention import EXIT_CODES, AssetResult, Check, CheckResult, Intervention, Outcome
from provisioner.model.mission import MissionKind
from provisioner.model.verdict import Reason
from provisioner.reporting.interventions import intervention_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from invoke.collection import Collection
    from invoke.tasks import Task

CHECKOUT = Path(__file__).resolve().parents[2]
REFERENCE = CHECKOUT / "docs" / "reference"
PAGES = sorted([CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", *CHECKOUT.glob("docs/**/*.md")])

HEADER = """\
# Tasks and flags

Drawn from the tasks themselves by `python tests/architecture/test_docs.py`; a test keeps this page current.
Every task is typed as `.venv/bin/invoke TASK FLAGS` in the checkout; `invoke -h TASK` says the same as this page.
Exit codes are in [exit_codes.md](exit_codes.md), the documents of `--json` in [json.md](json.md).
"""

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
ROW = re.compile(r"^\| `?([^|`]+)`? +\| `?([^|`]+)`? +\|", re.MULTILINE)
FOLDER = re.compile(r"^([\w./<>-]+/)(?: |$)", re.MULTILINE)


@dataclass(frozen=True)
class Flag:
    """One flag of a task: `value` is what it takes (nothing for a switch), `default` as text."""

    name: str
    value: str
    default: str
    help: str


@dataclass(frozen=True)
class Described:
    """One task as it describes itself."""

    name: str
    text: str
    flags: tuple[Flag, ...]


def tasks(collection: Collection, prefix: str = "") -> Iterator[Described]:
    """Yield every task of a collection and of those in it, by name."""
    for name, task in sorted(collection.tasks.items()):
        yield described(prefix + name, task)
    for name, inner in sorted(collection.collections.items()):
        yield from tasks(inner, f"{prefix}{name}.")


def described(name: str, task: Task[object]) -> Described:
    """Given a task of invoke, return its docstring and its flags, by name."""
    task = copy.copy(task)
    task.help = dict(task.help)  # invoke takes the texts out when it is asked for the arguments
    flags = tuple(
        Flag(
            name=argument.name.replace("_", "-"),
            value="TEXT" if argument.takes_value else "",
            default=str(argument.default) if argument.takes_value and argument.default else "",
            help=argument.help or "",
        )
        for argument in sorted(task.get_arguments(), key=lambda argument: argument.name)
    )
    return Described(name, inspect.getdoc(task) or "", flags)


def rendered(found: Iterable[Described]) -> str:
    """Given the tasks, return the page."""
    return "\n".join([HEADER, *(_section(task) for task in found)])


def _section(task: Described) -> str:
    rows = [
        f"| `{_typed(flag)}` | {_cell(flag.default)} | {flag.help.replace('|', chr(92) + '|')} |" for flag in task.flags
    ]
    table = ["| flag | default | meaning |", "|---|---|---|", *rows]
    return "\n".join([f"## {task.name}\n", _prose(task.text), "", *table, ""])


def _prose(text: str) -> str:
    """The docstring with its example as code on a line of its own."""
    words, _, example = " ".join(text.split()).partition("Example: ")
    return "\n\n".join(filter(None, [words.strip(), f"Example: `{example.strip()}`" if example else ""]))


def _typed(flag: Flag) -> str:
    return f"--{flag.name} {flag.value}".rstrip()


def _cell(text: str) -> str:
    return f"`{text}`" if text else ""


def undescribed(found: Iterable[Described]) -> list[str]:
    """Name the tasks without a docstring or an example of themselves, and the flags without help."""
    said = []
    for task in found:
        if not re.search(rf"Example: invoke {re.escape(task.name)}\b", " ".join(task.text.split())):
            said.append(f"{task.name} has no docstring with an example of itself")
        said += [f"{task.name} --{flag.name} has no help" for flag in task.flags if not flag.help]
    return said


def section(text: str, heading: str) -> str:
    """Return what stands under a heading of the second level."""
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def table(text: str) -> dict[str, str]:
    """Return the first two columns of a table, without its head."""
    return {key.strip(): value.strip() for key, value in ROW.findall(text) if not set(key) <= {"-", " "}}


def outcome_codes() -> dict[str, str]:
    return {outcome.value: str(code) for outcome, code in EXIT_CODES.items()}


def error_codes() -> dict[str, str]:
    found = inspect.getmembers(errors, inspect.isclass)
    return {name: str(kind.exit_code) for name, kind in found if issubclass(kind, errors.ProvisionerError)}


def differences(page: Mapping[str, str], code: Mapping[str, str], *, head: str) -> list[str]:
    """Say where a table of the page is not what the code has; `head` is the table's first column title."""
    said = {key: value for key, value in page.items() if key != head}
    return [
        f"{key}: the page says {said.get(key)}, the code {code.get(key)}"
        for key in sorted(said.keys() | code.keys())
        if said.get(key) != code.get(key)
    ]


def reason_codes() -> set[str]:
    """Return every code of a reason that a sentence in src stands under."""
    sources = "\n".join(path.read_text() for path in CHECKOUT.glob("src/provisioner/**/*.py"))
    given = r'(?:\bcode=|_reason\(desk, |BadNews\(\s*|Outcome\.[A-Z]+, )"([a-z_]+)"'
    return set(re.findall(given, sources)) | set(
        re.findall(r'outcome, code = .*?"([a-z_]+)"\).*"([a-z_]+)"', sources)[0]
    )


def intervention_keys() -> set[str]:
    """Return every key of an intervention's document and of what it holds."""
    reason = Reason(code="", clause="", text="")
    check = Check(name="", asked="", found="", result=CheckResult.PASS)
    asset = AssetResult(name="", outcome=Outcome.CHANGED, reason=reason, checks=(check,))
    at = datetime(2026, 11, 23, tzinfo=UTC)
    texts: dict[str, Any] = dict.fromkeys(("id", "client", "contract", "clause", "plan_digest", "operator"), "")
    nouns: dict[str, Any] = {"mission": MissionKind.WORKSTATION_SETUP, "outcome": Outcome.CHANGED, "reasons": (reason,)}
    whole = Intervention(**texts, **nouns, opened=at, closed=at, assets=(asset,))
    return keys(intervention_document(whole))


def keys(document: object) -> set[str]:
    """Return every key of a document, at any depth."""
    inner = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    own = set(document) if isinstance(document, dict) else set()
    return own.union(*(keys(item) for item in inner))


def unnamed(page: str, names: Iterable[str]) -> list[str]:
    """Return those of the names that a page does not have as code."""
    return sorted(name for name in names if f"`{name}`" not in page)


def slug(heading: str) -> str:
    """Return the anchor that a heading has on the usual forges."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", "")).replace(" ", "-")


def dead_links(page: Path, text: str, *, read: Callable[[Path], str] = lambda path: path.read_text()) -> list[str]:
    """Name the relative links of a page that lead to no file, or to no heading of it."""
    said = []
    for link in LINK.findall(FENCE.sub("", text)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            said.append(f"{page.name}: {link} leads nowhere")
        elif anchor and anchor not in {slug(found) for found in HEADING.findall(FENCE.sub("", read(target)))}:
            said.append(f"{page.name}: {link} names no heading of that page")
    return said


def mapped_folders(readme: str) -> list[str]:
    """Return the folders of the README's map; a part such as <client> stands for any name."""
    return FOLDER.findall(section(readme, "Map of the folders"))


def missing_folders(readme: str) -> list[str]:
    return [name for name in mapped_folders(readme) if not any(CHECKOUT.glob(re.sub("<[^>]+>", "*", name).rstrip("/")))]


def mentioned(text: str) -> set[str]:
    """Return the names of tasks that a page types as code or at a prompt; options of invoke itself are passed over."""
    typed = re.findall(r"(?:`|bin/|\$ )invoke(?: -[a-z])* ([a-z][a-z._]*)", text)
    return {name.rstrip(".") for name in typed}


def test_the_page_of_tasks_is_current() -> None:
    assert (REFERENCE / "cli.md").read_text() == rendered(tasks(namespace)), (
        "run python tests/architecture/test_docs.py"
    )


def test_the_page_of_tasks_would_show_a_changed_flag() -> None:
    found = list(tasks(namespace))
    changed = [replace(found[0], flags=(*found[0].flags, Flag("loud", "", "", "say more"))), *found[1:]]
    assert rendered(changed) != rendered(found)


def test_every_task_and_flag_is_described() -> None:
    assert undescribed(tasks(namespace)) == []


def test_a_task_or_flag_that_is_not_described_is_named() -> None:
    bare = Described("audit.sing", "Sing. Example: invoke audit.show", (Flag("song", "TEXT", "", ""),))
    assert len(undescribed([bare])) == 2


def test_the_page_of_exit_codes_agrees_with_the_code() -> None:
    page = (REFERENCE / "exit_codes.md").read_text()
    assert differences(table(section(page, "The code of an outcome")), outcome_codes(), head="outcome") == []
    assert differences(table(section(page, "The code of an error")), error_codes(), head="error") == []


def test_a_wrong_missing_or_invented_exit_code_is_named() -> None:
    page = "\n## The code of an outcome\n\n| outcome | code |\n|---|---|\n| `changed` | 3 |\n| `sung` | 0 |\n"
    found = differences(table(section(page, "The code of an outcome")), outcome_codes(), head="outcome")
    assert len(found) == len(EXIT_CODES) + 1


def test_the_page_of_json_names_every_key_and_code() -> None:
    page = (REFERENCE / "json.md").read_text()
    assert len(reason_codes()) > 20
    assert unnamed(page, reason_codes() | intervention_keys() | {field.name for field in fields(Row)}) == []


def test_a_key_that_is_not_on_the_page_is_named() -> None:
    assert unnamed("only `outcome` is here", {"outcome", "sung"}) == ["sung"]
    assert keys({"a": [{"b": 1}], "c": {"d": 2}}) == {"a", "b", "c", "d"}


def test_every_relative_link_leads_somewhere() -> None:
    assert [finding for page in PAGES for finding in dead_links(page, page.read_text())] == []


def test_a_link_that_leads_nowhere_is_named() -> None:
    text = (
        "[a](no_such_page.md) [b](README.md#no-such-heading) [c](https://example.org) `x`\n```\n[d](in_code.md)\n```\n"
    )
    assert len(dead_links(CHECKOUT / "README.md", text)) == 2


def test_the_map_of_the_readme_names_folders_that_exist() -> None:
    readme = (CHECKOUT / "README.md").read_text()
    assert len(mapped_folders(readme)) > 10
    assert missing_folders(readme) == []


def test_a_folder_that_does_not_exist_is_named() -> None:
    readme = "\n## Map of the folders\n\n```\nroles/<outcome>/   roles\nno/such/folder/   nothing\n```\n"
    assert missing_folders(readme) == ["no/such/folder/"]


def test_pages_type_tasks_that_exist() -> None:
    known = {task.name for task in tasks(namespace)}
    wrong = {page.name: mentioned(page.read_text()) - known for page in PAGES}
    assert {name: sorted(found) for name, found in wrong.items() if found} == {}


def test_a_task_that_does_not_exist_is_seen() -> None:
    assert mentioned("`invoke -d audit.sing --client demo`, and\n$ invoke onboard\nin invoke itself") == {
        "audit.sing",
        "onboard",
    }


if __name__ == "__main__":
    (REFERENCE / "cli.md").write_text(rendered(tasks(namespace)))
