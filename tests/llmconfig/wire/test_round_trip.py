"""decode(encode(x)) = x: what a vendor said goes back to it as it was said, byte for byte wherever the vendor checks it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.loop.codec import message_from_json, part_to_json
from llmconfig.llm import Message, ModelRequest, Text, Tool, ToolResult
from tests.fakes.script import Answer, Call
from tests.llmconfig.vendors import EACH_VENDOR
from tests.llmconfig.wire.streams import user

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.llmconfig.vendors import Vendor

TOOLS = (Tool("demo__find", "Finds", {"type": "object"}), Tool("demo__get", "Gets", {"type": "object"}))

words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip)
arguments = st.dictionaries(words, words | st.integers(-(2**40), 2**40) | st.none() | st.lists(st.booleans(), max_size=2), max_size=3)
answers = st.builds(
    Answer,
    text=st.lists(words, min_size=1, max_size=3).map(tuple) | st.just(""),
    thinking=words | st.just(""),
    calls=st.lists(st.builds(Call, st.sampled_from([tool.name for tool in TOOLS]), arguments), min_size=1, max_size=3).map(tuple),
)


def stored(message: Message) -> Message:
    """As it comes back from the database."""
    rows = json.loads(json.dumps([part_to_json(part) for part in message.parts]))
    return message_from_json(message.role, rows)


def events_of(frames: Sequence[bytes]) -> list[dict[str, Any]]:
    payloads = [frame.partition(b"data: ")[2] or frame for frame in frames]
    return [json.loads(payload) for payload in payloads if payload.strip() != b"[DONE]"]


# What was said, read from the stream without any of routekit's code, and what of it a request says again; each as a list of blocks


def anthropic_said(events: Sequence[dict[str, Any]]) -> list[Any]:
    blocks: dict[int, dict[str, Any]] = {}
    pieces: dict[int, str] = {}
    for event in events:
        match event["type"]:
            case "content_block_start":
                blocks[event["index"]] = event["content_block"]
            case "content_block_delta":
                delta, block = event["delta"], blocks[event["index"]]
                for key in ("thinking", "text", "signature"):
                    if key in delta:
                        block[key] += delta[key]
                pieces[event["index"]] = pieces.get(event["index"], "") + delta.get("partial_json", "")
    for at, block in blocks.items():
        if block["type"] == "tool_use":
            block["input"] = json.loads(pieces[at] or "{}")
            del block["caller"]
    return list(blocks.values())


def anthropic_says(body: dict[str, Any]) -> list[Any]:
    content: list[Any] = body["messages"][1]["content"]
    return content


def responses_said(events: Sequence[dict[str, Any]]) -> list[Any]:
    return [_item(item) for item in events[-1]["response"]["output"]]


def responses_says(body: dict[str, Any]) -> list[Any]:
    return [_item(item) for item in body["input"][1:] if item.get("type") != "function_call_output"]


def _item(item: dict[str, Any]) -> Any:
    match item.get("type", "message"):
        case "reasoning":
            return item
        case "function_call":
            return item["call_id"], item["name"], json.loads(item["arguments"])
        case _:
            return "".join(part["text"] for part in item["content"]) if isinstance(item["content"], list) else item["content"]


def chat_said(events: Sequence[dict[str, Any]]) -> list[Any]:
    """Without its thoughts, which the wire has no place for."""
    text, calls = "", dict[int, list[str]]()
    for event in events:
        delta = event["choices"][0]["delta"] if event["choices"] else {}
        text += delta.get("content") or ""
        for call in delta.get("tool_calls", ()):
            known = calls.setdefault(call["index"], ["", "", ""])
            known[0] += call.get("id", "")
            known[1] += call["function"].get("name", "")
            known[2] += call["function"]["arguments"]
    return [text, *((id_, name, json.loads(arguments or "{}")) for id_, name, arguments in calls.values())]


def chat_says(body: dict[str, Any]) -> list[Any]:
    message = body["messages"][1]
    calls = [(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])) for call in message["tool_calls"]]
    return [message["content"] or "", *calls]


def gemini_said(events: Sequence[dict[str, Any]]) -> list[Any]:
    """Parts of one kind are one, up to a signature; thoughts that nothing signed need not go back."""
    parts: list[dict[str, Any]] = []
    for part in (part for event in events for part in event["candidates"][0]["content"]["parts"]):
        last = parts[-1] if parts else {}
        if "text" in part and "text" in last and last.get("thought") == part.get("thought") and "thoughtSignature" not in last:
            last["text"] += part["text"]
            last |= {key: part[key] for key in ("thoughtSignature",) if key in part}
        elif part.get("text") or "text" not in part or "thoughtSignature" in part:
            parts.append(dict(part))
    return [part for part in parts if not part.get("thought") or "thoughtSignature" in part]


def gemini_says(body: dict[str, Any]) -> list[Any]:
    parts: list[Any] = body["contents"][1]["parts"]
    return parts


def ollama_said(events: Sequence[dict[str, Any]]) -> list[Any]:
    messages = [event["message"] for event in events]
    calls = [call for message in messages for call in message.get("tool_calls", ())]
    texts = ["".join(message.get(key, "") for message in messages) for key in ("thinking", "content")]
    return [*texts, *((call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls)]


def ollama_says(body: dict[str, Any]) -> list[Any]:
    return ollama_said([{"message": body["messages"][1]}])


ECHO: dict[str, tuple[Callable[[Sequence[dict[str, Any]]], list[Any]], Callable[[dict[str, Any]], list[Any]]]] = {
    "anthropic_messages": (anthropic_said, anthropic_says),
    "openai_responses": (responses_said, responses_says),
    "openai_chat": (chat_said, chat_says),
    "gemini": (gemini_said, gemini_says),
    "ollama": (ollama_said, ollama_says),
}


@EACH_VENDOR
@settings(max_examples=150, deadline=None)
@given(answer=answers)
def test_an_answer_goes_back_as_it_came(vendor: Vendor, answer: Answer) -> None:
    said, says = ECHO[vendor.wire]
    message = stored(vendor.said(answer, number=7))
    results = Message("tool", tuple(ToolResult(call.id, (Text("42"),)) for call in message.tool_calls))
    body = vendor.encode(ModelRequest(vendor.model, (user("Who?"), message, results), tools=TOOLS))
    assert vendor.objection(body) == ""
    assert says(body) == said(events_of(vendor.stream(answer, number=7)))


@EACH_VENDOR
@settings(max_examples=50, deadline=None)
@given(turns=st.lists(answers, min_size=2, max_size=4))
def test_a_conversation_grows_at_its_end_alone(vendor: Vendor, turns: list[Answer]) -> None:
    """What was sent once is sent again, byte for byte: vendors cache beginnings."""
    history: list[Message] = [user("Who?")]
    before = ""
    for answer in turns:
        sent = _conversation(vendor, history)
        assert sent.startswith(before)
        before = sent
        message = stored(vendor.said(answer))
        history += [message, Message("tool", tuple(ToolResult(call.id, (Text("42"),)) for call in message.tool_calls))]


def _conversation(vendor: Vendor, history: Sequence[Message]) -> str:
    """The list of messages alone, open at its end, without the marks of what shall be cached."""
    body = vendor.encode(ModelRequest(vendor.model, tuple(history), tools=TOOLS))
    (turns,) = (body[key] for key in ("messages", "input", "contents") if key in body)
    for turn in turns:
        for block in turn["content"] if isinstance(turn.get("content"), list) else ():
            block.pop("cache_control", None)
    return json.dumps(turns, ensure_ascii=False).removesuffix("]")
