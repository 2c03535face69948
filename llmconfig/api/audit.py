"""`/api/audit`: an organization's audit trail, as pages, as a file, and verified."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from llmconfig import services
from llmconfig.models import AuditEvent
from llmconfig.tenancy.audit import Outcome
from llmconfig.tenancy.caller import Action, caller_of
from llmconfig.tenancy.connection import release_connection
from llmconfig.tenancy.rest.pagination import NewestFirst
from llmconfig.tenancy.rest.serializers import refuse_fields, unstorable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from rest_framework.request import Request

_FORMATS: Final = ("csv", "jsonl")
_MAX_SEQ: Final = 2**63 - 1


class AuditEventSerializer(serializers.ModelSerializer[AuditEvent]):
    object = serializers.SerializerMethodField(help_text="`type:id`, a type alone, or empty.")

    class Meta:
        model = AuditEvent
        fields = [
            "id",
            "seq",
            "at",
            "actor",
            "actor_id",
            "token",
            "action",
            "object",
            "object_type",
            "object_id",
            "object_label",
            "outcome",
            "ip",
            "details",
            "key_id",
            "previous",
            "hash",
        ]
        read_only_fields = fields

    def get_object(self, event: AuditEvent) -> str:
        return f"{event.object_type}:{event.object_id}" if event.object_id else event.object_type


class _Moment(serializers.Field[Any, Any, Any, Any]):
    """A day, or a time with its offset; without one it is UTC."""

    default_error_messages = {"invalid": "Neither a day (2026-11-22) nor a time (2026-11-22T14:00:00Z)."}

    def __init__(self, *, ends: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ends = ends

    def to_internal_value(self, data: Any) -> datetime:
        try:
            day = parse_date(str(data))
            moment = None if day else parse_datetime(str(data))
            if day is not None:
                start = datetime.combine(day, time(), UTC)
                return start + timedelta(days=1) if self.ends else start
        except (ValueError, OverflowError):
            moment = None
        if moment is None:
            self.fail("invalid")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class AuditQuerySerializer(serializers.Serializer[Any]):
    q = serializers.CharField(required=False, max_length=200, allow_blank=True)
    actor = serializers.CharField(required=False, max_length=150, allow_blank=True)
    action = serializers.CharField(required=False, max_length=300, allow_blank=True)
    outcome = serializers.ChoiceField(choices=Outcome.choices, required=False, allow_blank=True)
    since = _Moment(required=False)
    before = _Moment(required=False, ends=True)
    object = serializers.CharField(required=False, max_length=250, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for name, value in attrs.items():
            if problem := unstorable(value):
                raise serializers.ValidationError({name: problem})
        if attrs.get("action"):
            attrs["action"] = [each.strip() for each in attrs["action"].split(",") if each.strip()]
        return attrs


class ProblemSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    seq = serializers.IntegerField(allow_null=True, help_text="The first event concerned.")
    detail = serializers.CharField(help_text="For people: what is wrong.")


class VerificationSerializer(serializers.Serializer[Any]):
    intact = serializers.BooleanField(allow_null=True, help_text="Null: not verified yet, or a key could not be opened.")
    checked = serializers.IntegerField()
    unverified = serializers.IntegerField(help_text="Events whose key could not be opened: they are only known to follow one another.")
    first_seq = serializers.IntegerField(allow_null=True)
    last_seq = serializers.IntegerField(allow_null=True)
    complete = serializers.BooleanField(help_text="From the chain's beginning; otherwise only its newest events were verified.")
    at = serializers.DateTimeField(allow_null=True)
    problems = ProblemSerializer(many=True)
    events = serializers.IntegerField(help_text="How many events the chain has had.")


class _ForFiles(BaseRenderer):
    """Only names the format: the file itself is streamed, and errors are JSON."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return JSONRenderer().render(data)


class CSVRenderer(_ForFiles):
    media_type = "text/csv"
    format = "csv"


class JSONLinesRenderer(_ForFiles):
    media_type = "application/jsonl"
    format = "jsonl"


