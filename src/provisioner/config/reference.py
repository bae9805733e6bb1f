"""What is drawn from the nouns and committed: both schemas, and the reference page of contract.yml."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from provisioner.config.schema import contract_schema, inventory_schema, text

if TYPE_CHECKING:
    from pathlib import Path

    from provisioner.config.role_inputs import RoleInputs

_INTRODUCTION = """# Reference: contract.yml

Drawn from the nouns in `src/provisioner/model` that load the file; a test keeps this page current.
Every scalar is text until its key types it; `null`, `~` or nothing mean absent; an empty mission is `{}`.
The rules it mentions are in [contract_rules.md](contract_rules.md)."""


def generated(*, roles: RoleInputs) -> dict[str, str]:
    """Given what roles accept, return every drawn file: its path in the checkout, and its text."""
    return {
        "schemas/contract.schema.json": text(contract_schema()),
        "schemas/inventory.schema.json": text(inventory_schema(roles)),
        "docs/reference/contract.md": contract_reference(),
    }


def write_generated(checkout: Path, *, roles: RoleInputs) -> tuple[Path, ...]:
    """Given the checkout and what roles accept, write every drawn file; return their paths."""
    files = generated(roles=roles)
    for name, content in files.items():
        (checkout / name).write_text(content, encoding="utf-8")
    return tuple(checkout / name for name in files)


def contract_reference() -> str:
    """The reference page of contract.yml, in Markdown: every key, what it holds, its default."""
    schema = contract_schema()
    nouns = {"Contract": schema, **schema["definitions"]}
    lines = [_INTRODUCTION]
    pending, seen = ["Contract"], set()
    while pending:
        name = pending.pop(0)
        if name not in seen and "properties" in nouns[name]:
            seen.add(name)
            lines += _section(name, nouns)
            pending += _mentioned(nouns[name]["properties"])
    return "\n".join(lines) + "\n"


def _section(name: str, nouns: dict[str, Any]) -> list[str]:
    noun = nouns[name]
    lines = [f"\n## {name}\n", noun["description"] + "\n", "| key | holds | default | meaning |", "|---|---|---|---|"]
    for key, value in noun["properties"].items():
        default = "required" if key in noun.get("required", ()) else _default(value)
        inner = nouns[_mentioned(value)[0]] if _mentioned(value) else {}
        meaning = value.get("description") or inner.get("description", "")
        lines.append(f"| `{key}` | {_holds(value, nouns)} | {default} | {meaning} |")
    return lines


def _default(value: dict[str, Any]) -> str:
    default = value.get("default")
    return "" if default is None else f"`{json.dumps(default) if isinstance(default, bool) else default}`"


def _holds(value: dict[str, Any], nouns: dict[str, Any]) -> str:
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        choices = nouns[name].get("enum")
        return "one of " + ", ".join(f"`{choice}`" for choice in choices) if choices else f"[{name}](#{name.lower()})"
    for key in ("allOf", "anyOf"):
        if key in value:
            return " or ".join(_holds(item, nouns) for item in value[key] if item.get("type") != "null")
    if value.get("type") == "array":
        return f"list: {_holds(value['items'], nouns)}"
    for inner in value.get("patternProperties", {}).values():
        return f"mapping, {value['propertyNames']['$comment']}: {_holds(inner, nouns)}"
    return str(value.get("$comment", "keys of the contract"))


def _mentioned(value: object) -> list[str]:
    """The nouns that a part of the schema refers to, in order."""
    if isinstance(value, dict):
        own = [value["$ref"].rpartition("/")[2]] if "$ref" in value else []
        return own + [name for inner in value.values() for name in _mentioned(inner)]
    return [name for inner in value for name in _mentioned(inner)] if isinstance(value, list) else []
