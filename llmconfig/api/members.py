"""`/api/organization/members` and `/api/organization/invitations`: who belongs to the organization, and who is asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, status
from rest_framework.response import Response
from rest_framework.views import APIView

from llmconfig import services
from llmconfig.api.people_serializers import (
    InvitationSerializer,
    MadeInvitationSerializer,
    MemberSerializer,
    NewInvitationSerializer,
    RenewInvitationSerializer,
    RoleSerializer,
)
from llmconfig.tenancy.caller import Action, allows, caller_of
from llmconfig.tenancy.models import Role
from llmconfig.tenancy.rest.idempotency import IdempotentCreateMixin, idempotency_parameter

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from llmconfig.tenancy.models import Invitation, Membership


@extend_schema_view(
    get=extend_schema(operation_id="members_list", summary="Members"),
    post=extend_schema(
        operation_id="members_invite",
        summary="Invite somebody",
        description="The link is shown this once, and sent by e-mail where `email` is given and the installation has a mail server.",
        request=NewInvitationSerializer,
        responses={201: MadeInvitationSerializer},
        parameters=[idempotency_parameter],
    ),
)
class Members(IdempotentCreateMixin, generics.ListAPIView[Any]):
    read_action = Action.SEE
    write_action = Action.MANAGE_ORGANIZATION
    serializer_class = MemberSerializer

    def get_queryset(self) -> QuerySet[Membership]:
        return services.members_for(caller_of(self.request))

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), **_seen_by(self.request)}

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        body = NewInvitationSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        fields = body.validated_data | {"role": Role(body.validated_data["role"])}
        made = services.invite_member(caller=caller_of(request), **fields)
        return _made(request, *made, status.HTTP_201_CREATED)


class OneMember(APIView):
    """Leaving is anybody's; taking somebody else out is asked for by the service."""

    @property
    def write_action(self) -> Action:
        return Action.LEAVE if self.request.method == "DELETE" else Action.MANAGE_ORGANIZATION

    @extend_schema(operation_id="members_update", summary="Give another role", request=RoleSerializer, responses=MemberSerializer)
    def patch(self, request: Request, id: UUID) -> Response:
        body = RoleSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        membership = services.change_role(caller=caller_of(request), id=id, role=Role(body.validated_data["role"]))
        return Response(MemberSerializer(membership, context=_seen_by(request)).data)

    @extend_schema(operation_id="members_remove", summary="Remove a member, or leave", responses={204: None})
    def delete(self, request: Request, id: UUID) -> Response:
        services.remove_member(caller=caller_of(request), id=id)
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema_view(get=extend_schema(operation_id="invitations_list", summary="Invitations"))
class Invitations(generics.ListAPIView[Any]):
    read_action = Action.MANAGE_ORGANIZATION
    serializer_class = InvitationSerializer

    def get_queryset(self) -> QuerySet[Invitation]:
        return services.invitations_for(caller_of(self.request))


class OneInvitation(APIView):
    read_action = write_action = Action.MANAGE_ORGANIZATION

    @extend_schema(operation_id="invitations_read", summary="One invitation", responses=InvitationSerializer)
    def get(self, request: Request, id: UUID) -> Response:
        return Response(InvitationSerializer(services.invitations_for(caller_of(request)).get(pk=id)).data)

    @extend_schema(operation_id="invitations_revoke", summary="Revoke an invitation", responses={204: None})
    def delete(self, request: Request, id: UUID) -> Response:
        services.revoke_invitation(caller=caller_of(request), id=id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class RenewInvitation(APIView):
    write_action = Action.MANAGE_ORGANIZATION

    @extend_schema(
        operation_id="invitations_renew",
        summary="A new link in place of the old one",
        request=RenewInvitationSerializer,
        responses=MadeInvitationSerializer,
    )
    def post(self, request: Request, id: UUID) -> Response:
        body = RenewInvitationSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return _made(request, *services.renew_invitation(caller=caller_of(request), id=id, **body.validated_data), status.HTTP_200_OK)


def _made(request: Request, invitation: Invitation, value: str, code: int) -> Response:
    path = services.invitation_path(value)
    link = f"{settings.ORIGIN}{path}" if settings.ORIGIN else request.build_absolute_uri(path)
    context = {"link": link, "emailed": services.mail_invitation(invitation, link)}
    return Response(MadeInvitationSerializer(invitation, context=context).data, status=code)


def _seen_by(request: Request) -> dict[str, Any]:
    return {"is_admin": allows(caller_of(request), Action.MANAGE_ORGANIZATION)}
