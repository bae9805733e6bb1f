#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Folders and small files of root, in one round trip.

Given `folders`, a list of `{path, mode, owner, group}`, and `files`, a list of `{path, mode, content}`, make each as it
is asked: a file as a whole or not at all. Contents may be secrets, and are never shown. Check mode changes nothing.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

FOLDER = {
    "path": {"type": "path", "required": True},
    "mode": {"type": "str", "required": True},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
}
FILE = {
    "path": {"type": "path", "required": True},
    "mode": {"type": "str", "required": True},
    "content": {"type": "str", "required": True, "no_log": True},
}


def as_asked(module, item):
    """Set mode, owner and group; return whether that changed anything."""
    changed = module.set_owner_if_different(item["path"], item.get("owner", "root"), False)
    changed = module.set_group_if_different(item["path"], item.get("group", "root"), changed)
    return module.set_mode_if_different(item["path"], item["mode"], changed)


def folder(module, item):
    """Make a folder; return whether anything changed."""
    path = Path(item["path"])
    if path.is_dir():
        return as_asked(module, item)
    if not module.check_mode:
        path.mkdir(mode=0o700, parents=True)
        as_asked(module, item)
    return True


def file(module, item):
    """Write a file that is not there or says something else; return whether anything changed."""
    path, content = Path(item["path"]), item["content"].encode()
    if path.is_file() and path.read_bytes() == content:
        return as_asked(module, item)
    if not module.check_mode:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        module.atomic_move(name, str(path))
        as_asked(module, item)
    return True


def main():
    """Make all of them."""
    spec = {"folders": FOLDER, "files": FILE}
    lists = {
        name: {"type": "list", "elements": "dict", "default": [], "options": options} for name, options in spec.items()
    }
    module = AnsibleModule(argument_spec=lists, supports_check_mode=True)
    changed = [folder(module, item) for item in module.params["folders"]]
    changed += [file(module, item) for item in module.params["files"]]
    module.exit_json(changed=any(changed))


if __name__ == "__main__":
    main()
