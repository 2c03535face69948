"""Reads from the database everything a claimed run needs, once, as plain values."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings

from agent.loop.codec import join_name, message_from_json, part_from_json
from agent.loop.plan import Deployment, OfferedTool, PendingCall, RunPlan
from agent.loop.tools import CHANGED
from agent.mcp.policy import decide
from agent.models import Attempt, Conversation, Message, Run, Service, ServiceTool, Step, ToolCall, ToolGrant
from agent.services.access import NO_PERSON, NO_TOKEN, REVOKED, revoked
from agent.services.endpoints import endpoint_of
from agent.services.media import RunMedia
from agent.services.presentation import message_json
from agent.services.revealing import CONFIG_GONE, may_use_config, unreadable_token
from llmconfig.llm import FinishReason, Reasoning, Role, Tool, ToolResult
from llmconfig.llm import Message as NeutralMessage
from llmconfig.llm import ToolCall as NeutralCall
from llmconfig.services import Deployment as ModelDeployment
from llmconfig.services import can_open, deployment_for_run
from llmconfig.tenancy.errors import ServiceError
from llmconfig.tenancy.keys import openable_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from agent.mcp.endpoint import Endpoint

NO_MEDIA = RunMedia()
_REASONS = {
    "new": "This tool is new at its service and waits for someone to approve it under Settings, Services.",
    "changed": CHANGED,
    "approved": "This tool is denied by policy.",
}


@dataclass(frozen=True, slots=True)
class Work:
    """A claimed run, ready for the loop, without a secret. client names the model; endpoints are the services by id."""

    plan: RunPlan
    client: ModelDeployment
    endpoints: Mapping[str, Endpoint]
    last_seq: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The run cannot go on: its deployment is gone, disabled or unreadable; a person cancelled it; or a lost worker had seen it fail."""

    kind: str
    detail: str
    last_seq: int
    untold: tuple[Mapping[str, Any], ...] = ()


def load_work(run_id: UUID, *, last_seq: int, media: RunMedia = NO_MEDIA) -> Work | Refused:
    """Everything of a claimed run. last_seq: the last event number in the log. Reads only, and needs no transaction.

    media: the files that the conversation's messages name, read before.
    """
    run = Run.objects.select_related("conversation", "config__organization", "user").get(id=run_id)
    untold, last_seq = _untold(run, last_seq), max(last_seq, run.event_seq)
    step = run.steps.order_by("-index").first() if run.event_seq else None  # a step begins after the first event
    client = _refusal(run, step, media) or _client(run)
    if not isinstance(client, ModelDeployment):
        return Refused(*client, last_seq, untold)
    conversation = cast("Conversation", run.conversation)  # _refusal has seen that it is there
    history, said_at = _history(conversation, media)
    services, endpoints, notices = _services(run, conversation)
    pending, lost_at = _where_it_stopped(step, media)
    return Work(
        plan=RunPlan(
            run=str(run.id),
            conversation=str(run.conversation_id),
            target={"model": f"{run.config_id}/{run.model}"},
            deployment=_deployment(run, client),
            history=history,
            system=conversation.system_prompt,
            tools=_tools(run, services),
            pending=pending,
            first_step=_next_step(step),
            max_steps=settings.MAX_STEPS,
            max_output_tokens=client.options.get("max_output_tokens"),
            options=client.options,
            resumed=run.event_seq > 0,
            discard_after=lost_at,
            notices=(*notices, *media.notices),
            untold=untold,
            answered=_answered(run, step),
            inputs=client.facts.capabilities.inputs,
            context_window=client.facts.context_window,
            output_limit=client.facts.max_output_tokens,
            reasoning=_reasoning(run, client),
            output_schema=run.output_schema,
            native_schema=client.facts.capabilities.structured_output,
            history_policy=cast("Any", conversation.history_policy),
            measured=_measured(run, said_at),
        ),
        client=client,
        endpoints=endpoints,
        last_seq=last_seq,
    )


def _deployment(run: Run, client: ModelDeployment) -> Deployment:
    facts = client.facts
    return Deployment(
        str(run.config_id), client.provider, run.model, client.base_url, facts.underlying, facts.prices, client.secret_version
    )


def known_seq(run_id: UUID) -> int:
    """The last event number that a worker of this run is known to have given out."""
    return Run.objects.values_list("event_seq", flat=True).get(id=run_id)


def _refusal(run: Run, step: Step | None, media: RunMedia) -> tuple[str, str] | None:
    """Why the run is over before it goes on, as (kind, detail)."""
    if run.cancel_requested_at is not None or run.conversation is None:
        return "cancelled", ""
    if (why := revoked(Run.objects.filter(id=run.id)).get(run.id)) in (NO_PERSON, NO_TOKEN):
        return REVOKED, why
    if not may_use_config(run):
        return CONFIG_GONE
    last = step.attempts.order_by("-created_at").first() if step else None
    if last is not None and last.status in (Attempt.Status.FAILED, Attempt.Status.CANCELLED):
        return last.error_kind, last.error_detail
    return ("media_too_large", media.wanted.too_much) if media.wanted.too_much else None


def _client(run: Run) -> ModelDeployment | tuple[str, str]:
    try:
        return deployment_for_run(cast("Any", run.config), run.model)  # _refusal has seen that it is there
    except ServiceError as error:
        return error.code, error.detail


def _reasoning(run: Run, client: ModelDeployment) -> Reasoning | None:
    """A model that does not think is asked as ever."""
    asked = run.reasoning
    return Reasoning(asked.get("effort"), asked.get("budget_tokens")) if asked and client.facts.capabilities.thinking else None


