#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Write folders and files of the backup agent, in one round trip and without showing what is in them.

Given `folders`, a list of `{path, mode}`, and `files`, a list of `{path, mode, content}`, each is there afterwards, is
root's, and has its mode and content; modes are octal text. A file is replaced whole. Returns `written`, the paths that
were not so before. Check mode returns the same and writes nothing.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule


def owned(path, mode):
    """Whether a path is root's and has a mode."""
    state = path.lstat()
    return (state.st_uid, state.st_gid, stat.S_IMODE(state.st_mode)) == (0, 0, int(mode, 8))


def as_asked(path, mode, content=None):
    """Whether a path is as asked: a folder without content, a file with it."""
    if path.is_symlink() or not (path.is_dir() if content is None else path.is_file()):
        return False
    return owned(path, mode) and (content is None or path.read_bytes() == content.encode())


def write(path, mode, content=None):
    """Make it so. A file is written beside its place, readable by nobody else meanwhile."""
    if content is None:
        path.mkdir(exist_ok=True)
        os.chown(path, 0, 0)
        path.chmod(int(mode, 8))
        return
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(content.encode())
        handle.flush()
        os.fchown(handle.fileno(), 0, 0)
        os.fchmod(handle.fileno(), int(mode, 8))
        os.fsync(handle.fileno())
    fresh.replace(path)


def main():
    """Write what is not as asked."""
    entry = {"path": {"type": "path", "required": True}, "mode": {"type": "str", "required": True}}
    file = {**entry, "content": {"type": "str", "required": True, "no_log": True}}
    module = AnsibleModule(
        argument_spec={
            "folders": {"type": "list", "elements": "dict", "required": True, "options": entry},
            "files": {"type": "list", "elements": "dict", "required": True, "options": file},
        },
        supports_check_mode=True,
    )
    written = []
    try:
        for each in (*module.params["folders"], *module.params["files"]):
            path = Path(each["path"])
            if not as_asked(path, each["mode"], each.get("content")):
                written.append(str(path))
                if not module.check_mode:
                    write(path, each["mode"], each.get("content"))
    except OSError as problem:
        module.fail_json(msg=f"{problem.filename}: {problem.strerror}")
    module.exit_json(changed=bool(written), written=written)


if __name__ == "__main__":
    main()
