"""`/api/providers` and `/api/models`: what there is to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, status
from rest_framework.response import Response
from rest_framework.views import APIView

from llmconfig import services
from llmconfig.api.serializers import (
    CustomModelChangeSerializer,
    CustomModelSerializer,
    ModelRowSerializer,
    NewCustomModelSerializer,
    ProviderSerializer,
    RefreshedSerializer,
)
from llmconfig.tenancy.caller import Action, caller_of
from llmconfig.tenancy.rest.idempotency import IdempotentCreateMixin, idempotency_parameter
from llmconfig.tenancy.rest.pagination import Whole
from llmconfig.tenancy.rest.serializers import refuse_fields

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request

    from llmconfig.models import CustomModel


class ProviderList(generics.ListAPIView[Any]):
    read_action = Action.SEE
    serializer_class = ProviderSerializer
    pagination_class = Whole

    @extend_schema(operation_id="providers_list", summary="Kinds of provider")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> Any:
        return [services.provider_row(provider) for provider in services.available_providers()]


@extend_schema_view(
    get=extend_schema(operation_id="models_list", summary="Models you may use"),
    post=extend_schema(
        operation_id="models_create",
        summary="Add a model, or set the facts and the price of a listed one",
        request=NewCustomModelSerializer,
        responses={201: CustomModelSerializer},
        parameters=[idempotency_parameter],
    ),
)
class ModelList(IdempotentCreateMixin, generics.ListAPIView[Any]):
    serializer_class = ModelRowSerializer
    pagination_class = Whole
    read_action, write_action = Action.SEE, Action.SHARE

    def get_queryset(self) -> Any:
        return services.models_for(caller_of(self.request))

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        body = NewCustomModelSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        row = services.create_custom_model(caller=caller_of(request), **body.validated_data)
        return Response(_shown(row), status=status.HTTP_201_CREATED)


class ModelDetail(APIView):
    read_action, write_action = Action.SEE, Action.SHARE

    @extend_schema(operation_id="models_read", summary="An admin's own row on a model", responses=CustomModelSerializer)
    def get(self, request: Request, id: UUID) -> Response:
        return Response(_shown(services.custom_model_for(caller_of(request), id)))

    @extend_schema(operation_id="models_update", summary="Change it", request=CustomModelChangeSerializer, responses=CustomModelSerializer)
    def patch(self, request: Request, id: UUID) -> Response:
        body = CustomModelChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(_shown(services.update_custom_model(caller=caller_of(request), id=id, **body.validated_data)))

    @extend_schema(operation_id="models_delete", summary="Delete it: the lists hold again", responses={204: None})
    def delete(self, request: Request, id: UUID) -> Response:
        services.delete_custom_model(caller=caller_of(request), id=id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ModelRefresh(APIView):
    write_action = Action.MANAGE_OWN

    @extend_schema(
        operation_id="models_refresh", summary="Ask a config's provider for its models now", request=None, responses=RefreshedSerializer
    )
    def post(self, request: Request, id: UUID) -> Response:
        refuse_fields(request.data)
        refreshed = services.refresh_models(caller=caller_of(request), id=id)
        told = refreshed.result.as_dict() | {"models": refreshed.models, "fetched_at": refreshed.fetched_at}
        return Response(RefreshedSerializer(told).data)


def _shown(row: CustomModel) -> Any:
    return CustomModelSerializer(services.custom_model_row(row)).data
