"""Messages, runs and attachments as the API and the events show them: one shape for both, so that folding events equals reading rows."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from agent.loop.codec import public

if TYPE_CHECKING:
    from datetime import datetime

    from agent.models import Attachment, Attempt, Message, Run, ToolCall


def when(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def message_json(message: Message) -> dict[str, Any]:
    return {
        "id": str(message.id),
        "role": message.role,
        "parts": public(message.parts),
        "model": message.model or None,
        "provider": message.provider or None,
        "finish_reason": message.finish_reason or None,
        "finish_raw": message.finish_raw or None,
        "created_at": when(message.created_at),
        "status": message.status,
        "run": str(message.run_id) if message.run_id else None,
    }


def attachment_json(attachment: Attachment) -> dict[str, Any]:
    return {
        "id": str(attachment.id),
        "name": attachment.name,
        "media_type": attachment.media_type,
        "kind": attachment.kind,
        "size": attachment.size,
        "width": attachment.width,
        "height": attachment.height,
        "created_at": when(attachment.created_at),
        "url": f"/api/attachments/{attachment.id}/content",
    }


USAGE_FIELDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")


def money(amount: Decimal | None) -> str | None:
    """A decimal string without exponent or trailing zeros; None is unknown."""
    return None if amount is None else f"{amount.normalize():f}"


def run_json(run: Run) -> dict[str, Any]:
    """A run whole. Expects steps, attempts and tool calls prefetched."""
    steps = [
        {
            "index": step.index,
            "attempts": [attempt_json(attempt) for attempt in step.attempts.all()],
            "tool_calls": [call_json(call) for call in step.tool_calls.all()],
        }
        for step in run.steps.all()
    ]
    attempts = [attempt for step in run.steps.all() for attempt in step.attempts.all()]
    return {
        "id": str(run.id),
        "conversation": str(run.conversation_id) if run.conversation_id else None,
        "status": run.status,
        "finish_reason": run.finish_reason or None,
        "reasoning": run.reasoning,
        "output_schema": run.output_schema,
        "error": {"kind": run.error_kind, "detail": run.error_detail} if run.error_kind else None,
        "created_at": when(run.created_at),
        "started_at": when(run.started_at),
        "finished_at": when(run.finished_at),
        "steps": steps,
        "usage": {name: _total([getattr(attempt, name) for attempt in attempts]) for name in USAGE_FIELDS},
        "cost": money(_sum_costs(attempts)),
        "currency": next((attempt.currency for attempt in attempts if attempt.cost is not None), "USD"),
    }


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": str(attempt.id),
        "config": str(attempt.config_id) if attempt.config_id else None,
        "provider": attempt.provider,
        "model": attempt.model,
        "status": attempt.status,
        "error_kind": attempt.error_kind or None,
        "latency_ms": attempt.latency_ms,
        "ttft_ms": attempt.ttft_ms,
        "usage": {name: getattr(attempt, name) for name in USAGE_FIELDS},
        "cost": money(attempt.cost),
        "currency": attempt.currency,
        "evidence": attempt.evidence,
    }


def call_json(call: ToolCall) -> dict[str, Any]:
    return {
        "id": str(call.id),
        "name": call.name,
        "service": call.service_slug or None,
        "arguments": call.arguments,
        "status": call.status,
        "is_error": call.is_error,
        "latency_ms": call.latency_ms,
        "definition_hash": call.definition_hash or None,
        "expires_at": when(call.expires_at),
    }


def _total(counts: list[int | None]) -> int | None:
    """The sum, or None as soon as one part is unknown: a total that hides an unknown would lie."""
    return None if not counts or any(count is None for count in counts) else sum(count for count in counts if count is not None)


def _sum_costs(attempts: list[Attempt]) -> Decimal | None:
    """None as soon as one is unknown, and where prices in two currencies do not add up."""
    costs = [attempt.cost for attempt in attempts]
    if len({attempt.currency for attempt in attempts}) > 1:
        return None
    return None if not costs or any(cost is None for cost in costs) else sum((cost for cost in costs if cost is not None), Decimal(0))
