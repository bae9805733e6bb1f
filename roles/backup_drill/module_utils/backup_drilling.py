# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""A restore drill: restore a snapshot into an empty place, compare it with its manifest, measure, remove it again."""

from __future__ import annotations

import errno
import os
import shutil
import time
from contextlib import contextmanager
from datetime import UTC, datetime

from ansible.module_utils.backup_canary import check_canaries
from ansible.module_utils.backup_compare import compare
from ansible.module_utils.backup_database import load_dumps
from ansible.module_utils.backup_manifest import ManifestError, encoded, entries, header
from ansible.module_utils.backup_restic import (
    Red,
    Repository,
    alone,
    choose,
    fetch_manifest,
    instant,
    need,
    refuse_forged,
    refuse_small,
    sampled,
)


def drill(order):
    """Given an order, do the drill and return what is to be told of it, bad news too.

    `order` has `repository`, `password_file`, `snapshot` (the beginning of an id, empty: the newest), `share` (of the
    files, in 0..1; 1 is a full drill), `seed` (of the sample), `canary_seed`, `manifests` (the digests that the log
    has) and `arrivals` (instants), both by snapshot, `folder`, `seconds` (the time limit), `agent_state` (the agent's
    own folder) and `lock` (a file that the jobs of the repository lock, empty: none).
    """
    return _told(order, _drill)


def look(order):
    """Given an order, say whether the drill could begin: nothing is restored, and `compared` is not there."""
    return _told(order, _prepare)


def _told(order, work):
    found = {"at": stamp(), "passed": False, "full": order["share"] >= 1, "reasons": [], "text": ""}
    began = time.monotonic()
    try:
        with alone(order["lock"], began + order["seconds"]), empty_place(order["folder"]) as folder:
            work(order, folder, found, began + order["seconds"])
    except Red as red:
        found["reasons"], found["text"] = [red.code], red.text
    except ManifestError as error:
        found["reasons"], found["text"] = ["manifest_unreadable"], f"the manifest cannot be read: {error}"
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        found["reasons"], found["text"] = ["disk_full" if full else "unreadable"], str(error)[:300]
    found.setdefault("ended", stamp())
    found["passed"] = not found["reasons"]
    found["whole_ms"] = _since(began)
    return found


def stamp():
    """The instant now, in the form of the log."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _since(began):
    return int((time.monotonic() - began) * 1000)


@contextmanager
def empty_place(folder):
    """Make a folder of root's alone, and remove it afterwards; raise Red, touching nothing, when something is there."""
    if os.path.lexists(folder):
        if os.path.islink(folder) or not os.path.isdir(folder) or os.listdir(folder):
            raise Red("not_empty", f"{folder} is not empty: a drill restores into an empty place only")
        os.rmdir(folder)
    os.makedirs(folder, mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(os.fsencode(folder))


def _prepare(order, folder, found, deadline):
    """Find the snapshot and its manifest; return the repository, which entries are wanted (None: all), the manifest."""
    scratch, manifest = os.path.join(folder, "scratch"), os.path.join(folder, "manifest.jsonl")
    os.mkdir(scratch, 0o700)
    repository = Repository(order["repository"], order["password_file"], scratch=scratch, deadline=deadline)
    found["restic"] = ".".join(map(str, repository.version))
    snapshots = repository.snapshots()
    arrivals = {name: instant(at) for name, at in order["arrivals"].items()}
    refuse_forged(snapshots, now=datetime.now(UTC), arrivals=arrivals, folder=order["repository"])
    saved, described = choose(snapshots, order["snapshot"])
    original = saved.get("original") or ""
    found |= {"snapshot": saved["id"], "original": original, "of": f"{saved['at']:%Y-%m-%dT%H:%M:%SZ}"}
    known = order["manifests"].get(saved["id"]) or order["manifests"].get(original) or ""
    found["manifest"] = fetch_manifest(repository, described, manifest, known=known)
    found["manifest_known"] = bool(known)
    wanted = None if found["full"] else _chosen(order)
    refuse_small(folder, need(manifest, sparse=repository.sparse, wanted=wanted))
    return repository, wanted, manifest


def _drill(order, folder, found, deadline):
    repository, wanted, manifest = _prepare(order, folder, found, deadline)
    tree, began = os.path.join(folder, "tree"), time.monotonic()
    roots = repository.restore(found["snapshot"], tree, None if wanted is None else _paths(manifest, wanted))
    found["restore_ms"] = _since(began)
    began = time.monotonic()
    found["databases"] = load_dumps(tree, order["agent_state"], folder, deadline) if found["full"] else []
    found["load_ms"] = _since(began)
    found["ended"] = stamp()  # the data is back; what follows proves that it is the same
    began = time.monotonic()
    table = compare(os.fsencode(tree), manifest, None if wanted is None else lambda entry: roots.get(entry["path"]))
    found["compare_ms"] = _since(began)
    found["compared"] = table
    place = roots.get if wanted else (lambda _path: os.fsencode(tree))
    found["canaries"] = check_canaries(place, order["canary_seed"], header(manifest)["counter"], order["agent_state"])
    _judge(found)


def _chosen(order):
    """What is in a sample: so many of the files by lot, and every canary file."""
    drawn, canary = sampled(order["share"], order["seed"]), encoded(os.fsencode(order["agent_state"])) + "/canary/"
    return lambda entry: drawn(entry) or (entry["p"].startswith(canary) and entry["t"] != "dir")


def _paths(manifest, wanted):
    return [entry["path"] for entry in entries(manifest) if wanted(entry)]


def _judge(found):
    table, canaries = found["compared"], found["canaries"]
    reasons = []
    if table["differences"]:
        reasons.append(("different", ", ".join(f"{kind} {count}" for kind, count in table["differences"].items())))
    if not table["equal"]:
        reasons.append(("nothing_compared", "nothing in it is as it was saved"))
    if canaries["missing"] or canaries["altered"] or not canaries["expected"]:
        reasons.append(("canary", f"{canaries['missing']} canary files missing, {canaries['altered']} altered"))
    for one in found["databases"]:
        if one["text"]:
            reasons.append(("database", f"database {one['name']}: {one['text']}"))
    found["reasons"] = list(dict.fromkeys(code for code, _ in reasons))
    found["text"] = "; ".join(text for _, text in reasons)
