"""`/api/user/llm-config`: a person's provider configs and those the organization shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics, status
from rest_framework.response import Response
from rest_framework.views import APIView

from llmconfig import services
from llmconfig.api.serializers import (
    ConfigChangeSerializer,
    ConfigSerializer,
    ConnectionResultSerializer,
    NewConfigSerializer,
    TestRequestSerializer,
)
from llmconfig.tenancy.caller import Action, caller_of
from llmconfig.tenancy.rest.idempotency import IdempotentCreateMixin, idempotency_parameter

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from llmconfig.models import UserLLMConfig

_VALIDATE = OpenApiParameter("validate", bool, description="Ask the provider first, and save only what works.")


@extend_schema_view(
    get=extend_schema(operation_id="configs_list", summary="Configs"),
    post=extend_schema(
        operation_id="configs_create",
        summary="Add a config",
        request=NewConfigSerializer,
        responses={201: ConfigSerializer},
        parameters=[_VALIDATE, idempotency_parameter],
    ),
)
class ConfigList(IdempotentCreateMixin, generics.ListAPIView[Any]):
    read_action, write_action = Action.SEE, Action.MANAGE_OWN
    serializer_class = ConfigSerializer

    def get_queryset(self) -> QuerySet[UserLLMConfig]:
        return services.configs_for(caller_of(self.request))

    def before_create(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self._tested = services.require_working(caller=caller_of(request), **_new(request)) if _wants_validation(request) else None

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        config = services.create_config(caller=caller_of(request), **_new(request))
        if self._tested:
            services.note_result(config, self._tested)
            config.refresh_from_db()
        return Response(ConfigSerializer(config, context={"request": request}).data, status=status.HTTP_201_CREATED)


class ConfigDetail(APIView):
    read_action, write_action = Action.SEE, Action.MANAGE_OWN

    @extend_schema(operation_id="configs_read", summary="One config", responses=ConfigSerializer)
    def get(self, request: Request, id: UUID) -> Response:
        config = services.config_for(caller_of(request), id)
        return Response(ConfigSerializer(config, context={"request": request}).data)

    @extend_schema(
        operation_id="configs_update", summary="Change a config, or its key", request=ConfigChangeSerializer, responses=ConfigSerializer
    )
    def patch(self, request: Request, id: UUID) -> Response:
        body = ConfigChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        config = services.update_config(caller=caller_of(request), id=id, **body.validated_data)
        return Response(ConfigSerializer(config, context={"request": request}).data)

    @extend_schema(operation_id="configs_delete", summary="Delete a config", responses={204: None})
    def delete(self, request: Request, id: UUID) -> Response:
        services.delete_config(caller=caller_of(request), id=id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ConfigTest(APIView):
    write_action = Action.MANAGE_OWN

    @extend_schema(
        operation_id="configs_test",
        summary="Test connection",
        description="With `id`, a saved config, whose status is noted; otherwise the body of a config, and nothing is saved.",
        request=TestRequestSerializer,
        responses=ConnectionResultSerializer,
    )
    def post(self, request: Request) -> Response:
        caller = caller_of(request)
        body = TestRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        fields = body.validated_data
        if "id" in fields:
            result = services.test_config(caller=caller, id=fields["id"])
        else:
            result = services.test_unsaved_config(caller=caller, **fields)
        return Response(result.as_dict())


def _new(request: Request) -> Any:
    body = NewConfigSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    return body.validated_data


def _wants_validation(request: Request) -> bool:
    return request.query_params.get("validate", "").lower() in {"1", "true", "yes"}
