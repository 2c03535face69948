"""Anthropic's Messages API and model list, on loopback. `python -m tests.fakes.anthropic --pace 0.05 --chunks 100` runs it alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.fakes.script import Answer, plausible_calls, split
from tests.fakes.server import FakeVendor, main
from tests.fakes.strict import anthropic, seal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.fakes.script import Recorded, Tokens

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_COUNTED = frozenset({"cache_control", "messages", "model", "output_config", "system", "thinking", "tool_choice", "tools"})


class FakeAnthropic(FakeVendor):
    """A fake of Anthropic's API on loopback."""

    default_models = ("claude-sonnet-4-5", "claude-haiku-4-5")

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post("/v1/messages", self.answer),
            web.post("/v1/messages/count_tokens", self.count_tokens),
            web.get("/v1/models", self.list_models),
            web.get("/v1/models/{id}", self.get_model),
            web.post("/v1/files", self.upload),
            web.delete("/v1/files/{id}", self.removed),
        )

    async def count_tokens(self, request: web.Request) -> web.Response:
        return await self.count(request, taken=_COUNTED, kind={})

    async def upload(self, request: web.Request) -> web.Response:
        stored = await self.stored(request, named="file_fake")
        if isinstance(stored, web.Response):
            return stored
        name, fields = stored
        size = len(self.files[name][1])
        row = {"type": "file", "id": name, "filename": fields["filename"], "mime_type": fields["content-type"], "size_bytes": size}
        return web.json_response({**row, "created_at": "2026-01-01T00:00:00Z", "downloadable": False, "expires_at": None})

    def error_body(self, status: int, message: str) -> dict[str, Any]:
        kind = _ERROR_TYPES.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_fake"}

    async def list_models(self, request: web.Request) -> web.Response:
        refused = await self.listed(request)
        if refused is not None:
            return refused
        after, limit = request.query.get("after_id"), int(request.query.get("limit", 20))
        start = self.models.index(after) + 1 if after in self.models else 0
        page = self.models[start : start + limit]
        rows = [_row(name) for name in page]
        more = start + limit < len(self.models)
        ends = {"first_id": page[0] if page else None, "last_id": page[-1] if page else None}
        return web.json_response({"data": rows, "has_more": more, **ends})

    async def get_model(self, request: web.Request) -> web.Response:
        refused = await self.listed(request)
        if refused is not None:
            return refused
        name = self.aliases.get(request.match_info["id"], request.match_info["id"])
        if name not in self.models:
            return web.json_response(self.error_body(404, f"model: {name}"), status=404)
        return web.json_response(_row(name))

    def unscripted(self, body: dict[str, Any]) -> Answer:
        last = body["messages"][-1]
        blocks = last["content"] if isinstance(last["content"], list) else [{"type": "text", "text": last["content"]}]
        results = [block for block in blocks if block.get("type") == "tool_result"]
        tools = [(tool["name"], tool.get("input_schema", {})) for tool in body.get("tools", ())]
        if results:
            return Answer(text=f"The tools answered: {len(results)} results arrived.")
        if tools:
            return Answer(text="Let me look that up.", calls=plausible_calls(tools))
        return Answer(text="Hello! This is a scripted answer of a fake Anthropic server.")

    def objection(self, recorded: Recorded) -> str:
        return anthropic.objection(recorded.body or {})

    def frames(self, answer: Answer, recorded: Recorded) -> Iterator[bytes]:
        model = (recorded.body or {}).get("model", "")
        yield _frame("message_start", message=_message(model, answer.tokens))
        yield _frame("ping")
        for index, (start, deltas) in enumerate(_blocks(answer, model, number=len(self.requests))):
            yield _frame("content_block_start", index=index, content_block=start)
            for delta in deltas:
                yield _frame("content_block_delta", index=index, delta=delta)
            yield _frame("content_block_stop", index=index)
        if answer.error is not None:
            yield _frame("error", error=dict(answer.error), request_id="req_fake")
            return
        reason = answer.finish or ("tool_use" if answer.calls else "end_turn")
        usage = {**_input_usage(answer.tokens), "output_tokens": answer.tokens.output}
        yield _frame("message_delta", delta={"stop_reason": reason, "stop_sequence": None, "stop_details": None}, usage=usage)
        yield _frame("message_stop")


def _blocks(answer: Answer, model: str, number: int) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each block as it starts, and its deltas."""
    if answer.thinking:
        pieces = [{"type": "thinking_delta", "thinking": piece} for piece in split(answer.thinking)]
        signed = {"type": "signature_delta", "signature": seal("anthropic", model, answer.thinking)}
        yield {"type": "thinking", "thinking": "", "signature": ""}, [*pieces, signed]
    if answer.deltas:
        yield {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in answer.deltas]
    for position, call in enumerate(answer.calls):
        text = call.json
        halves = ["", text[: len(text) // 2], text[len(text) // 2 :]] if call.arguments else [""]
        start = {"type": "tool_use", "id": call.id or f"toolu_{number:04}_{position}", "name": call.name, "input": {}}
        yield {**start, "caller": {"type": "direct"}}, [{"type": "input_json_delta", "partial_json": piece} for piece in halves]


def _message(model: str, tokens: Tokens) -> dict[str, Any]:
    usage = {**_input_usage(tokens), "output_tokens": 1, "service_tier": "standard", "inference_geo": "not_available"}
    head = {"id": "msg_fake", "type": "message", "role": "assistant", "model": model, "content": []}
    return {**head, "stop_reason": None, "stop_sequence": None, "stop_details": None, "usage": usage}


def _input_usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": tokens.cache_write,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write - tokens.cache_write_1h,
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
        },
    }


def _frame(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields}, separators=(',', ':'))}\n\n".encode()


def _row(name: str) -> dict[str, Any]:
    label = name.replace("-", " ").title()
    limits = {"max_input_tokens": 200_000, "max_tokens": 64_000, "capabilities": None}
    life = {"created_at": "2026-01-01T00:00:00Z", "lifecycle": "active", "line": None, "deprecated_at": None, "retires_at": None}
    return {"type": "model", "id": name, "display_name": label, **life, **limits}


if __name__ == "__main__":
    main(FakeAnthropic)
