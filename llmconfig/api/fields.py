"""Fields of requests that carry secrets: what was sent becomes a `Secret` before anything can log it."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from llmconfig.llm import Secret, is_mask, watch

_LONGEST: Final = 20_000


@extend_schema_field(OpenApiTypes.STR)
class SecretField(serializers.Field[Secret, Any, Any, Any]):
    """Write-only text. Empty, or the mask that was shown, means "none given": a form with an untouched input keeps what is stored."""

    default_error_messages = {
        "invalid": "Not a text.",
        "max_length": f"At most {_LONGEST} characters.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(write_only=True, required=False, **kwargs)

    def to_internal_value(self, data: Any) -> Secret:
        if not isinstance(data, str):
            self.fail("invalid")
        if len(data) > _LONGEST:
            self.fail("max_length")
        given = Secret("" if is_mask(data.strip()) else data.strip())
        watch(given)
        return given


class JSONObjectField(serializers.DictField):
    """An object of JSON values."""

    child = serializers.JSONField()
