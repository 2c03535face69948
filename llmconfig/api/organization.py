"""`/api/organization`, the caller's own, and `/api/organizations`, those to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, status
from rest_framework.response import Response
from rest_framework.views import APIView

from llmconfig import services
from llmconfig.api.people_serializers import (
    DeleteOrganizationSerializer,
    NewOrganizationSerializer,
    OrganizationChangeSerializer,
    OrganizationSerializer,
    OwnMembershipSerializer,
    SwitchSerializer,
)
from llmconfig.tenancy.audit import Actor
from llmconfig.tenancy.caller import SESSION_ORGANIZATION, Action, Caller, caller_of, find_caller, ip_of
from llmconfig.tenancy.errors import Conflict
from llmconfig.tenancy.rest.idempotency import IdempotentCreateMixin, idempotency_parameter
from llmconfig.tenancy.rest.pagination import NewestFirst
from llmconfig.tenancy.rest.permissions import SignedIn

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

    from llmconfig.tenancy.models import Membership, Organization


class OwnOrganization(APIView):
    read_action = Action.SEE
    write_action = Action.MANAGE_ORGANIZATION

    @extend_schema(operation_id="organization_read", summary="Your organization and its policy", responses=OrganizationSerializer)
    def get(self, request: Request) -> Response:
        caller = caller_of(request)
        return _shown(caller, caller.organization)

    @extend_schema(
        operation_id="organization_update",
        summary="Change its name or its policy",
        request=OrganizationChangeSerializer,
        responses=OrganizationSerializer,
    )
    def patch(self, request: Request) -> Response:
        body = OrganizationChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        caller = caller_of(request)
        return _shown(caller, services.update_organization(caller=caller, **body.validated_data))

    @extend_schema(
        operation_id="organization_delete",
        summary="Delete it, and everything in it, for good",
        request=DeleteOrganizationSerializer,
        responses={204: None},
    )
    def delete(self, request: Request) -> Response:
        caller = caller_of(request)
        caller.require(Action.OWN_ORGANIZATION)
        body = DeleteOrganizationSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        services.delete_organization(caller=caller, **body.validated_data)
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema_view(get=extend_schema(operation_id="organizations_list", summary="Organizations you are a member of"))
class Organizations(IdempotentCreateMixin, generics.ListAPIView[Any]):
    """Open to whoever is signed in: a person without an organization may found one. With a token it is about the token's alone."""

    permission_classes = [SignedIn]
    serializer_class = OwnMembershipSerializer
    pagination_class = NewestFirst

    def get_queryset(self) -> QuerySet[Membership]:
        user: Any = self.request.user
        rows = services.memberships_for(user)
        return rows.filter(organization=_token_organization(self.request)) if self.request.auth else rows

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "caller": find_caller(self.request)}

    @extend_schema(
        operation_id="organizations_create",
        summary="Found another organization",
        request=NewOrganizationSerializer,
        responses={201: OwnMembershipSerializer},
        parameters=[idempotency_parameter],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """An Idempotency-Key is kept by the caller's organization: who has none founds without."""
        _refuse_tokens(request)
        return super().post(request) if find_caller(request) else self.create(request)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        body = NewOrganizationSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        user: Any = request.user
        made = services.found_organization(user=user, actor=Actor.user(user, ip_of(request)), **body.validated_data)
        membership = services.memberships_for(user).get(organization=made)
        return Response(OwnMembershipSerializer(membership, context=self.get_serializer_context()).data, status=status.HTTP_201_CREATED)


class SwitchOrganization(APIView):
    permission_classes = [SignedIn]

    @extend_schema(
        operation_id="organization_switch",
        summary="Choose the organization that this session is about",
        request=SwitchSerializer,
        responses=OwnMembershipSerializer,
    )
    def post(self, request: Request) -> Response:
        _refuse_tokens(request)
        body = SwitchSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        session: Any = request.session
        user: Any = request.user
        chosen = services.choose_organization(session, user, body.validated_data["id"])
        return Response(OwnMembershipSerializer(chosen).data | {"current": session[SESSION_ORGANIZATION] == str(chosen.organization_id)})


def _refuse_tokens(request: Request) -> None:
    if request.auth:
        raise Conflict("A token is bound to one organization. Sign in with a browser, or use another token.", code="token_bound")


def _token_organization(request: Request) -> Any:
    token: Any = request.auth
    return token.organization_id


def _shown(caller: Caller, organization: Organization) -> Response:
    return Response(OrganizationSerializer(organization, context={"caller": caller}).data)
