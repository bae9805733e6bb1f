"""`audit.export`: a bundle for somebody outside; and `audit.verify --bundle`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli.audit.flags import CLIENT, INSTANT, instant_of
from provisioner.cli.command import JSON_HELP, command, print_json, required
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from invoke.context import Context

    from provisioner.missions.anchors import Trusted
    from provisioner.missions.export import Written


@command(
    help={
        "client": CLIENT,
        "intervention": "the id of one intervention: nothing else of the log is shown",
        "since": INSTANT,
        "until": INSTANT + "; a day is included",
        "out": "the file to write, a .tar.gz; one that is there is never replaced",
        "details": "add the personal values that the entries cite, and who the operators are",
        "json": JSON_HELP,
    }
)
def export(
    _context: Context,
    client: str = "",
    intervention: str = "",
    since: str = "",
    until: str = "",
    out: str = "",
    details: bool = False,
    json: bool = False,
) -> int:
    """Write the evidence of an intervention, a period or the whole log to one file that verifies without us.

    Example: invoke audit.export --client demo --since 2026-11-01 --until 2026-11-30 --out november.tar.gz
    """
    from pathlib import Path

    from provisioner.cli import wiring
    from provisioner.missions.export import Wanted
    from provisioner.missions.export import export as write

    example = "invoke audit.export --client demo --intervention iv-0123456789abcdef --out evidence.tar.gz"
    name, target = required("client", client, example), required("out", out, example)
    if intervention and (since or until):
        raise UsageError("--intervention and a period were both given", hint="ask for one of them")
    wanted = Wanted(
        intervention=intervention,
        since=instant_of("since", since, whole_day=False),
        until=instant_of("until", until, whole_day=True),
        details=details,
    )
    with wiring.open_book(wiring.site(), name, read_only=True) as book:
        written = write(book, wanted, Path(target))
    if json:
        print_json({"client": name, **vars(written), "path": str(written.path), "exit_code": 0})
    else:
        _tell(written, name)
    return 0


def _tell(written: Written, client: str) -> None:
    for digest in written.missing:
        print(f"the text of the contract {digest} is not kept any more: it is not in the bundle")
    print(f"{written.path}: {written.entries} of {written.size} entries of {client}, each with its proof")
    print("whoever gets it unpacks it and runs: python3 verify.py; its VERIFY.md says how to do without")


def verify_bundle(bundle: str, *, checkpoint: str, fingerprint: str, parties: Trusted, json: bool) -> int:
    """What `audit.verify --bundle` does: say what a bundle is worth, and return the exit code."""
    from pathlib import Path

    from provisioner.cli.audit.answers import tell
    from provisioner.missions.export import verify_exported

    kept = Path(checkpoint) if checkpoint else None
    report = verify_exported(Path(bundle), kept=kept, fingerprint=fingerprint, trusted=parties)
    return tell(report, f"in {bundle}", json={"bundle": bundle} if json else None)
