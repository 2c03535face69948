"""`/api/tokens`: a person's own tokens of this organization, or everybody's for its admins. A value is shown once, when it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics, status
from rest_framework.response import Response
from rest_framework.views import APIView

from llmconfig import services
from llmconfig.api.serializers import CreatedTokenSerializer, NewTokenSerializer, TokenSerializer
from llmconfig.tenancy.caller import Action, caller_of
from llmconfig.tenancy.rest.idempotency import IdempotentCreateMixin, idempotency_parameter
from llmconfig.tenancy.rest.pagination import NewestFirst

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from llmconfig.models import ApiToken


_ALL = OpenApiParameter("all", bool, description="Everybody's tokens in the organization (admin, owner).")


class _ByCreated(NewestFirst):
    ordering = ("-created", "-id")


@extend_schema_view(
    get=extend_schema(operation_id="tokens_list", summary="Your tokens", parameters=[_ALL]),
    post=extend_schema(
        operation_id="tokens_create",
        summary="Make a token",
        request=NewTokenSerializer,
        responses={201: CreatedTokenSerializer},
        parameters=[idempotency_parameter],
    ),
)
class TokenList(IdempotentCreateMixin, generics.ListAPIView[Any]):
    read_action, write_action = Action.READ_OWN, Action.MANAGE_OWN
    serializer_class = TokenSerializer
    pagination_class = _ByCreated

    def get_queryset(self) -> QuerySet[ApiToken]:
        everybody = self.request.query_params.get("all", "").lower() in {"1", "true", "yes"}
        return services.tokens_for(caller_of(self.request), everybody=everybody)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        body = NewTokenSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        token, value = services.create_token(caller=caller_of(request), **body.validated_data)
        return Response(CreatedTokenSerializer(token, context={"value": value}).data, status=status.HTTP_201_CREATED)


class TokenDetail(APIView):
    write_action = Action.MANAGE_OWN

    @extend_schema(operation_id="tokens_revoke", summary="Revoke a token", responses={204: None})
    def delete(self, request: Request, id: UUID) -> Response:
        services.revoke_token(caller=caller_of(request), id=id)
        return Response(status=status.HTTP_204_NO_CONTENT)
