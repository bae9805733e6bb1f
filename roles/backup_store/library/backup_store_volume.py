#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""A file system of a given size in a file, whose room is taken from the disk at once: what is in it cannot outgrow it.

Given `image`, `bytes` and `mountpoint`, make the file and the file system (ext4) when there is none, and make it
larger, mounted or not, when it is smaller. The folder it belongs on is closed to everybody until it is mounted there.
A smaller size than it has is refused: what it holds might not fit.
"""

from __future__ import annotations

import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule


def call(module, *command):
    """Run a program; fail with what it said."""
    code, _, errors = module.run_command(list(command))
    if code:
        said = (errors.strip().splitlines() or ["no reason given"])[-1]
        module.fail_json(msg=f"{command[0]} failed ({code}): {said}")


def reserve(module, image, size):
    """Take the room from the disk; a disk without it is refused, and the file stays as it was."""
    before = image.stat().st_size if image.exists() else 0
    with image.open("ab") as file:
        image.chmod(0o600)
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as problem:
            os.truncate(file.fileno(), before)
            if before == 0:
                image.unlink()
            module.fail_json(msg=f"The disk has no room for an inbox of {size} bytes at {image}: {problem.strerror}.")


def make(module, image, size):
    """Make the file system, whole or not at all."""
    code, _, errors = module.run_command(["losetup", "--find"])
    if code:
        module.fail_json(
            msg=f"This machine cannot mount a file ({errors.strip() or 'no loop device'}), so nothing would limit what"
            " agents write. Make the store a machine, real or virtual, whose kernel has loop devices."
        )
    partial = image.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    reserve(module, partial, size)
    call(module, "mkfs.ext4", "-q", "-F", "-m", "0", "-E", "nodiscard", str(partial))
    partial.rename(image)


def grow(module, image, place, size):
    """Make the file system larger: in use where the kernel lets us, else unmounted (the role mounts it again).

    What was not begun is taken back, so that the next run tries it again.
    """
    before = image.stat().st_size
    reserve(module, image, size)
    _, found, _ = module.run_command(["losetup", "--noheadings", "--output", "NAME", "--associated", str(image)])
    steps = [step for each in found.split() for step in (("losetup", "--set-capacity", each), ("resize2fs", each))]
    if steps and not any(module.run_command(list(step))[0] for step in steps):
        return
    steps = [("umount", str(place))] if place.is_mount() else []
    steps += [("e2fsck", "-f", "-p", str(image)), ("resize2fs", str(image))]
    for step in steps:
        code, _, errors = module.run_command(list(step))
        if code > 1 or (code and step[0] != "e2fsck"):  # e2fsck says 1 when it put something right
            if step[0] != "resize2fs":
                os.truncate(image, before)
            module.fail_json(msg=f"The inbox was not made larger: {' '.join(step)} ended with {code}: {errors.strip()}")


def main():
    """Look, and make or grow what is too small."""
    spec = {name: {"type": "path", "required": True} for name in ("image", "mountpoint")}
    module = AnsibleModule(argument_spec={**spec, "bytes": {"type": "int", "required": True}}, supports_check_mode=True)
    image, place, size = Path(module.params["image"]), Path(module.params["mountpoint"]), module.params["bytes"]
    mounted, there = place.is_mount(), image.exists()
    now = image.stat().st_size if there else 0
    if size < now:
        module.fail_json(
            msg=f"The inbox has {now} bytes, {size} are asked for: a limit can grow, not shrink."
            f" Ask for what there is, or move {image} away by hand once the vaults hold all that counts."
        )
    changed = size > now or not place.is_dir()
    if changed and not module.check_mode:
        if not mounted:
            place.mkdir(mode=0o700, exist_ok=True)
        if not there:
            make(module, image, size)
        elif size > now:
            grow(module, image, place, size)
    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()
