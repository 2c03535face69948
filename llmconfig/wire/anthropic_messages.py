"""Anthropic's Messages API: a request to its body. `anthropic_stream` decodes its events.

https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llmconfig.llm import Media, Message, Text, Thinking, ToolCall, ToolResult
from llmconfig.wire.answer_schema import closed
from llmconfig.wire.anthropic_stream import Decoder
from llmconfig.wire.claude_models import claude
from llmconfig.wire.encoding import PDF, base64_text, media_type, sealed, takes
from llmconfig.wire.errors import error_from
from llmconfig.wire.history import repaired
from llmconfig.wire.names import ToolNames, call_ids
from llmconfig.wire.reasoning import budget_of, effort_of
from llmconfig.wire.schema import fresh, parameters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmconfig.llm import Effort, ModelRequest, Part

__all__ = ["Decoder", "carries", "encode", "error_from"]

DEFAULT_MAX_TOKENS: Final = 8192
"""Of an answer, besides its thinking."""
MIN_BUDGET: Final = 1024
_IMAGES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_SEALS: Final = frozenset({"signature", "redacted"})
UNBOUND: Final = {"block_binding": {"prefix_mismatch_behavior": "drop_block"}}
"""What was said before a thought may have changed: another system text, a tool more, a beginning left out, another vendor's turn.
By default the API refuses the whole history for it. https://platform.claude.com/docs/en/build-with-claude/preserved-thinking/prefix-checks"""


def encode(request: ModelRequest, *, provider: str) -> dict[str, Any]:
    """The JSON body. Raises `InvalidRequest` for media that this wire cannot carry.

    Four cache breakpoints: the tools, the system text and the last two turns of the user, so that each step of a run reads what the
    last one wrote and writes for the next. All live equally long: the API wants longer lives ahead of shorter ones.
    """
    history = repaired(request, provider=provider, carries=carries, seals=_seals(request))
    names = ToolNames(request)
    mark = _cache_mark(request)
    limit, thinking, effort = _thinking(request, history)
    body: dict[str, Any] = {"model": request.model, "max_tokens": limit, "stream": True}
    if request.system.strip():
        body["system"] = [{"type": "text", "text": request.system, "cache_control": {**mark}}]
    if request.tools:
        body["tools"] = [
            {"name": names.to_wire(tool.name), "description": tool.description, "input_schema": parameters(tool.input_schema)}
            for tool in request.tools
        ]
        body["tools"][-1]["cache_control"] = {**mark}
    body["messages"] = _turns(history, names)
    for turn in [turn for turn in body["messages"] if turn["role"] == "user"][-2:]:
        turn["content"][-1]["cache_control"] = {**mark}
    if claude(request.model).binds and any(isinstance(part, Thinking) for message in history for part in message.parts):
        thinking = {"type": "adaptive", **thinking, **UNBOUND}
    if thinking:
        body["thinking"] = thinking
    shape = closed(request.output_schema) if request.output_schema else None
    if effort or shape:
        body["output_config"] = ({"effort": effort} if effort else {}) | ({"format": _format(shape)} if shape else {})
    return body


def _seals(request: ModelRequest) -> frozenset[str]:
    """With thinking off there is no place to say what becomes of bound thoughts, and nothing reads them."""
    model = claude(request.model)
    return frozenset() if model.binds and model.silence and budget_of(request.reasoning) == 0 else _SEALS


def _format(shape: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "schema": shape}


def _cache_mark(request: ModelRequest) -> dict[str, str]:
    mark = {"type": "ephemeral"}
    return mark | ({"ttl": "1h"} if request.options.get("cache_ttl") == "1h" else {})


def _thinking(request: ModelRequest, history: Sequence[Message]) -> tuple[int, dict[str, Any], Effort | None]:
    """The longest answer in tokens, `thinking` and the effort. Thinking counts towards the answer, which must have room for more."""
    model, asked, limit = claude(request.model), request.reasoning, request.max_output_tokens
    budget = budget_of(asked)
    if asked is None or budget is None or not model.thinks:
        return limit or DEFAULT_MAX_TOKENS, {}, None
    if budget == 0:
        off: dict[str, Any] = {"type": "disabled"} if model.silence else {}
        return limit or DEFAULT_MAX_TOKENS, off, None if model.silence else model.efforts[0]
    effort = effort_of(asked, model.efforts) if model.efforts else None
    limit = limit or min(DEFAULT_MAX_TOKENS + budget, model.output)
    if model.adaptive and (asked.budget_tokens is None or not model.budgets):
        return limit, {"type": "adaptive", "display": "summarized"}, effort
    return limit, _budgeted(budget, limit, history), effort if asked.effort else None


def _budgeted(budget: int, limit: int, history: Sequence[Message]) -> dict[str, Any]:
    """Thinking cannot begin between a call and its result: where another model made the call, this answer goes without."""
    if _calls_without_thought(history):
        return {}
    tokens = max(budget, MIN_BUDGET) if budget < limit else limit * 3 // 4
    return {"type": "enabled", "budget_tokens": tokens} if MIN_BUDGET <= tokens < limit else {}


def _calls_without_thought(history: Sequence[Message]) -> bool:
    """Whether the last turn of the user holds results, be it with words behind them, of calls that no thought of this model led to."""
    results = next((at for at in (-1, -2) if len(history) >= 1 - at and history[at].role == "tool"), None)
    return results is not None and not isinstance(history[results - 1].parts[0], Thinking)


def _turns(history: Sequence[Message], names: ToolNames) -> list[dict[str, Any]]:
    """Tool results are blocks of the user's turn, ahead of what the user says next."""
    ids = call_ids(history)
    turns: list[dict[str, Any]] = []
    for message in history:
        role = "assistant" if message.role == "assistant" else "user"
        blocks = [_block(part, names, ids) for part in message.parts]
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    return turns


def _block(part: Part, names: ToolNames, ids: Mapping[str, str]) -> dict[str, Any]:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Thinking():
            return _echo(part)
        case ToolCall():
            return {"type": "tool_use", "id": ids[part.id], "name": names.to_wire(part.name), "input": fresh(part.arguments)}
        case ToolResult():
            return _result(part, ids[part.tool_call_id])
        case _:
            return _media(part)


def _echo(part: Thinking) -> dict[str, Any]:
    """Byte for byte what came, or the signature no longer fits. The repaired history holds sealed thoughts only."""
    redacted, signature = sealed(part, "redacted"), sealed(part, "signature")
    if redacted:
        return {"type": "redacted_thinking", "data": redacted}
    return {"type": "thinking", "thinking": part.text, "signature": signature}


def _result(result: ToolResult, call_id: str) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call_id}
    if result.parts:
        block["content"] = [_result_part(part) for part in result.parts]
    if result.is_error:
        block["is_error"] = True
    return block


def _result_part(part: Text | Media) -> dict[str, Any]:
    return _media(part) if isinstance(part, Media) else {"type": "text", "text": part.text}


def carries(request: ModelRequest, part: Media) -> bool:
    kind = media_type(part)
    known = kind in _IMAGES if part.kind == "image" else part.kind == "document" and kind == PDF
    return known and takes(request, part)


def _media(part: Media) -> dict[str, Any]:
    if part.uploaded:
        return {"type": part.kind, "source": {"type": "file", "file_id": part.uploaded}}
    return {"type": part.kind, "source": {"type": "base64", "media_type": media_type(part), "data": base64_text(part)}}
