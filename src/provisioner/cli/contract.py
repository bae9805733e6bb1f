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
    from provisioner.reporting.rollout_plans import rings_document, rings_lines

    found = wiring.check_clients(wiring.site(), client or None)
    if json:
        print_json(
            {
                "clients": list(found.clients),
                "problems": [vars(problem) for problem in found.problems],
                "warnings": list(found.warnings),
                "rings": [rings_document(one) for one in found.rings],
            }
        )
        return 2 if found.problems else 0
    rings = (line for one in found.rings for line in rings_lines(one))
    for line in (*map(str, found.problems), *(f"warning: {text}" for text in found.warnings), *rings):
        print(line)
    counts = f"problems: {len(found.problems)}, warnings: {len(found.warnings)}"
    print(f"{', '.join(found.clients)}: {counts}")
    return 2 if found.problems else 0


@command(
    help={
        "client": "the client's folder",
        "contract-id": "this one, when the client has several (default: each that is in force)",
        "json": JSON_HELP,
    }
)
def show(_context: Context, client: str = "", contract_id: str = "", json: bool = False) -> int:
    """Show the terms in force today, amendments applied, the machines they cover, and what was used by the log.

    Example: invoke contract.show --client demo
    """
    from provisioner.cli import wiring
    from provisioner.cli.wiring import service
    from provisioner.missions.standing import standing, standing_ones
    from provisioner.missions.uses import KINDS, balances
    from provisioner.reporting.contracts import balance_document, contract_document, lines_of

    name = required("client", client, "invoke contract.show --client demo")
    site = wiring.site()
    found, at = wiring.configuration(site, name), wiring.now()
    with service.book_if_begun(site, name) as book:
        entries = tuple(book.entries(kinds=KINDS)) if book is not None else ()
    documents = []
    for loaded in standing_ones(found.contracts, at, contract_id=contract_id or None):
        contract, today = standing(loaded, found.inventory, at)
        used = [balance_document(one) for one in balances(entries, loaded, at=at)]
        documents.append({**contract_document(contract, today, digest=loaded.digest), "balances": used})
    if json:
        print_json(documents[0] if len(documents) == 1 else {"contracts": documents})
    else:
        print("\n\n".join("\n".join(lines_of(document)) for document in documents))
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
