"""The shape of hosts.yml: groups, their children and machines, in Ansible's YAML inventory form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from provisioner.config.addresses import name_problem
from provisioner.config.document import Document, Loc, did_you_mean
from provisioner.model.values import GroupName

if TYPE_CHECKING:
    from provisioner.config.yaml import Node
    from provisioner.errors import Problem

_GROUP_KEYS = ("hosts", "vars", "children")
_GROUP_NAME = get_args(GroupName)[1]


@dataclass
class Tree:
    """What hosts.yml says, collected while it is walked: each thing with the places where it is said."""

    document: Document
    parents: dict[str, set[str]] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    group_vars: dict[str, list[Loc]] = field(default_factory=dict)
    hosts: dict[str, list[Loc]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def depth(self, group: str) -> int:
        """How many levels below `all` a group is, by its longest way up."""
        return max((self.depth(parent) + 1 for parent in self.parents.get(group, ())), default=0)

    def above(self, group: str) -> set[str]:
        """A group and every group that contains it."""
        return {group}.union(*(self.above(parent) for parent in self.parents.get(group, ())))


def read_tree(document: Document) -> Tree:
    """Given hosts.yml, return its groups and machines with every problem of shape and name; loops are taken out."""
    tree = Tree(document, parents={"all": set()}, members={"all": set()})
    root = document.root.value
    if not isinstance(root, dict):
        tree.problems.append(document.problem((), "expected groups, such as all: with hosts: below it"))
        return tree
    for name, node in root.items():
        _group(tree, name, node, at=(name,))
        if name != "all":
            tree.parents.setdefault(name, set()).add("all")
    _break_loops(tree)
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
    tree.parents.setdefault(name, set())
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
        tree.parents.setdefault(child, set()).add(name)
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


def _break_loops(tree: Tree) -> None:
    """Refuse groups that contain themselves, and take such links out so that walking up ends."""
    done: set[str] = set()

    def walk(group: str, below: tuple[str, ...]) -> None:
        for parent in sorted(tree.parents.get(group, ())):
            if parent in (*below, group):
                tree.parents[group].discard(parent)
                message = f"the group {group} contains itself: {' > '.join((parent, *reversed((*below, group))))}"
                tree.problems.append(tree.document.problem((), message))
            elif parent not in done:
                walk(parent, (*below, group))
        done.add(group)

    for group in list(tree.parents):
        walk(group, ())
