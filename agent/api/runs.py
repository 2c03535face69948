"""/api/runs: state, events, cancel; and the answers to tool calls that ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.views import APIView

from agent.api.negotiation import OwnType
from agent.api.serializers import ApproveInput, DenyInput, ResolveInput, RunOutput, ToolCallOutput
from agent.models import Run
from agent.services.approvals import decide_call, resolve_call
from agent.services.presentation import call_json, run_json
from agent.services.runs import cancel_run, is_over, run_for, run_whole
from llmconfig.tenancy.caller import Action, caller_of
from llmconfig.tenancy.connection import release_connection
from llmconfig.tenancy.rest.serializers import refuse_fields
from llmconfig.tenancy.standing import standing_of

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request


class LogExpiredError(APIException):
    status_code = 410
    default_code = "log_expired"
    default_detail = "The events of this run are no longer kept. Read the run and the messages of its conversation instead."


class OneRun(APIView):
    read_action = Action.READ_OWN

    @extend_schema(operation_id="runs_retrieve", responses=RunOutput)
    def get(self, request: Request, id: UUID) -> Response:
        return Response(run_json(run_whole(caller_of(request), id)))


class CancelRun(APIView):
    write_action = Action.RUN

    @extend_schema(operation_id="runs_cancel", request=None, responses={202: RunOutput})
    def post(self, request: Request, id: UUID) -> Response:
        refuse_fields(request.data)
        caller = caller_of(request)
        cancel_run(caller=caller, run_id=id)
        return Response(run_json(run_whole(caller, id)), status=202)


class RunEvents(APIView):
    """Server-sent events of one run: replays after `Last-Event-ID` (or `after`), then follows to the terminal event."""

    read_action = Action.READ_OWN
    content_negotiation_class = OwnType

    @extend_schema(
        operation_id="runs_events",
        parameters=[
            OpenApiParameter("after", OpenApiTypes.INT, description="Start after this event id"),
            OpenApiParameter("Last-Event-ID", OpenApiTypes.INT, OpenApiParameter.HEADER),
        ],
        responses={(200, "text/event-stream"): OpenApiTypes.STR, 410: OpenApiResponse(description="log_expired")},
    )
    def get(self, request: Request, id: UUID) -> HttpResponseBase:
        from agent.services.live import log_expired, stream_run  # noqa: PLC0415  # Valkey's client is slow to import

        run = run_for(caller_of(request), id)
        standing = standing_of(request, self.read_action)
        after = _after(request)
        over = run.status not in Run.ACTIVE
        if run.conversation_id is None or log_expired(str(run.id), after, over=over):  # what a deleted one said is told no more
            raise LogExpiredError
        release_connection()
        events = stream_run(
            str(run.id), after, over=over, is_over=lambda: sync_to_async(is_over)(run.id), may_listen=sync_to_async(standing.holds)
        )
        response = StreamingHttpResponse(events, content_type="text/event-stream; charset=utf-8")
        response["Cache-Control"] = "no-store"
        response["X-Accel-Buffering"] = "no"
        return response


def _after(request: Request) -> int:
    given = request.headers.get("Last-Event-ID") or request.query_params.get("after") or "0"
    if not given.isascii() or not given.isdigit() or len(given) > 9:
        raise ValidationError({"after": "An event id is a whole number."})
    return int(given)


class ApproveCall(APIView):
    write_action = Action.RUN

    @extend_schema(operation_id="tool_calls_approve", request=ApproveInput, responses=ToolCallOutput)
    def post(self, request: Request, id: UUID) -> Response:
        body = ApproveInput(data=request.data)
        body.is_valid(raise_exception=True)
        remember = body.validated_data.get("remember")
        return Response(call_json(decide_call(caller=caller_of(request), call_id=id, approve=True, remember=remember)))


class DenyCall(APIView):
    write_action = Action.RUN

    @extend_schema(operation_id="tool_calls_deny", request=DenyInput, responses=ToolCallOutput)
    def post(self, request: Request, id: UUID) -> Response:
        body = DenyInput(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(call_json(decide_call(caller=caller_of(request), call_id=id, approve=False)))


class ResolveCall(APIView):
    write_action = Action.RUN

    @extend_schema(operation_id="tool_calls_resolve", request=ResolveInput, responses=ToolCallOutput)
    def post(self, request: Request, id: UUID) -> Response:
        body = ResolveInput(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(call_json(resolve_call(caller=caller_of(request), call_id=id, outcome=body.validated_data["outcome"])))
