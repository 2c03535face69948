"""How our errors and our two ways of signing in look in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from rest_framework import serializers

_TYPES: Final = [("validation_error", "a value was refused"), ("client_error", "the request was refused"), ("server_error", "our fault")]


class OneErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="For programs.")
    detail = serializers.CharField(help_text="For people: what happened, and what to do next.")
    attr = serializers.CharField(allow_null=True, help_text="The field it is about.")


class ErrorSerializer(serializers.Serializer[Any]):
    type = serializers.ChoiceField(choices=_TYPES)
    errors = OneErrorSerializer(many=True)  # type: ignore[assignment]  # the stubs reserve the name


class AutoSchema(SpectacularAutoSchema):
    """Every operation may answer an error, and all errors have one shape."""

    def get_description(self) -> str:  # type: ignore[override]  # spectacular overrides it so
        """A view's docstring speaks to who reads the code, not to who calls the API."""
        return ""

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        responses: dict[str, Any] = super()._get_response_bodies(direction=direction)
        for code in ("4XX", "5XX"):
            responses.setdefault(code, self._get_response_for_code(ErrorSerializer, code, direction=direction))  # type: ignore[no-untyped-call]  # no stubs
        return responses


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "llmconfig.tenancy.rest.authentication.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "From `/api/tokens` or `manage.py create_token`."}


class CookieScheme(SessionScheme):  # type: ignore[no-untyped-call]  # no stubs
    target_class = "llmconfig.tenancy.rest.authentication.SessionAuthentication"
    name = "session"
