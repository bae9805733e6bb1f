"""`invoke lab.*`: the practice machines of a client's inventory, as containers on loopback ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli.command import JSON_HELP, command, print_json, say

if TYPE_CHECKING:
    from invoke.context import Context

CLIENT = "the client whose machines at 127.0.0.1 are to be practice machines (default: demo)"


@command(
    help={
        "client": CLIENT,
        "image": "an image that is there already, instead of building one",
        "stores": "the stores of the client's backups as well, each machine known to the others by its name",
        "json": JSON_HELP,
    }
)
def up(_context: Context, client: str = "demo", image: str = "", stores: bool = False, json: bool = False) -> int:
    """Make the practice machines run, and their host keys known. Example: invoke lab.up --stores"""
    from provisioner.cli import wiring

    practice = wiring.practice(wiring.site(writes=True), client, image=image, stores=stores)
    running = practice.lab.up(practice.machines, practice.access, say=say)
    if stores:
        practice.lab.introduce(running)
    rows = [{"name": one.machine.name, "port": one.machine.port, "container": one.container} for one in running]
    if json:
        print_json({"machines": rows})
    else:
        for row in rows:
            print(f"{row['name']} answers on 127.0.0.1:{row['port']} (container {row['container']})")
    return 0


@command(help={"client": CLIENT, "images": "remove the images as well", "json": JSON_HELP})
def down(_context: Context, client: str = "demo", images: bool = False, json: bool = False) -> int:
    """Remove the practice machines. Example: invoke lab.down"""
    from provisioner.cli import wiring

    removed = wiring.lab(client).down(images=images)
    if json:
        print_json({"removed": list(removed)})
    else:
        print(f"removed {', '.join(removed)}" if removed else f"there were no practice machines of {client}")
    return 0


@command(help={"client": CLIENT, "json": JSON_HELP})
def status(_context: Context, client: str = "demo", json: bool = False) -> int:
    """List the practice machines and their state. Example: invoke lab.status"""
    from provisioner.cli import wiring
    from provisioner.cli.present import table

    found = wiring.lab(client).status()
    rows = [(one.machine.name, str(one.machine.port), one.machine.release, one.state) for one in found]
    if json:
        keys = ("name", "port", "release", "state")
        print_json({"machines": [dict(zip(keys, row, strict=True)) for row in rows]})
    elif rows:
        table("", ("machine", "port", "release", "state"), rows)
    else:
        print(f"there are no practice machines of {client}; `invoke lab.up` makes them")
    return 0
