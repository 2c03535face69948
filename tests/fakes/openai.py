"""OpenAI's Responses, Chat Completions and model list, on loopback. `python -m tests.fakes.openai --pace 0.05` runs it alone."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.fakes.script import Answer, plausible_calls, split
from tests.fakes.server import FakeVendor, main
from tests.fakes.strict import chat, responses, seal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.fakes.script import Call, Recorded, Tokens

_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
_COUNTED = frozenset({"input", "instructions", "model", "parallel_tool_calls", "reasoning", "text", "tool_choice", "tools", "truncation"})
CREATED = 1_790_000_000


class FakeOpenAI(FakeVendor):
    """A fake of OpenAI's API on loopback."""

    prefix = "/v1"
    default_models = ("gpt-5.4", "gpt-5.4-mini")
    serves_models = True
    """False answers 404 to GET /models, as many compatible servers do."""

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post("/v1/responses", self.answer),
            web.post("/v1/responses/input_tokens", self.count_tokens),
            web.post("/v1/chat/completions", self.answer),
            web.get("/v1/models", self.list_models),
            web.get("/v1/models/{id}", self.get_model),
            web.post("/v1/files", self.upload),
            web.delete("/v1/files/{id}", self.removed),
        )

    async def upload(self, request: web.Request) -> web.Response:
        stored = await self.stored(request, named="file-fake")
        if isinstance(stored, web.Response):
            return stored
        name, fields = stored
        row = {"id": name, "object": "file", "bytes": len(self.files[name][1]), "created_at": CREATED, "filename": fields["filename"]}
        return web.json_response({**row, "purpose": fields["purpose"], "status": "processed", "expires_at": None})

    async def count_tokens(self, request: web.Request) -> web.Response:
        return await self.count(request, taken=_COUNTED, kind={"object": "response.input_tokens"})

    def error_body(self, status: int, message: str) -> dict[str, Any]:
        kind = "server_error" if status >= 500 else "invalid_request_error"
        return {"error": {"message": message, "type": kind, "param": None, "code": _CODES.get(status)}}

    async def list_models(self, request: web.Request) -> web.Response:
        refused = await self.listed(request)
        if refused is not None:
            return refused
        if not self.serves_models:
            return web.json_response({"detail": "Not Found"}, status=404)
        return web.json_response({"object": "list", "data": [_row(name) for name in self.models]})

    async def get_model(self, request: web.Request) -> web.Response:
        refused = await self.listed(request)
        if refused is not None:
            return refused
        name = self.aliases.get(request.match_info["id"], request.match_info["id"])
        if name not in self.models:
            return web.json_response(self.error_body(404, f"The model '{name}' does not exist"), status=404)
        return web.json_response(_row(name))

    def unscripted(self, body: dict[str, Any]) -> Answer:
        items = body["input"] if "input" in body else body["messages"]
        last = items[-1] if isinstance(items, list) else {}
        answered = last.get("type") == "function_call_output" or last.get("role") == "tool"
        tools = [_tool(tool) for tool in body.get("tools") or () if tool.get("type") == "function"]
        if answered:
            return Answer(text="The tools answered: their results arrived.")
        if tools:
            return Answer(text="Let me look that up.", calls=plausible_calls(tools))
        return Answer(text="Hello! This is a scripted answer of a fake OpenAI server.")

    def objection(self, recorded: Recorded) -> str:
        body = recorded.body or {}
        return responses.objection(body) if "input" in body else chat.objection(body)

    def frames(self, answer: Answer, recorded: Recorded) -> Iterator[bytes]:
        body = recorded.body or {}
        if "responses" in recorded.path:
            return _response_frames(answer, body.get("model", ""), number=len(self.requests))
        return _chat_frames(answer, body, number=len(self.requests))


def _row(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "system"}


