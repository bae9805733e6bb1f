"""Loading contracts: the shape of each, what no field says alone, every version that its amendments make."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from provisioner.config import rules
from provisioner.config.decode import decode
from provisioner.config.document import Document, Loc, refuse
from provisioner.config.files import label, read_regular
from provisioner.config.yaml import Bounds, Node, parse
from provisioner.errors import ConfigurationError, Problem
from provisioner.model.contract import Amendment, Contract, LoadedContract, RenewalKind, Version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BOUNDS = Bounds()
_FIXED = (("id",), ("client", "id"), ("starts",), ("currency",), ("amendments",))


@dataclass(frozen=True)
class ReadContract:
    """What reading a contract gave: the document, its versions as far as they are valid, every problem and warning."""

    path: Path
    document: Document
    text: bytes
    versions: tuple[tuple[Version, Document], ...] = ()
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def load_contract(path: Path) -> LoadedContract:
    """Given the path of a `contract.yml`, return the contract with every version of its terms.

    Raises ConfigurationError with every problem at once.
    """
    read = read_contract(path, folder=path.parent)
    refuse(read.problems)
    return loaded(read)


def load_contracts(path: Path) -> tuple[LoadedContract, ...]:
    """Given a contract's file, or a client's folder with one or several, return them in the order of their names.

    Raises ConfigurationError with the problems of all at once, those between them included.
    """
    if not path.is_dir():
        return (load_contract(path),)
    reads, problems = read_contracts(path)
    refuse(problems)
    return tuple(loaded(read) for read in reads)


def loaded(read: ReadContract) -> LoadedContract:
    """Given a contract that was read without problems, return it."""
    return LoadedContract(
        path=str(read.path),
        text=read.text,
        digest=sha256(read.text).hexdigest(),
        versions=tuple(version for version, _ in read.versions),
        warnings=tuple(dict.fromkeys(str(warning) for warning in read.warnings)),
    )


def contract_files(folder: Path) -> tuple[Path, ...]:
    """Given a client's folder, return its `contract.yml`, or the dated ones in `contracts/`, by name.

    Raises ConfigurationError when it has both, or the folder of dated ones has none, or something else in it.
    """
    dated = folder / "contracts"
    if not dated.is_dir():
        return (folder / "contract.yml",)
    if (folder / "contract.yml").exists():
        message = "this client has a folder contracts/ as well; move this file into it, or that folder away"
        raise ConfigurationError((Problem(label(folder / "contract.yml", folder=folder), 0, 0, "", message),))
    names = sorted(path for path in dated.iterdir() if not path.name.startswith("."))
    strange = [path for path in names if path.suffix != ".yml"]
    refuse(Problem(label(path, folder=folder), 0, 0, "", "is no contract: expected *.yml") for path in strange)
    refuse([] if names else [Problem(label(dated, folder=folder), 0, 0, "", "no contract is in this folder")])
    return tuple(names)


def read_contracts(folder: Path) -> tuple[list[ReadContract], list[Problem]]:
    """Given a client's folder, return its contracts as far as they can be read, and every problem of all of them."""
    reads: list[ReadContract] = []
    problems: list[Problem] = []
    try:
        files = contract_files(folder)
    except ConfigurationError as error:
        return [], list(error.problems)
    for path in files:
        try:
            reads.append(read_contract(path, folder=folder))
        except ConfigurationError as error:
            problems.extend(error.problems)
    problems.extend(problem for read in reads for problem in read.problems)
    return reads, [*problems, *_between(reads)]


def _between(reads: list[ReadContract]) -> Iterator[Problem]:
    """What several contracts of a client cannot share, and what they must."""
    having = [read for read in reads if read.versions]
    for index, read in enumerate(having):
        contract, first = read.versions[0][0].contract, having[0].versions[0][0].contract
        twin = next((old for old in having[:index] if old.versions[0][0].contract.id == contract.id), None)
        if twin is not None:
            yield read.document.problem(("id",), f"{contract.id} is the id of {twin.document.file} too")
        if contract.client.id != first.client.id:
            said = f"{having[0].document.file} is a contract of {first.client.id}, and this one of {contract.client.id}"
            yield read.document.problem(("client", "id"), said)


