"""`/api/organization/rotate-keys`: a new data key for the organization, which is its owner's to decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from llmconfig import services
from llmconfig.tenancy.caller import Action, caller_of
from llmconfig.tenancy.rest.serializers import StrictSerializer

if TYPE_CHECKING:
    from rest_framework.request import Request


class RotateKeysSerializer(StrictSerializer):
    start_over = serializers.BooleanField(
        default=False, help_text="Where the present data key cannot be opened: set it aside, keep what it sealed, and go on with a new one."
    )


class RotationSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(source="key_id", help_text="The id of the data key that seals from now on.")
    resumed = serializers.BooleanField(help_text="A rotation was under way already, and goes on.")


class KeyRotation(APIView):
    write_action = Action.OWN_ORGANIZATION

    @extend_schema(
        operation_id="organization_rotate_keys",
        summary="Rotate the organization's data key",
        description="New secrets are sealed with the new key at once; a worker seals the others anew. 409 `unreadable` under another KEK.",
        request=RotateKeysSerializer,
        responses={202: RotationSerializer},
    )
    def post(self, request: Request) -> Response:
        body = RotateKeysSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        promotion = services.rotate_keys(caller=caller_of(request), **body.validated_data)
        return Response(RotationSerializer(promotion).data, status=status.HTTP_202_ACCEPTED)
