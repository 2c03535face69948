"""/api/conversations and their messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.response import Response
from rest_framework.views import APIView

from agent.api.pagination import ByPosition
from agent.api.serializers import ConversationInput, ConversationOutput, MessageInput, MessageOutput, PostedOutput
from agent.models import Conversation, Message, Run
from agent.services.conversations import create_conversation, delete_conversation, prepare_message, store_message, update_conversation
from agent.services.demo import ensure_demo_service
from agent.services.presentation import message_json, when
from llmconfig.tenancy.caller import Action, Caller, caller_of
from llmconfig.tenancy.rest.idempotency import IdempotentCreateMixin, idempotency_parameter
from llmconfig.tenancy.rest.pagination import NewestFirst

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request


def own_conversations(caller: Caller) -> QuerySet[Conversation]:
    """The caller's conversations, each with its newest run: two queries for a page."""
    latest = Run.objects.order_by("-created_at")
    mine = Conversation.objects.filter(organization=caller.organization, owner=caller.user)
    brief = latest.only("id", "status", "conversation_id", "created_at")[:1]
    return mine.prefetch_related(Prefetch("runs", brief, to_attr="newest_runs"))


def conversation_json(conversation: Conversation) -> dict[str, Any]:
    runs = getattr(conversation, "newest_runs", None)
    if runs is None:
        runs = list(conversation.runs.order_by("-created_at")[:1])
    brief = {"id": str(runs[0].id), "status": runs[0].status} if runs else None
    return {
        "id": str(conversation.id),
        "title": conversation.title,
        "system_prompt": conversation.system_prompt,
        "target": {"model": f"{conversation.config_id}/{conversation.model}"} if conversation.config_id else None,
        "services": conversation.services,
        "reasoning": conversation.reasoning,
        "history_policy": conversation.history_policy,
        "created_at": when(conversation.created_at),
        "updated_at": when(conversation.updated_at),
        "active_run": brief if brief and brief["status"] in Run.ACTIVE else None,
        "last_run": brief,
    }


def _changes(data: dict[str, Any]) -> dict[str, Any]:
    """The body with its target as a model id."""
    if "target" in data:
        data["target"] = data["target"]["model"] if data["target"] else None
    return data


@extend_schema_view(
    get=extend_schema(operation_id="conversations_list", responses=ConversationOutput(many=True)),
    post=extend_schema(
        operation_id="conversations_create",
        request=ConversationInput,
        responses={201: ConversationOutput},
        parameters=[idempotency_parameter],
    ),
)
class Conversations(IdempotentCreateMixin, APIView):
    read_action, write_action = Action.READ_OWN, Action.RUN
    pagination_class = NewestFirst

    def get(self, request: Request) -> Response:
        paginator = NewestFirst()
        page = paginator.paginate_queryset(own_conversations(caller_of(request)), request, self) or []
        return paginator.get_paginated_response([conversation_json(row) for row in page])

    def before_create(self, request: Request, *args: Any, **kwargs: Any) -> None:
        ensure_demo_service(caller_of(request).organization)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        body = ConversationInput(data=request.data)
        body.is_valid(raise_exception=True)
        conversation = create_conversation(caller=caller_of(request), **_changes(dict(body.validated_data)))
        return Response(conversation_json(conversation), status=201)


class OneConversation(APIView):
    read_action, write_action = Action.READ_OWN, Action.RUN

    @extend_schema(operation_id="conversations_retrieve", responses=ConversationOutput)
    def get(self, request: Request, id: UUID) -> Response:
        return Response(conversation_json(own_conversations(caller_of(request)).get(id=id)))

    @extend_schema(operation_id="conversations_update", request=ConversationInput(partial=True), responses=ConversationOutput)
    def patch(self, request: Request, id: UUID) -> Response:
        caller = caller_of(request)
        conversation = own_conversations(caller).get(id=id)
        body = ConversationInput(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        update_conversation(caller=caller, conversation=conversation, changes=_changes(dict(body.validated_data)))
        return Response(conversation_json(conversation))

    @extend_schema(operation_id="conversations_delete", responses={204: None})
    def delete(self, request: Request, id: UUID) -> Response:
        caller = caller_of(request)
        delete_conversation(caller=caller, conversation=own_conversations(caller).get(id=id))
        return Response(status=204)


@extend_schema_view(
    get=extend_schema(operation_id="messages_list", responses=MessageOutput(many=True)),
    post=extend_schema(
        operation_id="messages_create", request=MessageInput, responses={202: PostedOutput}, parameters=[idempotency_parameter]
    ),
)
class Messages(IdempotentCreateMixin, APIView):
    read_action, write_action = Action.READ_OWN, Action.RUN
    pagination_class = ByPosition

    def get(self, request: Request, id: UUID) -> Response:
        caller = caller_of(request)
        conversation = Conversation.objects.filter(organization=caller.organization, owner=caller.user).only("id").get(id=id)
        paginator = ByPosition()
        page = paginator.paginate_queryset(Message.objects.filter(conversation=conversation), request, self) or []
        return paginator.get_paginated_response([message_json(row) for row in page])

    def before_create(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Outside the transaction that an Idempotency-Key opens: Valkey is asked, and inline media are written to their storage."""
        caller = caller_of(request)
        conversation = Conversation.objects.filter(organization=caller.organization, owner=caller.user).get(id=kwargs["id"])
        body = MessageInput(data=request.data)
        body.is_valid(raise_exception=True)
        data = _changes(dict(body.validated_data))
        asked: dict[str, Any] = {name: data[name] for name in ("reasoning", "output_schema") if name in data}
        self.prepared = prepare_message(
            caller=caller, conversation=conversation, parts=data["parts"], target=data.get("target"), asked=asked
        )

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        posted = store_message(self.prepared, caller=caller_of(request))
        answer = {"message": message_json(posted.message), "run": {"id": str(posted.run.id), "status": posted.run.status}}
        return Response(answer, status=202)
