"""Redaction: a known secret stays in no text, in none of the forms in which programs write it. Pure.

What is not known to be a secret is not touched, and what is not a known form is not found: this is the last net, under
the rule that only named facts are copied out of a run at all.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from provisioner.model.asset import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from provisioner.model.asset import Asset

REDACTED = "[redacted]"
"""What stands where a text held a secret."""

SHORT = 3
"""Characters from which a secret is looked for inside words and in every form; a shorter one as a whole word only."""

LONG = 8
"""Characters from which a part of a secret text is a secret by itself: shorter ones are words like any other."""

_SURE = 6
"""Characters of base64 from which a piece cannot be there by chance."""


def secrets_of(asset: Asset) -> tuple[str, ...]:
    """Given an asset, return every text that no message may show: its connection's secrets, and those of its roles.

    Of a text of several lines, such as a keyfile, each long line and what follows its `=` is a secret too.
    """
    found = list(asset.secrets.values())
    for name, value in asset.confidential.items():
        for text in _hidden(value, asset.variables.get(name, HIDDEN)):
            lines = text.splitlines() if "\n" in text else []
            parts = (part.strip() for line in lines for part in (line, line.partition("=")[2]))
            found += [text, *(part for part in parts if len(part) >= LONG)]
    return tuple(dict.fromkeys(filter(None, found)))


def _hidden(value: object, shown: object) -> Iterator[str]:
    """Every text in a value that is not in what is shown of it; a number is the text that it is written as."""
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        if value != shown:
            yield str(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _hidden(item, shown.get(key) if isinstance(shown, dict) else HIDDEN)
    elif isinstance(value, list):
        beside = shown if isinstance(shown, list) and len(shown) == len(value) else [HIDDEN] * len(value)
        for item, other in zip(value, beside, strict=True):
            yield from _hidden(item, other)


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Given secrets, return the function that puts REDACTED in a text wherever one of them stands.

    Found plain, in base64 (RFC 4648, both alphabets, also inside a longer encoded text), URL-encoded (RFC 3986), in
    hex, and escaped as in JSON or Python. Of forms that overlap nothing is left. Any other text is returned as it is.
    """
    known = tuple(dict.fromkeys(secret for secret in secrets if secret))

    def hide(text: str) -> str:
        spans = sorted(span for secret in known for span in _spans(secret, text))
        parts, end = list[str](), 0
        for start, stop in spans:
            if start > end or not parts:
                parts += [text[end:start], REDACTED]
            end = max(end, stop)
        return "".join([*parts, text[end:]])

    return hide


def redacted(value: object, hide: Callable[[str], str], *, names: Collection[str], path: str = "") -> object:
    """Given data of JSON's kinds, return it with `hide` applied to every text, except those at the paths `names`.

    A path is the keys down to a text, joined by dots, `[]` for any item of a list: `assets[].name`. Keys are kept.
    """
    if isinstance(value, str):
        return value if path in names else hide(value)
    if isinstance(value, dict):
        below = f"{path}." if path else ""
        return {key: redacted(item, hide, names=names, path=f"{below}{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [redacted(item, hide, names=names, path=f"{path}[]") for item in value]
    return value


def _spans(secret: str, text: str) -> Iterator[tuple[int, int]]:
    if len(secret) < SHORT:
        yield from (found.span() for found in re.finditer(rf"(?<!\w){re.escape(secret)}(?!\w)", text))
        return
    for form in forms(secret):
        start = text.find(form)
        while start >= 0:
            yield start, start + len(form)
            start = text.find(form, start + 1)


@lru_cache(maxsize=1024)
def forms(secret: str) -> tuple[str, ...]:
    """Given a secret, return the texts that give it away, itself first; of blank space around it too little to tell."""
    data = secret.encode("utf-8", "surrogatepass")
    core = secret.strip()
    plain = [secret, core if len(core) >= SHORT else "", " ".join(secret.split()) if len(core) >= SHORT else ""]
    quoted = [quote(data, safe=""), quote(data), quote_plus(data)]
    quoted += [re.sub("%..", lambda found: found[0].lower(), form) for form in quoted]
    escaped = [json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]]
    found = [*plain, *quoted, *escaped, data.hex(), data.hex().upper(), *_base64(data)]
    return tuple(dict.fromkeys(filter(None, found)))


def _base64(data: bytes) -> Iterator[str]:
    """The base64 of the data, and the characters that it alone decides when up to two other bytes stand before it."""
    whole = b64encode(data).decode()
    pieces = [whole, whole.rstrip("=")]
    for before, mixed in ((0, 0), (1, 2), (2, 3)):
        encoded = b64encode(bytes(before) + data).decode().rstrip("=")
        end = len(encoded) - (1 if (before + len(data)) % 3 else 0)
        pieces += [piece for piece in (encoded[mixed:end],) if len(piece) >= _SURE]
    for piece in pieces:
        yield piece
        yield piece.translate(str.maketrans("+/", "-_"))