class BySeq(NewestFirst):
    ordering = ("-seq",)

    def decode_cursor(self, request: Request) -> Any:
        cursor = super(NewestFirst, self).decode_cursor(request)
        position = "" if cursor is None else str(cursor.position or "")
        if position and not (position.isascii() and position.isdigit() and int(position) <= _MAX_SEQ):
            raise NotFound(self.invalid_cursor_message)
        return cursor


_PARAMETERS: Final = [
    OpenApiParameter("q", str, description="Part of an object, actor, address, token or action; or an event's id or hash."),
    OpenApiParameter("actor", str, description="An actor's id or name."),
    OpenApiParameter("action", str, description="How the action begins, as `config.`; several with commas between."),
    OpenApiParameter("outcome", str, enum=[each.value for each in Outcome]),
    OpenApiParameter("from", str, description="A day or a time, inclusive."),
    OpenApiParameter("to", str, description="A day, inclusive, or a time, exclusive."),
    OpenApiParameter("object", str, description="`type:id`, or a type alone."),
]


class AuditTrail(APIView):
    read_action = Action.READ_AUDIT
    renderer_classes = [JSONRenderer, CSVRenderer, JSONLinesRenderer]
    pagination_class = BySeq

    @extend_schema(
        operation_id="audit_list",
        summary="Audit events, newest first; as a file oldest first",
        parameters=[*_PARAMETERS, OpenApiParameter("format", str, enum=["json", *_FORMATS])],
        responses={
            (200, "application/json"): AuditEventSerializer(many=True),
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, description="No cell is a formula."),
            (200, "application/jsonl"): OpenApiResponse(OpenApiTypes.STR, description="`verify_audit --export` verifies it."),
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        told, filters = _filters(request)
        format = request.accepted_renderer.format
        if format in _FORMATS:
            return _file(services.export_audit(caller=caller_of(request), format=format, told=told, **filters), format)
        paginator = BySeq()
        page = paginator.paginate_queryset(services.audit_events_for(caller_of(request), **filters), request, self) or []
        return paginator.get_paginated_response(AuditEventSerializer(page, many=True).data)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        final = super().finalize_response(request, response, *args, **kwargs)
        if isinstance(response, Response):
            final.accepted_renderer, final.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        final["Cache-Control"] = "no-store"
        return final


class AuditVerification(APIView):
    read_action = write_action = Action.READ_AUDIT

    @extend_schema(operation_id="audit_verification", summary="What the last verification found", responses=VerificationSerializer)
    def get(self, request: Request) -> Response:
        return Response(VerificationSerializer(services.last_verification(caller=caller_of(request))).data)

    @extend_schema(operation_id="audit_verify", summary="Verify the chain now", request=None, responses=VerificationSerializer)
    def post(self, request: Request) -> Response:
        refuse_fields(request.data)
        return Response(VerificationSerializer(services.verify_audit(caller=caller_of(request))).data)


def _filters(request: Request) -> tuple[dict[str, str], dict[str, Any]]:
    """As they were sent, without those that are empty; and as the service takes them."""
    names = {"from": "since", "to": "before"}
    wanted = ("q", "actor", "action", "outcome", "from", "to", "object")
    told = {name: text for name in wanted if (text := request.query_params.get(name, "").strip())}
    query = AuditQuerySerializer(data={names.get(name, name): text for name, text in told.items()})
    try:
        query.is_valid(raise_exception=True)
    except serializers.ValidationError as error:
        back = {renamed: name for name, renamed in names.items()}
        raise serializers.ValidationError({back.get(name, name): detail for name, detail in error.detail.items()}) from None  # type: ignore[union-attr]
    return told, dict(query.validated_data)


def _file(chunks: Iterator[str], format: str) -> StreamingHttpResponse:
    kind = "text/csv; charset=utf-8" if format == "csv" else "application/jsonl"
    response = StreamingHttpResponse(_bytes(chunks), content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="audit-{timezone.now():%Y-%m-%d}.{format}"'
    response["X-Content-Type-Options"] = "nosniff"
    release_connection()
    return response


async def _bytes(chunks: Iterator[str]) -> AsyncIterator[bytes]:
    """A batch at a time, read in a thread that keeps no connection meanwhile."""

    def read() -> str | None:
        try:
            return next(chunks, None)
        finally:
            release_connection()

    while (chunk := await sync_to_async(read)()) is not None:
        yield chunk.encode()
