"""Rows to begin with: conversations, queued runs, claims and services, made the short way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.utils import timezone

from agent.loop.intents import BeginAttempt, CallDecision, EndAttempt
from agent.loop.plan import Deployment, OfferedTool
from agent.mcp.definitions import ToolDefinition, define
from agent.models import Conversation, Message, Run, Service, ServiceTool
from agent.services.claims import Claim, claim_run
from agent.services.journal import commit_intent
from llmconfig.llm import Finished, FinishReason, Text, Tool, ToolCall, Usage
from llmconfig.llm import Message as NeutralMessage
from llmconfig.services import default_target

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

SCHEMA = {"type": "object", "properties": {"id": {"type": "string"}}}
STOP = Finished(FinishReason.STOP, "end_turn")
CALLS = Finished(FinishReason.TOOL_CALLS, "tool_use")


def conversation_of(person: Person, **fields: Any) -> Conversation:
    return Conversation.objects.create(organization=person.organization, owner=person.user, **fields)


def queued_run(person: Person, text: str = "Hello", conversation: Conversation | None = None) -> Run:
    """A run as `post_message` leaves it, on the demo provider."""
    conversation = conversation or conversation_of(person)
    target = default_target(person.caller)
    assert target is not None
    run = Run.objects.create(
        organization=person.organization, conversation=conversation, user=person.user, config=target[0], model=target[1]
    )
    Message.objects.create(
        conversation=conversation,
        run=run,
        position=conversation.messages.count() + 1,
        role="user",
        parts=[{"type": "text", "text": text}],
        created_at=timezone.now(),
    )
    return run


def claimed(run: Run) -> Claim:
    claim = claim_run(run.id)
    assert claim is not None
    run.refresh_from_db()
    return claim


def deployment_of(run: Run, provider: str = "demo") -> Deployment:
    return Deployment(str(run.config_id), provider, run.model)


def tool_call(name: str = "crm__find", **arguments: Any) -> ToolCall:
    return ToolCall(str(uuid4()), name, arguments)


def decision(call: ToolCall, service: Service | None = None, state: str = "requested") -> CallDecision:
    return CallDecision(call, None if service is None else offered(service, call.name.partition("__")[2]), state)  # type: ignore[arg-type]


def offered(service: Service, name: str, verdict: str = "run") -> OfferedTool:
    pinned = service.tools.filter(name=name).first()
    return OfferedTool(
        tool=Tool(f"{service.slug}__{name}", "", SCHEMA),
        service=service.slug,
        name=name,
        endpoint=str(service.id),
        verdict=verdict,  # type: ignore[arg-type]
        definition_hash=pinned.definition_hash if pinned else "hash",
    )


def begun(claim: Claim, run: Run, *, step: int = 1, seq: int = 1, provider: str = "demo") -> str:
    """An attempt whose row stands; its id."""
    attempt = str(uuid4())
    commit_intent(claim, BeginAttempt(step, attempt, deployment_of(run, provider)), seq=seq)
    return attempt


def answered(
    claim: Claim, run: Run, *, text: str = "", calls: tuple[CallDecision, ...] = (), step: int = 1, seq: int = 5, **fields: Any
) -> Any:
    """A whole attempt of a step: begun, and ended with text and calls. What `EndAttempt` answered."""
    parts = (*((Text(text),) if text else ()), *(each.call for each in calls))
    intent = {
        "step": step,
        "attempt": begun(claim, run, step=step, seq=seq - 1, provider=fields.pop("provider", "demo")),
        "deployment": deployment_of(run),
        "status": "completed",
        "usage": Usage(3, 2, 0, 0, 0, 0),
        "latency_ms": 10,
        "ttft_ms": 4,
        "message": NeutralMessage("assistant", parts) if parts else None,
        "finished": CALLS if calls else STOP,
        "calls": calls,
    }
    return commit_intent(claim, EndAttempt(**(intent | fields)), seq=seq)


def definition(name: str, *, description: str = "Does it.", **annotations: Any) -> ToolDefinition:
    return define(name, description, SCHEMA, annotations)[0]


def service_of(person: Person, *tools: str, slug: str = "crm", policy: str = "ask", shared: bool = False, **fields: Any) -> Service:
    """A service with pinned, approved tools. policy: of all of them; `auto` classifies them as read-only."""
    service = Service.objects.create(
        organization=person.organization,
        owner=None if shared else person.user,
        display_name=slug.upper(),
        slug=slug,
        url="http://127.0.0.1:9/mcp",
        pinned_at=timezone.now(),
        **fields,
    )
    for position, name in enumerate(tools):
        made = definition(name)
        ServiceTool.objects.create(
            service=service,
            name=name,
            position=position,
            description=made.description,
            input_schema=dict(made.input_schema),
            definition_hash=made.definition_hash,
            policy=policy,
            read_only=policy == "auto",
        )
    return service
