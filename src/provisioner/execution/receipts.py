"""The receipt's file, version 1, its inverse, and the role's inputs that write it."""

from __future__ import annotations

import json
import re

from provisioner.execution.ports import Receipt

_RECEIPT = re.compile(
    r'\{"client":"(?P<client>[A-Za-z0-9._-]{1,64})","digest":"(?P<digest>[0-9a-f]{64})",'
    r'"entry":(?P<entry>0|[1-9][0-9]{0,15}),"intervention":"(?P<intervention>[A-Za-z0-9][A-Za-z0-9._-]{0,63})",'
    r'"log":"(?P<log>provisioner/(?P=client))","plan_digest":"(?P<plan_digest>[0-9a-f]{64})","v":1\}\n'
)


def render_receipt(receipt: Receipt) -> str:
    """Given a receipt, return its file, version 1: one line of canonical JSON (RFC 8785) and a line end."""
    return json.dumps({**vars(receipt), "v": 1}, sort_keys=True, separators=(",", ":")) + "\n"


def parse_receipt(text: str) -> Receipt:
    """Given a file's text, return the receipt: the inverse of `render_receipt`. ValueError for anything else."""
    found = _RECEIPT.fullmatch(text)
    if found is None:
        raise ValueError("not a receipt of version 1 in canonical form")
    return Receipt(**{**found.groupdict(), "entry": int(found["entry"])})  # type: ignore[arg-type]


def receipt_variables(receipt: Receipt) -> dict[str, object]:
    """Given a receipt, return the inputs of the role that writes it. No client's file can set them."""
    return {
        "intervention_receipt_intervention": receipt.intervention,
        "intervention_receipt_text": render_receipt(receipt),
    }
