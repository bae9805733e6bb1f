"""From a document to a noun: pydantic validates straight into the model's dataclasses, we say what is wrong where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from provisioner.config.document import Document, Loc, did_you_mean

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from provisioner.config.yaml import Node
    from provisioner.errors import Problem

_SENTENCES = {
    "missing": "this key is required",
    "dataclass_type": "expected a mapping of keys and values",
    "dict_type": "expected a mapping of keys and values",
    "mapping_type": "expected a mapping of keys and values",
    "tuple_type": "expected a list",
}


def written(name: str) -> str:
    """Given a field's name, return its key in the file: a Python keyword such as `from` carries an underscore here."""
    return name.removesuffix("_")


@cache
def adapter(noun: type, *, documented: bool = False) -> TypeAdapter[Any]:
    """Given a noun, return pydantic's adapter for a tuple of one; `documented` takes the field docstrings along."""
    config = ConfigDict(extra="forbid", alias_generator=written, use_attribute_docstrings=documented)
    return TypeAdapter(tuple[noun], config=config)  # type: ignore[valid-type]


def decode(noun: type, document: Document) -> tuple[Any | None, list[Problem]]:
    """Given a noun's class and a document that holds one, return the noun, or None and every problem."""
    try:
        return adapter(noun).validate_python((plain(document.root),))[0], []
    except ValidationError as error:
        found = [_problem(item, noun=noun, document=document) for item in error.errors(include_url=False)]
        return None, found


def plain(node: Node) -> Any:
    """Given a node, return it as dicts, lists and text; keys without a value are absent."""
    if isinstance(node.value, tuple):
        return [plain(item) for item in node.value]
    if isinstance(node.value, dict):
        return {key: plain(item) for key, item in node.value.items() if item.value is not None}
    return node.value


def _problem(error: ErrorDetails, *, noun: type, document: Document) -> Problem:
    loc = error["loc"][1:]
    kind = error["type"]
    if loc and loc[-1] == "[key]":
        return document.key_problem(loc[:-1], _sentence(error))
    if kind == "unexpected_keyword_argument":
        known = _keys_at(noun, error["loc"][1:-1])
        return document.key_problem(loc, f"unknown key{did_you_mean(str(loc[-1]), known)}")
    return document.problem(loc, _sentence(error))


def _sentence(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] == "enum":
        choices = re.findall(r"'([^']*)'", str(context["expected"]))
        found = error["input"]
        shown = f", found {found[:60]!a}{did_you_mean(found, choices)}" if isinstance(found, str) else ""
        return f"expected one of {', '.join(choices)}{shown}"
    return _SENTENCES.get(error["type"], error["msg"])


def _keys_at(noun: object, loc: Loc) -> list[str]:
    """The keys that the mapping at `loc` of a noun may have."""
    for part in loc:
        noun = _inside(noun, part)
    bare = _bare(noun)
    return [written(field.name) for field in fields(bare)] if is_dataclass(bare) else []


def _inside(noun: object, part: str | int) -> object:
    bare = _bare(noun)
    if is_dataclass(bare):
        hints = _hints(bare)  # type: ignore[arg-type]
        return next((hint for name, hint in hints.items() if written(name) == part), None)
    arguments = get_args(bare)
    position = 1 if get_origin(bare) is Mapping else 0
    return arguments[position] if len(arguments) > position else None


def _bare(noun: object) -> object:
    """A type without `Annotated` and without `| None`."""
    if get_origin(noun) is Annotated:
        return _bare(get_args(noun)[0])
    some = [argument for argument in get_args(noun) if argument is not type(None)]
    return _bare(some[0]) if len(some) < len(get_args(noun)) else noun


@cache
def _hints(noun: Any) -> dict[str, Any]:
    return get_type_hints(noun, include_extras=True)
