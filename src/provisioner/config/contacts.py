"""The people in the text of a contract: what its `contacts` say, as stored years ago or today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.config.yaml import Bounds, parse
from provisioner.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.config.yaml import Node


def contacts(text: bytes) -> tuple[tuple[str, str], ...]:
    """Given a contract's text, return (name, value) of each contact of either party, those of amendments included.

    A text that cannot be read as YAML has none that could be told.
    """
    try:
        return tuple(_contacts(parse(text, file="contract.yml", bounds=Bounds())))
    except ConfigurationError:
        return ()


def _contacts(node: Node) -> Iterator[tuple[str, str]]:
    if isinstance(node.value, tuple):
        for item in node.value:
            yield from _contacts(item)
    elif isinstance(node.value, dict):
        for key, item in node.value.items():
            if key == "contacts" and isinstance(item.value, dict):
                yield from ((name, held.value) for name, held in item.value.items() if isinstance(held.value, str))
            else:
                yield from _contacts(item)
