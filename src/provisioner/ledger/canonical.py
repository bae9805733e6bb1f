"""Canonical JSON (RFC 8785) without floats: one value, one sequence of bytes.

Without floats RFC 8785 is: keys sorted by UTF-16 code units, no white space, the shortest escapes, UTF-8. That is the
standard library's C encoder over sorted keys; the tests hold it against the `rfc8785` package.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NoReturn

from provisioner.errors import LedgerError

INTEGER_LIMIT = 2**53 - 1
"""The largest integer, either side of zero, that every JSON reader keeps exactly (RFC 8785, I-JSON)."""

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode


def render(value: object) -> bytes:
    """Given a value as `plain` takes it, return its bytes; raises LedgerError as `plain` and `encode` do."""
    return encode(plain(value))


def plain(value: object) -> object:
    """Return `value` as `parse` would return it from its bytes, keys sorted.

    Taken are null, booleans, integers, text, aware datetimes (which become text, see `instant`), sequences, and
    mappings with text keys. Raises LedgerError, naming the path inside the value, for a float, a naive instant, an
    integer beyond 2**53 - 1, nesting that is too deep, or anything else that JSON has no exact word for.
    """
    try:
        return _plain(value, "")
    except RecursionError as error:
        raise LedgerError("an entry cannot hold a value nested this deeply") from error


def encode(value: object) -> bytes:
    """Return the bytes of a value that came from `plain`; raises LedgerError for a lone surrogate (it has no UTF-8)."""
    try:
        return _encode(value).encode()
    except UnicodeEncodeError as error:
        raise LedgerError("an entry cannot hold text with a lone surrogate: it has no UTF-8 form") from error


def parse(line: bytes) -> object:
    """Return the value whose `render` is exactly `line`; raise LedgerError if `line` is not canonical.

    Instants stay text: only the reader of a field knows that it is one.
    """
    try:
        value = _decode(line.decode())
        same = _encode(value).encode() == line
    except (ValueError, RecursionError) as error:
        raise LedgerError(f"not canonical JSON: {error}") from error
    if not same:
        raise LedgerError("not canonical JSON: the same value is written differently in RFC 8785")
    return value


def instant(at: datetime) -> str:
    """Return `2026-11-23T14:00:00Z`, with six decimals where there are microseconds; refuse a naive datetime."""
    if at.tzinfo is None or at.utcoffset() is None:
        raise LedgerError(f"the instant {at.isoformat()} has no time zone; give an aware datetime")
    try:
        return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    except OverflowError as error:
        raise LedgerError(f"the instant {at.isoformat()} is beyond the years 1 to 9999 in UTC") from error


def parse_instant(text: str) -> datetime:
    """Return the aware UTC datetime whose `instant` is exactly `text`; raise LedgerError otherwise."""
    try:
        at = datetime.fromisoformat(text)
        same = instant(at) == text
    except ValueError:
        same = False
    if not same:
        raise LedgerError(f"{text!r} is not an instant such as 2026-11-23T14:00:00Z")
    return at


def texts(value: object) -> Iterator[str]:
    """Yield every text in a parsed value, keys of objects excepted."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def _plain(value: object, path: str) -> object:
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _bounded(int(value), path)
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key], f"{path}.{key}") for key in _in_order(list(value), path)}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(item, f"{path}[{position}]") for position, item in enumerate(value)]
    if isinstance(value, datetime):
        return instant(value)
    raise LedgerError(f"{path or 'value'}: {value!r} cannot enter an entry; write it as text, an integer or null")


def _bounded(number: int, path: str) -> int:
    if abs(number) > INTEGER_LIMIT:
        raise LedgerError(f"{path or 'value'}: {number} is beyond 2**53 - 1; write it as text")
    return number


def _in_order(keys: list[str], path: str) -> list[str]:
    for key in keys:
        if not isinstance(key, str):
            raise LedgerError(f"{path or 'value'}: the key {key!r} is not text")
    return sorted(keys) if "".join(keys).isascii() else sorted(keys, key=_utf16)


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    found = dict(pairs)
    if len(found) != len(keys) or _in_order(keys, "") != keys:
        raise ValueError("keys are repeated or out of order")
    return found


def _integer(text: str) -> int:
    number = int(text)
    if abs(number) > INTEGER_LIMIT:
        raise ValueError(f"the integer {text} is beyond 2**53 - 1")
    return number


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"{text} is not an integer")


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_no_float, parse_constant=_no_float, parse_int=_integer
).decode
