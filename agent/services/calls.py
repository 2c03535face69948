"""Rows of tool calls: what a model asked for, as it is stored, and what an approval of it is bound to."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from agent.loop.codec import split_name
from agent.models import Service, Step, ToolCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.loop.intents import CallDecision


def services_of(calls: Sequence[CallDecision]) -> Mapping[str, Service]:
    """Those of the called services that were not deleted under their run."""
    rows = Service.objects.filter(id__in={decision.tool.endpoint for decision in calls if decision.tool})
    return {str(row.id): row for row in rows.only("id")}


def call_row(step: Step, position: int, decision: CallDecision, services: Mapping[str, Service]) -> ToolCall:
    call, tool = decision.call, decision.tool
    slug, name = (tool.service, tool.name) if tool else split_name(call.name)
    return ToolCall(
        id=call.id,
        step=step,
        position=position,
        service=services.get(tool.endpoint) if tool else None,
        service_slug=(slug or "")[:32],  # of a tool that the model made up, too
        name=name[:128],
        arguments=dict(call.arguments),
        arguments_hash=canonical_hash(call.arguments),
        definition_hash=tool.definition_hash if tool else "",
        status=decision.state,
    )


def canonical_hash(arguments: Mapping[str, Any]) -> str:
    """What an approval is bound to: SHA-256 over the arguments as canonical JSON."""
    return hashlib.sha256(json.dumps(_plain(arguments), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Whole numbers as integers: Postgres gives 1e22 back as 10000000000000000000000."""
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value