def read_contract(path: Path, *, folder: Path) -> ReadContract:
    """Given a contract's path in a folder, read all of it; raises only where there is no document to find problems in.

    A path in messages begins with the name of the folder.
    """
    text = read_regular(path, folder=folder, limit=_BOUNDS.size)
    file = label(path, folder=folder)
    document = Document(file, parse(text, file=file, bounds=_BOUNDS))
    contract, found = decode(Contract, document)
    read = ReadContract(path, document, text, problems=found, warnings=list(_empty_missions(document)))
    if contract is None:
        return read
    read.problems.extend(_checked(contract, document))
    read.warnings.extend(document.problem(loc, message) for loc, message in rules.warnings(contract))
    first = (Version(effective=contract.starts, contract=contract), document)
    return replace(read, versions=(first, *_amended(contract, read)))


def _checked(contract: Contract, document: Document) -> list[Problem]:
    return [document.problem(loc, message) for loc, message in rules.problems(contract)]


def _amended(contract: Contract, read: ReadContract) -> list[tuple[Version, Document]]:
    """The versions that the amendments make, in the order of their days; problems that are new with one are added."""
    versions: list[tuple[Version, Document]] = []
    document = read.document
    for index, amendment in sorted(enumerate(contract.amendments), key=lambda item: item[1].effective):
        at: Loc = ("amendments", index)
        read.problems.extend(_amendment_problems(read.document, at))
        if amendment.effective < contract.starts:
            read.problems.append(read.document.problem((*at, "effective"), "is before the first day in force"))
        before = versions[-1][0].contract if versions else contract
        if before.renewal.kind is not RenewalKind.TACIT and amendment.effective > before.ends:
            said = f"is after the last day in force, {before.ends}, and nothing renews the contract tacitly"
            read.problems.append(read.document.problem((*at, "effective"), said))
        if any(amendment.effective == version.effective for version, _ in versions):
            read.problems.append(
                read.document.problem((*at, "effective"), "another amendment is effective on this day")
            )
        change = read.document.at((*at, "set"))
        document = replace(document, root=_merged(document.root, change) if change else document.root)
        terms, found = decode(Contract, document)
        if terms:
            found += _checked(terms, document)
            fixed = rules.amendment_problems(contract, terms)
            read.problems.extend(read.document.problem((*at, "set", *loc), message) for loc, message in fixed)
        read.problems.extend(_new(found, read.problems, amendment))
        if terms is not None:
            versions.append((Version(effective=amendment.effective, contract=terms), document))
            noted = (document.problem(loc, message) for loc, message in rules.warnings(terms))
            read.warnings.extend(noted)
    return versions


def _new(found: list[Problem], known: list[Problem], amendment: Amendment) -> list[Problem]:
    old = {(problem.line, problem.col, problem.path, problem.message) for problem in known}
    new = [problem for problem in found if (problem.line, problem.col, problem.path, problem.message) not in old]
    return [replace(problem, message=f"{problem.message} (as amended on {amendment.effective})") for problem in new]


def _amendment_problems(document: Document, at: Loc) -> list[Problem]:
    change: Loc = (*at, "set")
    node = document.at(change)
    found = [] if node and node.value else [document.problem(change, "an amendment that changes nothing")]
    fixed = [(*change, *loc) for loc in _FIXED if document.at((*change, *loc)) is not None]
    found += [document.key_problem(loc, "an amendment cannot change this") for loc in fixed]
    return found


def _merged(base: Node, change: Node) -> Node:
    """The base with a change in it: mappings merged, anything else replaced, keys without a value taken away."""
    if not isinstance(base.value, dict) or not isinstance(change.value, dict):
        return change
    values, marks = dict(base.value), dict(base.keys or {})
    for key, node in change.value.items():
        values[key] = _merged(values[key], node) if key in values else node
        marks[key] = (change.keys or {})[key]
    return Node(base.mark, values, marks)


def _empty_missions(document: Document) -> list[Problem]:
    missions = document.at(("missions",))
    if missions is None or not isinstance(missions.value, dict):
        return []
    said = "has no value and so is not promised; write {} to promise it without terms"
    return [document.problem(("missions", name), said) for name, node in missions.value.items() if node.value is None]