def _untold(run: Run, stored: int) -> tuple[Mapping[str, Any], ...]:
    """Answers whose `message.completed` is not in the log, which ends at `stored`: their worker was lost between row and event."""
    return tuple(message_json(row) for row in run.messages.filter(after_seq__gte=stored)) if run.event_seq else ()


def _answered(run: Run, step: Step | None) -> str:
    """The finish reason of a final answer whose run was not ended any more; "" where the model is still to be asked."""
    if step is None or not step.is_finished or step.tool_calls.exists():
        return ""
    last = run.messages.filter(role=Message.Role.ASSISTANT).last()
    return last.finish_reason if last else FinishReason.OTHER


def _next_step(step: Step | None) -> int:
    if step is None:
        return 1
    return step.index + 1 if step.is_finished else step.index


def _where_it_stopped(step: Step | None, media: RunMedia) -> tuple[tuple[PendingCall, ...], int | None]:
    """Of an unfinished step: its calls, when the model had answered; otherwise where the lost worker's deltas begin."""
    if step is None or step.is_finished:
        return (), None
    calls = list(step.tool_calls.select_related("decided_by"))
    return (tuple(_pending(call, media) for call in calls), None) if calls else ((), step.first_seq)


_STATES: dict[str, Any] = {
    ToolCall.Status.APPROVED: "approved",
    ToolCall.Status.DENIED: "denied",
    ToolCall.Status.EXPIRED: "expired",
    ToolCall.Status.DISPATCHED: "dispatched",
    ToolCall.Status.FINISHED: "finished",
    ToolCall.Status.REFUSED: "finished",
    ToolCall.Status.WAITING: "waiting",
    ToolCall.Status.UNKNOWN: "dispatched",
    ToolCall.Status.REQUESTED: "requested",
}


def _pending(row: ToolCall, media: RunMedia) -> PendingCall:
    call = NeutralCall(str(row.id), join_name(row.service_slug, row.name), row.arguments)
    result = part_from_json(row.result, media.part) if row.result is not None else None
    return PendingCall(
        call=call,
        state="refused" if row.status == ToolCall.Status.REFUSED and result is None else _STATES[row.status],
        decided_by=row.decided_by.get_username() if row.decided_by else "",
        announced=row.is_decision_announced,
        result=result if isinstance(result, ToolResult) else None,
        definition_hash=row.definition_hash,
    )


def _history(conversation: Conversation, media: RunMedia) -> tuple[tuple[NeutralMessage, ...], Sequence[datetime]]:
    """What was said, and when."""
    rows = list(Message.objects.filter(conversation=conversation).values_list("role", "parts", "created_at"))
    return tuple(message_from_json(cast("Role", role), parts, media.part) for role, parts, _ in rows), [at for _, _, at in rows]


def _measured(run: Run, said_at: Sequence[datetime]) -> tuple[int, int] | None:
    """Of the last answer of this very model in the conversation: how many messages it was asked with, and the input tokens measured."""
    counts = ("created_at", "input_tokens", "cache_read_tokens", "cache_write_tokens")
    known = Attempt.objects.filter(step__run__conversation=run.conversation_id, config=run.config_id, model=run.model)
    last = known.filter(status=Attempt.Status.COMPLETED, input_tokens__isnull=False).order_by("-created_at").values_list(*counts).first()
    if last is None:
        return None
    asked_at, *measured = last
    return bisect_right(said_at, asked_at), sum(filter(None, measured))


def _services(run: Run, conversation: Conversation) -> tuple[Sequence[Service], Mapping[str, Endpoint], tuple[str, ...]]:
    """The services of the conversation that its owner may use now, checked at every claim; where they are, still sealed; what to tell of
    those whose token no key opens.
    """
    visible = Service.objects.filter(organization=run.organization_id, is_enabled=True).order_by("created_at")
    chosen = conversation.services
    meant = [
        service
        for service in visible.prefetch_related("tools")
        if service.owner_id in (None, run.user_id) and (chosen is None or str(service.id) in chosen)
    ]
    keys = openable_keys(run.organization_id) if any(service.token for service in meant) else frozenset[str]()
    services = [service for service in meant if can_open(service.token, keys)]
    notices = tuple(unreadable_token(service) for service in meant if service not in services)
    return services, {str(service.id): endpoint_of(service) for service in services}, notices


def _tools(run: Run, services: Sequence[Service]) -> tuple[OfferedTool, ...]:
    if not services:
        return ()
    grants = set(
        ToolGrant.objects.filter(user=run.user_id, run__isnull=True).values_list("service_id", "tool_name", "definition_hash")
    ) | set(ToolGrant.objects.filter(run=run).values_list("service_id", "tool_name", "definition_hash"))
    return tuple(_offered(service, tool, grants) for service in services for tool in service.tools.all())


def _offered(service: Service, tool: ServiceTool, grants: set[tuple[Any, str, str]]) -> OfferedTool:
    granted = (service.id, tool.name, tool.definition_hash) in grants
    verdict = decide(tool.policy, read_only=tool.counts_as_read_only, state=tool.state, granted=granted)  # type: ignore[arg-type]
    return OfferedTool(
        tool=Tool(join_name(service.slug, tool.name), tool.description, tool.input_schema),
        service=service.slug,
        name=tool.name,
        endpoint=str(service.id),
        verdict=verdict,
        definition_hash=tool.definition_hash,
        timeout_s=settings.TOOL_TIMEOUT_S,
        reason=_REASONS[tool.state] if verdict == "refuse" else "",
        repeatable=tool.counts_as_read_only,
    )
