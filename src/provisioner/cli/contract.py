"""`invoke contract.*`: is the contract well written, what does it say today, and its JSON Schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli.command import JSON_HELP, command, print_json, required

if TYPE_CHECKING:
    from invoke.context import Context


@command(help={"client": "the client's folder (default: every client)", "json": JSON_HELP})
def check(_context: Context, client: str = "", json: bool = False) -> int:
    """Read a client's contract, hosts and variables, and name every problem with its file, line and column.

    Ends 0 when there is none, 2 otherwise. Example: invoke contract.check --client demo
    """
    from provisioner.cli import wiring

    found = wiring.check_clients(wiring.site(), client or None)
    if json:
        print_json(
            {
                "clients": list(found.clients),
                "problems": [vars(problem) for problem in found.problems],
                "warnings": list(found.warnings),
            }
        )
        return 2 if found.problems else 0
    for line in (*map(str, found.problems), *(f"warning: {text}" for text in found.warnings)):
        print(line)
    counts = f"problems: {len(found.problems)}, warnings: {len(found.warnings)}"
    print(f"{', '.join(found.clients)}: {counts}")
    return 2 if found.problems else 0


@command(help={"client": "the client's folder", "json": JSON_HELP})
def show(_context: Context, client: str = "", json: bool = False) -> int:
    """Show the terms in force today, amendments applied, and which machines they cover.

    Example: invoke contract.show --client demo
    """
    from provisioner.cli import wiring
    from provisioner.missions.standing import standing
    from provisioner.reporting.contracts import contract_document, lines_of

    name = required("client", client, "invoke contract.show --client demo")
    found = wiring.configuration(wiring.site(), name)
    contract, today = standing(found.contract, found.inventory, wiring.now())
    document = contract_document(contract, today, digest=found.contract.digest)
    if json:
        print_json(document)
    else:
        print("\n".join(lines_of(document)))
    return 0


@command(help={"inventory": "the schema of hosts.yml instead", "json": JSON_HELP})
def schema(_context: Context, inventory: bool = False, json: bool = False) -> int:
    """Print the JSON Schema of contract.yml (with --inventory: of hosts.yml), as an editor uses it.

    Example: invoke contract.schema > contract.schema.json
    """
    from provisioner.cli import wiring

    del json  # a schema is a JSON document in any case
    print_json(wiring.schema(inventory=inventory))
    return 0
