"""JSON Schema of the two files, and the reference page of the contract: both drawn from the nouns that load them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

from pydantic.json_schema import GenerateJsonSchema

from provisioner.config.decode import adapter
from provisioner.config.host_keys import HOST_KEYS, pattern
from provisioner.model.contract import Contract
from provisioner.model.mission_terms import MissionTerms
from provisioner.model.values import Duration, HostName, Percentage

if TYPE_CHECKING:
    from provisioner.config.role_inputs import Option, RoleInputs

_DRAFT = "http://json-schema.org/draft-07/schema#"
_TYPES: dict[str, dict[str, Any]] = {
    "str": {"type": ["string", "number", "integer", "boolean"]},
    "path": {"type": "string"},
    "raw": {},
    "int": {"type": ["integer", "string"], "pattern": "^-?[0-9]+$"},
    "bool": {"type": ["boolean", "string"], "pattern": "^(true|false)$"},
}


def contract_schema() -> dict[str, Any]:
    """The JSON Schema (draft 07) of contract.yml."""
    definitions = _definitions(Contract)
    for mission in MissionTerms.__subclasses__():
        for base in mission.__mro__[1:-1]:
            definitions[mission.__name__]["properties"] |= _definitions(base)[base.__name__]["properties"]
    contract = definitions.pop("Contract")
    return {"$schema": _DRAFT, "title": "contract.yml", **contract, "definitions": dict(sorted(definitions.items()))}


def inventory_schema(roles: RoleInputs) -> dict[str, Any]:
    """Given what roles accept, return the JSON Schema (draft 07) of hosts.yml."""
    host: str = get_args(HostName)[1].pattern
    variables = {"anyOf": [{"type": "null"}, {"$ref": "#/definitions/variables"}]}
    keys = {
        key: {"type": ["string", "integer"], "pattern": f"^(?:{pattern(key)})$", "description": expected}
        for key, expected in HOST_KEYS.items()
    }
    inputs = {name: _option(option) for name, option in sorted(roles.items())}
    group = {
        "type": ["object", "null"],
        "properties": {
            "hosts": {
                "type": ["object", "null"],
                "patternProperties": {f"^(?:{host})$": variables},
                "additionalProperties": False,
            },
            "vars": variables,
            "children": {"type": ["object", "null"], "additionalProperties": {"$ref": "#/definitions/group"}},
        },
        "additionalProperties": False,
    }
    return {
        "$schema": _DRAFT,
        "title": "hosts.yml",
        "type": "object",
        "additionalProperties": {"$ref": "#/definitions/group"},
        "definitions": {
            "group": group,
            "variables": {"type": "object", "properties": {**keys, **inputs}, "additionalProperties": False},
        },
    }


class _Drawn(GenerateJsonSchema):
    """Defaults as a file would write them; those that are structures are not shown."""

    def encode_default(self, dft: Any) -> Any:
        return str(dft) if isinstance(dft, Duration | Percentage) else super().encode_default(dft)


def _definitions(noun: type) -> dict[str, Any]:
    drawn = adapter(noun, documented=True).json_schema(schema_generator=_Drawn)
    definitions: dict[str, Any] = _tidied(drawn)["definitions"]
    return definitions


def _tidied(schema: Any) -> Any:
    """A schema as draft 07 has it, without what pydantic adds for itself: titles, and defaults that are structures."""
    if isinstance(schema, list):
        return [_tidied(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: _tidied(value) for key, value in schema.items() if key not in ("title", "$defs", "properties", "$ref")}
    if out.get("default", "") in ("", None) or isinstance(out["default"], dict | list):
        out.pop("default", None)
    for key, name in (("properties", "properties"), ("$defs", "definitions")):
        if key in schema:
            out[name] = {inner: _tidied(value) for inner, value in schema[key].items()}
    if "patternProperties" in out:
        out["additionalProperties"] = False
    if "$ref" not in schema:
        return out
    reference = {"$ref": schema["$ref"].replace("#/$defs/", "#/definitions/")}
    return {"allOf": [reference], **out} if out else reference


def _option(option: Option) -> dict[str, Any]:
    """The schema of one role input."""
    schema: dict[str, Any] = dict(_TYPES.get(option.type, {}))
    if option.type == "list":
        schema = {"type": "array", "items": _option(option.element)}
    if option.type == "dict":
        schema = {"type": "object"}
        if option.options:
            schema["properties"] = {name: _option(inner) for name, inner in sorted(option.options.items())}
            schema["additionalProperties"] = False
            schema["required"] = sorted(name for name, inner in option.options.items() if inner.required)
    if option.choices and option.type != "list":
        schema = {"enum": list(option.choices)}
    return {"description": option.description, **schema} if option.description else schema


def text(schema: dict[str, Any]) -> str:
    """Given a schema, return the text of its committed file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
