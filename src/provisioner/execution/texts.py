"""Texts that machines say: made short, printable and free of secrets before anybody sees them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provisioner.model.redaction import redactor

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 500

_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # terminal sequences, ECMA-48 section 5.4
    r"|[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)


def clean(text: object, secrets: Iterable[str] = ()) -> str:
    """Given anything a machine said, return one short printable text with the given secrets blotted out."""
    hide = redactor(secrets)
    line = hide(str(text))
    # Once more without the control characters: they may have stood inside a secret.
    line = hide(" ".join(_CONTROL.sub("", line).split()))
    line = line.encode("utf-8", "replace").decode()  # what was not UTF-8 on the machine arrives as lone surrogates
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