def _tool(tool: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    function = tool.get("function", tool)
    return function["name"], function.get("parameters") or {}


def _chat_frames(answer: Answer, body: dict[str, Any], number: int) -> Iterator[bytes]:
    wants_usage = (body.get("stream_options") or {}).get("include_usage", False)
    head = {"id": f"chatcmpl-fake{number}", "object": "chat.completion.chunk", "created": CREATED, "model": body.get("model", "")}
    head |= {"service_tier": "default", "system_fingerprint": "fp_fake"}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _data({**head, "choices": [choice], **({"usage": None} if wants_usage else {})})

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    for piece in split(answer.thinking):
        yield chunk({"reasoning_content": piece})
    for piece in answer.deltas:
        yield chunk({"content": piece})
    for index, call in enumerate(answer.calls):
        yield from (chunk({"tool_calls": [delta]}) for delta in _chat_call(call, index, number))
    if answer.error is not None:
        yield _data({"error": dict(answer.error)})
        return
    yield chunk({}, answer.finish or ("tool_calls" if answer.calls else "stop"))
    if wants_usage:
        yield _data({**head, "choices": [], "usage": _chat_usage(answer.tokens)})
    yield b"data: [DONE]\n\n"


def _chat_call(call: Call, index: int, number: int) -> Iterator[dict[str, Any]]:
    yield {"index": index, "id": _call_id(call, number, index), "type": "function", "function": {"name": call.name, "arguments": ""}}
    text = call.json
    for piece in (text[: len(text) // 2], text[len(text) // 2 :]):
        yield {"index": index, "function": {"arguments": piece}}


def _chat_usage(tokens: Tokens) -> dict[str, Any]:
    total_input = tokens.input + tokens.cache_read + tokens.cache_write
    return {
        "prompt_tokens": total_input,
        "completion_tokens": tokens.output,
        "total_tokens": total_input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cache_read, "cache_write_tokens": tokens.cache_write, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _response_frames(answer: Answer, model: str, number: int) -> Iterator[bytes]:
    sequence = count()

    def event(kind: str, **fields: Any) -> bytes:
        payload = {"type": kind, "sequence_number": next(sequence), **fields}
        return f"event: {kind}\ndata: {json.dumps(payload, separators=(',', ':'))}\n\n".encode()

    head = {"id": f"resp_fake{number}", "object": "response", "created_at": CREATED, "model": model, "error": None}
    begun = {**head, "status": "in_progress", "incomplete_details": None, "output": [], "usage": None}
    yield event("response.created", response=begun)
    yield event("response.in_progress", response=begun)
    output: list[dict[str, Any]] = []
    for item, deltas in _items(answer, model, number):
        yield from _item_frames(event, len(output), item, deltas)
        output.append(item)
    if answer.error is not None:
        failed = {**begun, "status": "failed", "error": dict(answer.error), "output": output}
        yield event("response.failed", response=failed)
        return
    incomplete = {"reason": answer.finish} if answer.finish else None
    status = "incomplete" if incomplete else "completed"
    ended = {**head, "status": status, "incomplete_details": incomplete, "output": output, "usage": _response_usage(answer.tokens)}
    yield event(f"response.{status}", response=ended)


def _items(answer: Answer, model: str, number: int) -> Iterator[tuple[dict[str, Any], list[str]]]:
    if answer.thinking:
        summary = [{"type": "summary_text", "text": answer.thinking}]
        sealed = seal("openai", model, answer.thinking)
        yield {"id": f"rs_{number}", "type": "reasoning", "summary": summary, "encrypted_content": sealed}, split(answer.thinking)
    if answer.deltas:
        content = [{"type": "output_text", "annotations": [], "logprobs": [], "text": "".join(answer.deltas)}]
        yield (
            {"id": f"msg_{number}", "type": "message", "status": "completed", "role": "assistant", "content": content},
            list(answer.deltas),
        )
    for index, call in enumerate(answer.calls):
        text = call.json
        item = {"id": f"fc_{number}_{index}", "type": "function_call", "status": "completed", "call_id": _call_id(call, number, index)}
        yield {**item, "name": call.name, "arguments": text}, [text[: len(text) // 2], text[len(text) // 2 :]]


def _item_frames(event: Callable[..., bytes], index: int, item: dict[str, Any], deltas: list[str]) -> Iterator[bytes]:
    place = {"item_id": item["id"], "output_index": index}
    started = {**item, **({"status": "in_progress"} if "status" in item else {})}
    match item["type"]:
        case "reasoning":
            yield event("response.output_item.added", output_index=index, item={**item, "summary": [], "encrypted_content": ""})
            empty, part = {"type": "summary_text", "text": ""}, item["summary"][0]
            yield event("response.reasoning_summary_part.added", **place, summary_index=0, part=empty)
            for delta in deltas:
                yield event("response.reasoning_summary_text.delta", **place, summary_index=0, delta=delta, **_obfuscation(delta))
            yield event("response.reasoning_summary_text.done", **place, summary_index=0, text=part["text"])
            yield event("response.reasoning_summary_part.done", **place, summary_index=0, part=part)
        case "message":
            part = item["content"][0]
            yield event("response.output_item.added", output_index=index, item={**started, "content": []})
            yield event("response.content_part.added", **place, content_index=0, part={**part, "text": ""})
            for delta in deltas:
                yield event("response.output_text.delta", **place, content_index=0, delta=delta, logprobs=[], **_obfuscation(delta))
            yield event("response.output_text.done", **place, content_index=0, text=part["text"], logprobs=[])
            yield event("response.content_part.done", **place, content_index=0, part=part)
        case _:
            yield event("response.output_item.added", output_index=index, item={**started, "arguments": ""})
            for delta in deltas:
                yield event("response.function_call_arguments.delta", **place, delta=delta, **_obfuscation(delta))
            yield event("response.function_call_arguments.done", **place, name=item["name"], arguments=item["arguments"])
    yield event("response.output_item.done", output_index=index, item=item)


def _obfuscation(delta: str) -> dict[str, str]:
    """OpenAI pads its deltas, so that their lengths tell nothing."""
    return {"obfuscation": "x" * (16 - len(delta) % 16)}


def _response_usage(tokens: Tokens) -> dict[str, Any]:
    total_input = tokens.input + tokens.cache_read + tokens.cache_write
    return {
        "input_tokens": total_input,
        "input_tokens_details": {"cached_tokens": tokens.cache_read, "cache_write_tokens": tokens.cache_write},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": total_input + tokens.output,
    }


def _call_id(call: Call, number: int, index: int) -> str:
    return call.id or f"call_{number:04}_{index}"


def _data(payload: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(payload, separators=(',', ':'))}\n\n".encode()


if __name__ == "__main__":
    main(FakeOpenAI)
