# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Readers for software_set: packages by dpkg's own records. Standard library only."""

from __future__ import annotations

import fnmatch

from ansible.module_utils.acceptance_rows import output, row

FORMAT = "${Package}\t${Architecture}\t${db:Status-Status}\t${Version}\n"


def records():
    """Return {name: (state, version)} of every package dpkg knows, by `name` and by `name:architecture`."""
    found = {}
    for line in output("dpkg-query", "--show", f"--showformat={FORMAT}").splitlines():
        name, architecture, state, version = line.split("\t")
        found[f"{name}:{architecture}"] = (state, version)
        if found.get(name, ("", ""))[0] != "installed":
            found[name] = (state, version)
    return found


def packages(check):
    """Each package that must be installed, wholly."""
    known = records()
    for name in check["asked"]:
        state, version = known.get(name, ("absent", ""))
        yield row(f"{check['name']} {name}", "installed", f"{state} {version}", ok=state == "installed")


def packages_absent(check):
    """Each package that must not be there; settings left behind are none of it."""
    known = records()
    for name in check["asked"]:
        state, version = known.get(name, ("absent", ""))
        gone = state in ("absent", "config-files", "not-installed")
        yield row(f"{check['name']} {name}", "absent", "absent" if gone else f"{state} {version}", ok=gone)


def versions(check):
    """Each pinned version: that of the installed package, else the one apt would install."""
    known = records()
    for pin in check["asked"]:
        name = pin["package"]
        state, version = known.get(name, ("absent", ""))
        found = version if state == "installed" else candidate(name)
        ok = fnmatch.fnmatchcase(found, pin["version"])
        yield row(f"{check['name']} of {name}", pin["version"], found, ok=ok)


def candidate(name):
    """Return the version apt would install, or `none`."""
    lines = (line.strip() for line in output("apt-cache", "policy", name).splitlines())
    return next((line.split(": ", 1)[1].strip("()") for line in lines if line.startswith("Candidate: ")), "none")


READERS = {"packages": packages, "packages_absent": packages_absent, "versions": versions}
