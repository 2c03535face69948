"""Request bodies, strictly: an unknown field is refused by name, and so is text that a database cannot hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

_MAX_DEPTH: Final = 32


class StrictSerializer(serializers.Serializer[Any]):
    """Base of every serializer that reads a request. Errors: `unknown_field`, `invalid_text`."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            self._refuse(data)
        return super().to_internal_value(data)

    def _refuse(self, data: Mapping[str, Any]) -> None:
        known = {name for name, field in self.fields.items() if not field.read_only}
        errors: dict[str, list[ErrorDetail]] = {}
        for name, value in data.items():
            if name not in known:
                errors[name] = [ErrorDetail("This field is not known here.", "unknown_field")]
            elif problem := unstorable(value):
                errors[name] = [ErrorDetail(problem, "invalid_text")]
        if errors:
            raise ValidationError(errors)


def refuse_fields(data: Any) -> None:
    """For a request that needs no body: it may be empty, but what it holds must not be passed over."""
    StrictSerializer(data=data).is_valid(raise_exception=True)


def unstorable(value: Any, depth: int = 0) -> str:
    """Why a parsed JSON value cannot be stored, or "" when it can."""
    if depth > _MAX_DEPTH:
        return "This value is nested too deeply."
    if isinstance(value, str):
        return _unstorable_text(value)
    if isinstance(value, Mapping):
        items = [*value.keys(), *value.values()]
    elif isinstance(value, list):
        items = value
    else:
        return ""
    return next((problem for item in items if (problem := unstorable(item, depth + 1))), "")


def _unstorable_text(text: str) -> str:
    if "\x00" in text:
        return "NUL characters are not allowed."
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        return "Half of a surrogate pair is not a character."
    return ""
