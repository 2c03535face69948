"""/api/attachments: upload for message parts, what was uploaded, and its bytes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response
from rest_framework.views import APIView

from agent.api.negotiation import OwnType
from agent.api.serializers import AttachmentInput, AttachmentOutput
from agent.services.attachments import attachments_for, delete_attachment, keep_file, open_content
from agent.services.presentation import attachment_json
from agent.services.uploads import Received, receive_file
from llmconfig.tenancy.caller import Action, caller_of
from llmconfig.tenancy.connection import release_connection
from llmconfig.tenancy.rest.idempotency import IdempotentCreateMixin, idempotency_parameter
from llmconfig.tenancy.rest.pagination import NewestFirst

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from rest_framework.request import Request

_CHUNK: Final = 256 * 1024
_SHOWN: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"})
"""What a browser shows as itself; everything else is only ever downloaded, or played by a page that asked for it."""
_SANDBOX: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"


@extend_schema_view(
    get=extend_schema(operation_id="attachments_list", responses=AttachmentOutput(many=True)),
    post=extend_schema(
        operation_id="attachments_create",
        request={"multipart/form-data": AttachmentInput},
        responses={201: AttachmentOutput},
        parameters=[idempotency_parameter],
    ),
)
class Attachments(IdempotentCreateMixin, APIView):
    read_action, write_action = Action.READ_OWN, Action.RUN
    parser_classes = [MultiPartParser]
    pagination_class = NewestFirst
    received: Received | None = None

    def get(self, request: Request) -> Response:
        paginator = NewestFirst()
        page = paginator.paginate_queryset(attachments_for(caller_of(request)), request, self) or []
        return paginator.get_paginated_response([attachment_json(row) for row in page])

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        try:
            return super().post(request, *args, **kwargs)
        except BaseException:
            if self.received is not None:
                self.received.discard()
            raise

    def content_of(self, request: Request) -> Any:
        data: Any = request.data
        return {name: _digest(value) if isinstance(value, UploadedFile) else value for name, value in data.items()}

    def before_create(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Writes the bytes: a storage may be a network away, and a key opens a transaction afterwards."""
        caller = caller_of(request)
        data: Any = request.data
        for field in data:  # a plain object where no body came
            if len(data.getlist(field)) > 1:
                raise ValidationError({field: [ErrorDetail("There may be one of these. Send each file on its own.", "invalid")]})
        body = AttachmentInput(data=data)
        body.is_valid(raise_exception=True)
        file, name = body.validated_data["file"], body.validated_data.get("name")
        self.received = receive_file(file, organization_id=caller.organization.pk, owner_id=caller.user.pk, name=name or file.name)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        assert self.received is not None  # noqa: S101  # before_create has run
        return Response(attachment_json(keep_file(self.received)), status=201)


class OneAttachment(APIView):
    read_action, write_action = Action.READ_OWN, Action.RUN

    @extend_schema(operation_id="attachments_retrieve", responses=AttachmentOutput)
    def get(self, request: Request, id: UUID) -> Response:
        return Response(attachment_json(attachments_for(caller_of(request)).get(id=id)))

    @extend_schema(operation_id="attachments_delete", responses={204: None})
    def delete(self, request: Request, id: UUID) -> Response:
        delete_attachment(caller=caller_of(request), id=id)
        return Response(status=204)


class Content(APIView):
    """The bytes. Whatever they are, they run nothing here: own type, nosniff, a sandbox without scripts, and mostly a download."""

    read_action = Action.READ_OWN
    content_negotiation_class = OwnType

    @extend_schema(
        operation_id="attachments_content",
        responses={(200, "*/*"): OpenApiTypes.BINARY, 304: OpenApiResponse(description="Unchanged (If-None-Match)")},
    )
    def get(self, request: Request, id: UUID) -> HttpResponseBase:
        attachment = attachments_for(caller_of(request)).get(id=id)
        etag = f'"{attachment.sha256}"'
        response: HttpResponseBase
        if etag in request.headers.get("If-None-Match", ""):
            response = HttpResponse(status=304)
        else:
            file = open_content(attachment)
            response = StreamingHttpResponse(_chunks(file), content_type=_content_type(attachment.media_type))
            response._resource_closers.append(file.close)  # type: ignore[attr-defined]  # as Django's FileResponse does: also after HEAD
            response["Content-Length"] = str(attachment.size)
            as_file = attachment.media_type not in _SHOWN
            response["Content-Disposition"] = content_disposition_header(as_file, attachment.name) or "attachment"
        release_connection()  # the bytes may take a while to go
        response["ETag"] = etag
        response["Cache-Control"] = "private, no-cache"
        response["Content-Security-Policy"] = _SANDBOX
        response["X-Content-Type-Options"] = "nosniff"
        response["Cross-Origin-Resource-Policy"] = "same-origin"
        return response


async def _chunks(file: Any) -> AsyncIterator[bytes]:
    """Read in threads: neither the event loop nor the memory holds a whole file."""
    read = sync_to_async(file.read, thread_sensitive=False)
    try:
        while chunk := await read(_CHUNK):
            yield chunk
    finally:
        file.close()


def _content_type(media_type: str) -> str:
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def _digest(file: UploadedFile[Any]) -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return digest.hexdigest()
