"""A provider's fields as JSON Schema 2020-12: the settings form and API clients derive from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmconfig.llm import CredentialField, Provider


def provider_row(provider: type[Provider]) -> dict[str, Any]:
    """A row of GET /api/providers."""
    return {
        "slug": provider.slug,
        "label": provider.label,
        "kind": provider.kind,
        "is_demo": provider.is_demo,
        "default_base_url": provider.default_base_url,
        "credential_schema": json_schema(provider.fields),
        "options_schema": json_schema(provider.options),
        "capabilities": provider.capabilities.as_dict(),
    }


def json_schema(fields: Iterable[CredentialField]) -> dict[str, Any]:
    listed = list(fields)
    return {
        "type": "object",
        "properties": {field.name: _property(field) for field in listed},
        "required": [field.name for field in listed if field.required],
        "additionalProperties": False,
    }


def _property(field: CredentialField) -> dict[str, Any]:
    schema = _typed(field)
    schema["title"] = field.label
    if field.help:
        schema["description"] = field.help
    if field.default is not None:
        schema["default"] = field.default
    if field.write_only:
        schema["writeOnly"] = True
    if field.group:
        schema["x-group"] = field.group
    return schema


def _typed(field: CredentialField) -> dict[str, Any]:
    choices = {"enum": list(field.choices)} if field.choices else {}
    match field.type:
        case "url":
            return {"type": "string", "format": "uri"}
        case "list":
            return {"type": "array", "items": {"type": "string", **choices}, "uniqueItems": True}
        case "mapping":
            first = {"type": "string", "minLength": 1, "description": f"Stands for an object with this {field.entries[0].name}."}
            named = {"propertyNames": {"title": field.entry_label, "minLength": 1}} if field.entry_label else {}
            return {"type": "object", "additionalProperties": {"anyOf": [first, json_schema(field.entries)]}, **named}
        case "string" if field.multiline:
            return {"type": "string", "format": "multiline"}
        case _:
            bounds = {"minimum": field.minimum, "maximum": field.maximum}
            return {"type": field.type, **choices, **{name: bound for name, bound in bounds.items() if bound is not None}}
