# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Which objects there are below the paths that are backed up."""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Tree:
    """The paths in byte order; how many names each linked object has among them; folders that could not be read."""

    paths: list
    names: Counter = field(default_factory=Counter)
    unreadable: dict = field(default_factory=dict)


def outermost(roots):
    """Given paths as bytes, return them without those that lie below another, in byte order."""
    found = []
    for root in sorted(set(roots)):
        if not any(root == one or root.startswith(one.rstrip(b"/") + b"/") for one in found):
            found.append(root)
    return found


def walk(roots, exclusions):
    """Given paths as bytes that exist, return the Tree below them, they themselves included, links not followed.

    What vanishes meanwhile is not in it.
    """
    paths, names, unreadable = [], Counter(), {}
    pending = outermost(roots)
    while pending:
        path = pending.pop()
        if exclusions.covers(path):
            continue
        try:
            state = os.lstat(path)
        except FileNotFoundError:
            continue
        except OSError as problem:
            paths.append(path)
            unreadable[path] = problem.errno
            continue
        inner = []
        if stat.S_ISDIR(state.st_mode):
            try:
                inner = os.listdir(path)
            except FileNotFoundError:
                continue
            except OSError as problem:
                unreadable[path] = problem.errno
        elif state.st_nlink > 1:
            names[(state.st_dev, state.st_ino)] += 1
        paths.append(path)
        pending += [os.path.join(path, name) for name in inner]
    return Tree(sorted(paths), names, unreadable)


def lacking(paths, exclusions):
    """Given the paths that are to be backed up, return why each of them is not: {path: words}, {} when all are."""
    found = {}
    for path in paths:
        real = os.path.realpath(path)
        if not os.path.lexists(path):
            found[path] = "does not exist"
        elif real != path:
            found[path] = f"is reached by a symbolic link; name {real} instead"
        elif exclusions.covers(os.fsencode(path)):
            found[path] = "is left out by an exclusion"
    return found
