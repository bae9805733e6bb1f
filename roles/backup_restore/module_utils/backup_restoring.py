# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Restore a backup for good: into an empty place beside the target, compared, and only then moved to where it goes.

restic can lose hard links in a place that is not empty, and overwrites what it finds. Here nothing that is there is
overwritten: with `overwrite` it is moved aside, under another name in the same folder. Where something is wrong with
what came back it stays where it was restored, and the report says where: what is left of a loss is not removed.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from datetime import UTC, datetime

from ansible.module_utils.backup_compare import compare
from ansible.module_utils.backup_manifest import ManifestError, entries, header
from ansible.module_utils.backup_restic import (
    Red,
    Repository,
    choose,
    fetch_manifest,
    instant,
    need,
    refuse_forged,
    refuse_small,
)


def restore(order):
    """Given an order, restore and return what is to be told of it, bad news too; `look` in the order changes nothing.

    `order` has `repository`, `password_file`, `options` (restic's), `snapshot`, `manifests` and `arrivals` (as a drill
    has them), `to`, `paths` (empty: all that was configured), `overwrite`, `id` (of names made here), `seconds`,
    `agent_state` and `look`.
    """
    found = {"at": _stamp(), "passed": False, "full": not order["paths"], "reasons": [], "text": "", "plan": []}
    began = time.monotonic()
    staging = os.path.join(order["to"], f".provisioner-restore-{order['id']}")
    try:
        _restore(order, staging, found, began + order["seconds"])
    except Red as red:
        found["reasons"], found["text"] = [red.code], red.text
    except ManifestError as error:
        found["reasons"], found["text"] = ["manifest_unreadable"], f"the manifest cannot be read: {error}"
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        found["reasons"], found["text"] = ["disk_full" if full else "unreadable"], str(error)[:300]
    shutil.rmtree(os.path.join(staging, "scratch"), ignore_errors=True)
    if os.path.isdir(os.path.join(staging, "tree")) and found["reasons"]:
        found["text"] += f"; what came back is in {staging}/tree"
    else:
        shutil.rmtree(os.fsencode(staging), ignore_errors=True)
    found["ended"] = _stamp()
    found["passed"] = not found["reasons"]
    found["whole_ms"] = int((time.monotonic() - began) * 1000)
    return found


def _stamp():
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _restore(order, staging, found, deadline):
    to, scratch, tree = order["to"], os.path.join(staging, "scratch"), os.path.join(staging, "tree")
    if os.path.lexists(to) and (os.path.islink(to) or not os.path.isdir(to)):
        raise Red("no_folder", f"{to} is no folder")
    if not order["overwrite"] and os.path.isdir(to) and os.listdir(to):
        raise Red("not_empty", f"{to} is not empty; --overwrite moves aside what is in the way")
    os.makedirs(scratch, mode=0o700)
    options = order["options"]
    repository = Repository(
        order["repository"], order["password_file"], scratch=scratch, deadline=deadline, options=options
    )
    found["restic"] = ".".join(map(str, repository.version))
    saved, manifest = _snapshot(order, repository, scratch, found)
    tops = _tops(order, manifest)
    below = tuple(os.fsencode(top) for top in tops)

    def wanted(entry):
        return any(entry["path"] == top or entry["path"].startswith(top + b"/") for top in below)

    found["bytes"] = need(manifest, sparse=repository.sparse, wanted=wanted)
    found["plan"] = [{"path": top, "there": os.path.lexists(to.rstrip("/") + top)} for top in tops]
    refuse_small(staging, found["bytes"])
    if order["look"]:
        return
    began = time.monotonic()
    root = os.fsencode(tree)
    if order["paths"]:
        repository.restore(saved["id"], tree, list(below))
        root += b"/part-0"
    else:
        repository.restore(saved["id"], tree)
    found["restore_ms"] = int((time.monotonic() - began) * 1000)
    _keep_only(root, below)
    found["compared"] = compare(root, manifest, lambda entry: root if wanted(entry) else None)
    if found["compared"]["differences"] or not found["compared"]["compared"]:
        counts = ", ".join(f"{kind} {count}" for kind, count in found["compared"]["differences"].items())
        raise Red("different", f"what came back is not what was saved: {counts or 'nothing came back'}")
    for top in tops:
        _move(os.fsdecode(root) + top, to.rstrip("/") + top, f".before-{order['id']}")


def _snapshot(order, repository, scratch, found):
    snapshots = repository.snapshots()
    arrivals = {name: instant(at) for name, at in order["arrivals"].items()}
    refuse_forged(snapshots, now=datetime.now(UTC), arrivals=arrivals, folder=order["repository"])
    saved, described = choose(snapshots, order["snapshot"])
    original = saved.get("original") or ""
    found |= {"snapshot": saved["id"], "original": original, "of": f"{saved['at']:%Y-%m-%dT%H:%M:%SZ}"}
    known = order["manifests"].get(saved["id"]) or order["manifests"].get(original) or ""
    manifest = os.path.join(scratch, "manifest.jsonl")
    found["manifest"] = fetch_manifest(repository, described, manifest, known=known)
    found["manifest_known"] = bool(known)
    return saved, manifest


def _tops(order, manifest):
    """What is restored: the paths that were asked for, or those that were configured and the dumps."""
    known = {entry["path"] for entry in entries(manifest)}
    asked = order["paths"] or [top for top in header(manifest)["paths"] if top != f"{order['agent_state']}/canary"]
    asked = [top for top in asked if order["paths"] or os.fsencode(top) in known]
    gone = [top for top in asked if os.fsencode(top) not in known]
    if gone:
        raise Red("no_path", f"the snapshot has no {', '.join(gone)[:300]}")
    return [top for top in sorted(set(asked)) if not any(top.startswith(other + "/") for other in asked)]


def _keep_only(root, below):
    """Remove what came back besides: canary files, where everything was restored."""
    leading = {top[:end] for top in below for end in range(len(top)) if top[end : end + 1] == b"/" and end}
    pending = [b""]
    while pending:
        folder = pending.pop()
        for name in os.listdir(root + folder or b"/"):
            path = folder + b"/" + name
            if path in leading:
                pending.append(path)
            elif path not in below:
                shutil.rmtree(root + path) if os.path.isdir(root + path) else os.unlink(root + path)


def _move(source, target, suffix):
    """Move what came back to where it goes; what is there is moved aside first."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.lexists(target):
        os.rename(target, target + suffix)
    os.rename(source, target)
