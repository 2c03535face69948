"""`/api/user/llm-config`: a person's provider configs and those the organization shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics, serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from llmconfig import services
from llmconfig.api.config_serializers import (
    ConfigChangeSerializer,
    ConfigSerializer,
    NewConfigSerializer,
    OneConfigSerializer,
    RestoreKeySerializer,
    TestRequestSerializer,
)
from llmconfig.api.serializers import ConnectionResultSerializer
from llmconfig.tenancy.audit import Actor
from llmconfig.tenancy.caller import Action, caller_of
from llmconfig.tenancy.errors import Invalid
from llmconfig.tenancy.rest.idempotency import IdempotentCreateMixin, idempotency_parameter

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from llmconfig.models import UserLLMConfig

_VALIDATE = OpenApiParameter("validate", bool, description="Ask the provider first, and save only what works.")
_VALIDATE_CHANGE = OpenApiParameter(
    "validate",
    bool,
    description=(
        "A new key in place of one whose status is `valid` is tried first, and not saved when the provider refuses it. "
        "`false` saves it all the same; `true` tries whatever is changed and saves only what works."
    ),
)


@extend_schema_view(
    get=extend_schema(operation_id="configs_list", summary="Configs"),
    post=extend_schema(
        operation_id="configs_create",
        summary="Add a config",
        request=NewConfigSerializer,
        responses={201: OneConfigSerializer},
        parameters=[_VALIDATE, idempotency_parameter],
    ),
)
class ConfigList(IdempotentCreateMixin, generics.ListAPIView[Any]):
    read_action, write_action = Action.SEE, Action.MANAGE_OWN
    serializer_class = ConfigSerializer

    def get_queryset(self) -> QuerySet[UserLLMConfig]:
        return services.configs_for(caller_of(self.request)).select_related("last_used_by").prefetch_related("retired_keys")

    def before_create(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self._tested = services.require_working(caller=caller_of(request), **_new(request)) if _validation(request) else None

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        caller = caller_of(request)
        config = services.create_config(caller=caller, **_new(request))
        if self._tested:
            services.note_result(config, self._tested, actor=Actor.of(caller))
            config.refresh_from_db()
        return Response(_shown(config, request), status=status.HTTP_201_CREATED)

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "caller": caller_of(self.request)}


class ConfigDetail(APIView):
    read_action, write_action = Action.SEE, Action.MANAGE_OWN

    @extend_schema(operation_id="configs_read", summary="One config", responses=OneConfigSerializer)
    def get(self, request: Request, id: UUID) -> Response:
        return Response(_shown(services.config_for(caller_of(request), id), request))

    @extend_schema(
        operation_id="configs_update",
        summary="Change a config, or its key",
        description="A new key takes over at once; runs in flight finish on the old one, which is kept for a grace (`retired_keys`).",
        request=ConfigChangeSerializer,
        responses=OneConfigSerializer,
        parameters=[_VALIDATE_CHANGE],
    )
    def patch(self, request: Request, id: UUID) -> Response:
        body = ConfigChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        config = services.change_config(caller=caller_of(request), id=id, validate=_validation(request), **body.validated_data)
        return Response(_shown(config, request))

    @extend_schema(operation_id="configs_delete", summary="Delete a config", responses={204: None})
    def delete(self, request: Request, id: UUID) -> Response:
        services.delete_config(caller=caller_of(request), id=id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ConfigRestoreKey(APIView):
    write_action = Action.MANAGE_OWN

    @extend_schema(
        operation_id="configs_restore_key",
        summary="Bring a replaced key back",
        description="Undoes a rotation within the grace; the present key is kept in its place. 409 `no_retired_key` when there is none.",
        request=RestoreKeySerializer,
        responses=OneConfigSerializer,
    )
    def post(self, request: Request, id: UUID) -> Response:
        body = RestoreKeySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        config = services.restore_key(caller=caller_of(request), id=id, key=body.validated_data.get("id"))
        return Response(_shown(config, request))


class ConfigRetiredKeys(APIView):
    write_action = Action.MANAGE_OWN

    @extend_schema(operation_id="configs_shred_retired_keys", summary="Destroy the replaced keys now", responses={204: None})
    def delete(self, request: Request, id: UUID) -> Response:
        services.shred_retired_keys(caller=caller_of(request), id=id)
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


def _shown(config: UserLLMConfig, request: Request) -> Any:
    return OneConfigSerializer(config, context={"caller": caller_of(request)}).data


def _validation(request: Request) -> bool | None:
    """None where nothing is said. Raises `Invalid`: a word that is neither would silently mean that nothing is tried."""
    said = request.query_params.get("validate", "").lower()
    if said in serializers.BooleanField.TRUE_VALUES:
        return True
    if said and said not in serializers.BooleanField.FALSE_VALUES:
        raise Invalid("validate is true or false.", attr="validate")
    return False if said else None
