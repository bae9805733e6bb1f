# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""What apt takes while some packages stay as they are: those that need a newer one of them stay too, by name."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

OWN = Path("/etc/apt/preferences")
FIRM = 1001  # apt_preferences(5): above 1000 a version is the candidate whatever else is offered
NEVER = -1


def preferences(staying):
    """Given {name: version, or empty for one that is not to come}, return what apt reads as its preferences."""
    records = []
    for name, version in sorted(staying.items()):
        records.append(f"Package: {name}\nPin: version {version or '*'}\nPin-Priority: {FIRM if version else NEVER}\n")
    return "\n".join(records)


def write_preferences(staying, path):
    """Write the preferences, before those of the machine; return the words with which apt reads them."""
    own = OWN.read_text() if OWN.exists() else ""
    path.write_text(f"{preferences(staying)}\n{own}")
    return ["-o", f"Dir::Etc::preferences={path}"]


def settings(words):
    """Given the words of a command of apt, return the (name, value) of each `-o name=value`, those of lists not."""
    pairs = [word.split("=", 1) for option, word in pairwise(words) if option == "-o"]
    return [(name, value) for name, value in pairs if not name.endswith("::")]


def opened(words):
    """Return apt's cache as a command with these words sees it, with everything marked that it would upgrade."""
    import apt
    import apt_pkg

    apt_pkg.init_config()
    for name, value in settings(words):
        apt_pkg.config.set(name, value)
    apt_pkg.init_system()
    cache = apt.Cache()
    cache.upgrade(dist_upgrade=True)
    if any(package.marked_delete for package in cache.get_changes()):
        cache.clear()
        cache.upgrade(dist_upgrade=False)
    return cache


def names(dependency):
    """Return the packages that one dependency, or any of its alternatives, names."""
    return {base.name for base in dependency}


def tied(package, new, staying):
    """Whether a new version of a package does not go with one of those that stay.

    It needs another version of it, or breaks the one that is there, or that one needs the old version of the package.
    """
    for needed in new.get_dependencies("PreDepends", "Depends"):
        if not needed.installed_target_versions and names(needed) & staying.keys():
            return True
    for broken in new.get_dependencies("Breaks", "Conflicts"):
        if names(broken) & {one.package.shortname for one in broken.installed_target_versions} & staying.keys():
            return True
    there = [one.installed for one in staying.values() if one is not None and one.installed]
    needs = [needed for one in there for needed in one.get_dependencies("PreDepends", "Depends")]
    return any(package.shortname in names(needed) and new not in needed.target_versions for needed in needs)


def tied_ones(packages, staying, words):
    """Return those of packages that stay too: apt does not take them, and one that stays, or is tied itself, is why.

    What apt does not take for any other reason is not among them: that is for the installer to complain of.
    """
    cache = opened(words)
    known = {name: cache.get(name, None) for name in staying}
    refused, found = [], []
    for row in packages:
        name = f"{row['name']}:{row['architecture']}".removesuffix(":all")
        package = cache.get(name, None)
        # apt takes back the candidate of what it cannot upgrade: the version is asked for by itself.
        new = package.versions.get(row["version"]) if package is not None else None
        if new is not None and not package.marked_upgrade:
            refused.append((row, package, new))
    while more := [one for one in refused if tied(*one[1:], known)]:
        found += [row for row, _, _ in more]
        known |= {package.shortname: package for _, package, _ in more}
        refused = [one for one in refused if one not in more]
    return found
