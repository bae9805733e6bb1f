"""The shape of hosts.yml: groups, their children and machines, in Ansible's YAML inventory form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from provisioner.config.addresses import name_problem
from provisioner.config.document import Document, Loc, did_you_mean
from provisioner.errors import ConfigurationError
from provisioner.model.values import GroupName

if TYPE_CHECKING:
    from provisioner.config.yaml import Node
    from provisioner.errors import Problem

_GROUP_KEYS = ("hosts", "vars", "children")
_DEPTH = 20
_GROUP_NAME = get_args(GroupName)[1]


@dataclass
class Tree:
    """What hosts.yml says, collected while it is walked: each thing with the places where it is said.

    `above` holds each group with every group that contains it; `depth` its levels below `all` by the longest way.
    """

    document: Document
    parents: dict[str, dict[str, Loc]] = field(default_factory=dict)
    above: dict[str, frozenset[str]] = field(default_factory=dict)
    depth: dict[str, int] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    group_vars: dict[str, list[Loc]] = field(default_factory=dict)
    hosts: dict[str, list[Loc]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_tree(document: Document) -> Tree:
    """Given hosts.yml, return its groups and machines with every problem of shape and name.

    Raises ConfigurationError when it holds no groups at all.
    """
    tree = Tree(document, parents={"all": {}}, members={"all": set()})
    root = document.root.value
    if not isinstance(root, dict):
        raise ConfigurationError((document.problem((), "expected groups, such as all: with hosts: below it"),))
    for name, node in root.items():
        _group(tree, name, node, at=(name,))
    _order(tree)
    for name in sorted(tree.hosts.keys() & tree.parents.keys()):
        tree.problems.append(document.key_problem(tree.hosts[name][0], "a group has this name too"))
    return tree


def _group(tree: Tree, name: str, node: Node, *, at: Loc) -> None:
    document = tree.document
    try:
        _GROUP_NAME(name)
    except ValueError as error:
        tree.problems.append(document.key_problem(at, str(error)))
        return
    if name == "ungrouped" or (name == "all" and len(at) > 1):
        tree.problems.append(document.key_problem(at, f"{name} is Ansible's own and cannot be here"))
        return
    if name != "all":
        tree.parents.setdefault(name, {}).setdefault(str(at[-3]) if len(at) > 1 else "all", at)
    tree.members.setdefault(name, set())
    content = _mapping(tree, node, at=at)
    for key in content:
        if key not in _GROUP_KEYS:
            hint = did_you_mean(key, _GROUP_KEYS) or f"; a group has {', '.join(_GROUP_KEYS)}"
            tree.problems.append(document.key_problem((*at, key), f"unknown key{hint}"))
    if "vars" in content and _mapping(tree, content["vars"], at=(*at, "vars")):
        tree.group_vars.setdefault(name, []).append((*at, "vars"))
    for host, keys in _mapping(tree, content.get("hosts"), at=(*at, "hosts")).items():
        _host(tree, host, keys, group=name, at=(*at, "hosts", host))
    for child, inner in _mapping(tree, content.get("children"), at=(*at, "children")).items():
        _group(tree, child, inner, at=(*at, "children", child))


def _host(tree: Tree, name: str, node: Node, *, group: str, at: Loc) -> None:
    if problem := name_problem(name):
        tree.problems.append(tree.document.key_problem(at, problem))
        return
    _mapping(tree, node, at=at)
    tree.hosts.setdefault(name, []).append(at)
    tree.members[group].add(name)


def _mapping(tree: Tree, node: Node | None, *, at: Loc) -> dict[str, Node]:
    if node is None or node.value is None:
        return {}
    if isinstance(node.value, dict):
        return node.value
    tree.problems.append(tree.document.problem(at, "expected a mapping of keys and values"))
    return {}


def _order(tree: Tree) -> None:
    """Fill `above` and `depth` from `all` downwards; groups in a loop, below one or too deep are refused."""
    waiting = dict(tree.parents)
    level, tree.depth["all"], tree.above["all"] = ["all"], 0, frozenset({"all"})
    for depth in range(_DEPTH + 1):
        for group in level:
            waiting.pop(group)
            parents = tree.parents[group]
            tree.depth[group] = depth
            tree.above[group] = frozenset({group}).union(*(tree.above[parent] for parent in parents))
        level = [group for group, parents in waiting.items() if not parents.keys() & waiting.keys()]
    for group in waiting:
        at = next(iter(tree.parents[group].values()))
        message = f"this group is inside itself, or more than {_DEPTH} groups deep"
        tree.problems.append(tree.document.key_problem(at, message))
        tree.depth[group], tree.above[group] = 0, frozenset({"all", group})
