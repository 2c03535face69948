"""`/api/providers` and `/api/models`: what there is to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import generics

from llmconfig import services
from llmconfig.api.serializers import ModelRowSerializer, ProviderSerializer
from llmconfig.tenancy.caller import caller_of
from llmconfig.tenancy.rest.pagination import Whole

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


class ProviderList(generics.ListAPIView[Any]):
    serializer_class = ProviderSerializer
    pagination_class = Whole

    @extend_schema(operation_id="providers_list", summary="Kinds of provider")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> Any:
        return [services.provider_row(provider) for provider in services.available_providers()]


class ModelList(generics.ListAPIView[Any]):
    serializer_class = ModelRowSerializer
    pagination_class = Whole

    @extend_schema(operation_id="models_list", summary="Models you may use")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> Any:
        return services.models_for(caller_of(self.request))
