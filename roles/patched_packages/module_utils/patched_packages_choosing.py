# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Which updates are taken on a machine, which stay and why, and whether now is the time. Pure; standard library only.

A pin is `{package, reason, owner, until, hardware, modules, below}`: `hardware` has PCI devices as vendor:device, or
patterns of them, `modules` kernel modules; where either is given the pin is only for machines that have one of them.
With `below` it holds what is of that version or later, else everything. An exception is `{name, version, until}`.
"""

from __future__ import annotations

import fnmatch


def concerns(pin, level):
    """Whether a pin is for this machine: one without conditions is for every machine."""
    if not pin["hardware"] and not pin["modules"]:
        return True
    found = any(fnmatch.filter(level["devices"], pattern) for pattern in pin["hardware"])
    return found or not set(pin["modules"]).isdisjoint(level["modules"])


def pin_of(row, terms, older):
    """Return the pin that holds an update, None where there is none."""
    for pin in terms["pinned"]:
        within = pin["below"] and older(row["version"], pin["below"])
        if fnmatch.fnmatchcase(row["name"], pin["package"]) and not within:
            return pin
    return None


def stays(row, terms, older):
    """Return (why an update stays by the contract or by experience, who answers for it); empty where it does not."""
    pin = pin_of(row, terms, older)
    if pin is not None:
        bound = f"pinned below {pin['below']}" if pin["below"] else "pinned"
        return f"{bound} until {pin['until']}: {pin['reason']}", pin["owner"]
    for one in terms["excepted"]:
        if (one["name"], one["version"]) == (row["name"], row["version"]):
            return f"offered for ever: tried and never installed; tried again after {one['until']}", ""
    return "", ""


def key(row):
    """Return what names a package of a machine."""
    return row["name"], row["architecture"]


def left(row, why, owner=""):
    """Return an update as one that stays."""
    return {**row, "why": why, "owner": owner}


def without_lock(level, terms, older):
    """Return (chosen, carried, kept) where whatever is pending is wanted."""
    chosen, carried, kept = [], [], []
    for row in level["pending"]:
        why, owner = stays(row, terms, older)
        if why or row["kept"]:
            kept.append(left(row, why or row["kept"], owner))
        else:
            (chosen if row["before"] else carried).append(row)
    return chosen, carried, kept


def with_lock(level, lock, have, *, terms, older):
    """Return (chosen, carried, kept) where the versions of a lock are wanted; `have` is {key: installed version}."""
    chosen, carried, kept = [], [], []
    held = {key(row) for row in level["pending"] if row["kept"] == "held"}
    for row in lock:
        before = have.get(key(row))
        if before is None and not row["before"]:
            carried.append({**row, "before": ""})
        elif before is not None and older(before, row["version"]):
            why, owner = stays(row, terms, older)
            if why or key(row) in held:
                kept.append(left({**row, "before": before}, why or "held", owner))
            else:
                chosen.append({**row, "before": before})
    return chosen, carried if chosen else [], kept + beyond_lock(level, lock, terms=terms, older=older)


def beyond_lock(level, lock, *, terms, older):
    """Return the pending updates that a lock has not: another package, or a newer security update of one of its own."""
    kept, known = [], {key(row): row["version"] for row in lock}
    for row in level["pending"]:
        if not row["before"]:
            continue
        why, owner = stays(row, terms, older)
        why = why or ("held" if row["kept"] == "held" else "")
        if key(row) not in known:
            kept.append(left(row, why or "not in the lock", owner))
        elif row["security"] and not why and older(known[key(row)], row["version"]):
            kept.append(left(row, f"superseded: security version {row['version']}, which no canary has"))
    return kept


def choose(level, lock, have, *, terms, older):
    """Return (chosen, carried, kept) on a machine; `lock` is None without one, `older` compares two versions.

    `terms` has `pinned` and `excepted`. A row of `kept` has `why` and `owner`.
    """
    here = {**terms, "pinned": [pin for pin in terms["pinned"] if concerns(pin, level)]}
    if lock is None:
        return without_lock(level, here, older)
    return with_lock(level, lock, have, terms=here, older=older)


def staying(chosen, kept):
    """Return the packages that are to stay in the version they have (none: not to be there), {name: version}."""
    taken = {row["name"] for row in chosen}
    return {row["name"]: row["before"] for row in kept if row["name"] not in taken}


def put_off(level, *, sessions, free):
    """Return why a machine's turn is put off, else empty: battery, a person at it, or too little space.

    `sessions` is `defer` or `ignore`, `free` the MiB that are asked for by path; what is no mount point is of `/`.
    """
    reasons = ["the machine runs on battery"] if level["on_battery"] else []
    if sessions == "defer" and level["session"] == "graphical":
        reasons.append("a person is at the machine")
    for path, asked in sorted(free.items()):
        there = level["free_mib"].get(path, level["free_mib"]["/"])
        if there < asked:
            reasons.append(f"too little space on {path}: {there} MiB free, {asked} MiB asked")
    return "; ".join(reasons)
