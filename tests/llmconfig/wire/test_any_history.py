"""Any history goes to any vendor: whatever lies in it, and whoever made it, the request is one that the vendor takes."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llmconfig.llm import Media, Message, ModelRequest, ProviderData, Reasoning, Text, Thinking, Tool, ToolCall, ToolResult
from tests.fakes.script import Answer, Call
from tests.llmconfig.vendors import EVERYONE, ONE_OF_EVERYONE, Vendor
from tests.llmconfig.wire.streams import user

if TYPE_CHECKING:
    from llmconfig.llm import Part

NAMES = ("demo__find", "crm__customer.get", "7up", "x" * 128, "späti__öffnen", "demo__Find", "")
IDS = ("id-a", "id-b", "call 7", "y" * 90, "toolu_01", "")
TEXTS = ("Hello", "", " \n", "Grüße 🔎")
ANSWERS = (
    Answer("Let me see.", thinking="two look-ups", calls=[Call("demo__find", {"query": "a"}), Call("demo__find", {"query": "b"})]),
    Answer("", thinking="one look-up", calls=[Call("crm__customer_get_14cabfcc", {"id": 7})]),
    Answer("It is Alice.", thinking="so that is it"),
    Answer("", calls=[Call("demo__find", {}, id="call_0")]),
    Answer("Hello"),
)
MEDIA = tuple(
    Media(kind, media_type, b"x", name="a")  # type: ignore[arg-type]
    for kind, media_type in (("image", "image/png"), ("document", "application/pdf"), ("audio", "audio/wav"), ("video", "video/mp4"))
)


def own_answers(vendor: Vendor) -> list[Message]:
    return [vendor.said(answer) for answer in ANSWERS]


SAID = [message for vendor in EVERYONE for message in own_answers(vendor)]
"""Sealed by their vendors, each with ids of its own."""

data = st.none() | st.builds(
    ProviderData,
    st.sampled_from([*(vendor.provider.slug for vendor in EVERYONE), "long_gone"]),
    st.just("another-model"),
    st.just(
        {"id": "toolu_01", "signature": "x", "encrypted_content": "x", "summary": [], "thoughtSignature": "x", "thought_signature": "x"}
    ),
)
"""What a model made that is no longer asked."""
unsigned = st.builds(
    ProviderData,
    st.sampled_from([vendor.provider.slug for vendor in EVERYONE]),
    st.sampled_from([vendor.model for vendor in EVERYONE]),
    st.sampled_from([{"signature": ""}, {"encrypted_content": ""}, {"id": "z" * 80}, {"id": "call:1"}, {}]),
)
"""What an interrupted stream leaves of one's own."""
texts = st.builds(Text, st.sampled_from(TEXTS), data)
thoughts = st.builds(Thinking, st.sampled_from(TEXTS), data | unsigned)
calls = st.builds(
    ToolCall, st.sampled_from(IDS), st.sampled_from(NAMES), st.sampled_from([{}, {"a": [1]}]), st.none() | st.just("{"), data | unsigned
)
results = st.builds(
    ToolResult,
    st.sampled_from([*IDS, *(call.id for message in SAID for call in message.tool_calls)]),
    st.lists(st.builds(Text, st.sampled_from(TEXTS)) | st.sampled_from(MEDIA), max_size=2).map(tuple),
    st.booleans(),
)


@st.composite
def spoken(draw: st.DrawFn) -> Message:
    """An answer that some vendor gave, whole or with parts missing or doubled."""
    message = draw(st.sampled_from(SAID))
    kept = draw(st.lists(st.sampled_from(range(len(message.parts))), max_size=4) | st.just(list(range(len(message.parts)))))
    return replace(message, parts=tuple(message.parts[index] for index in kept))


def parts(role: str, of: st.SearchStrategy[Part]) -> st.SearchStrategy[Message]:
    return st.lists(of, max_size=3).map(lambda found: Message(role, tuple(found)))  # type: ignore[arg-type]


messages = spoken() | parts("user", texts | st.sampled_from(MEDIA)) | parts("assistant", texts | thoughts | calls) | parts("tool", results)
histories = st.lists(messages, max_size=8)


def answered(message: Message) -> list[Message]:
    """It has just been given, so its calls are new."""
    new = [replace(part, id=f"new-{at}") if isinstance(part, ToolCall) else part for at, part in enumerate(message.parts)]
    calling = Message("assistant", tuple(new))
    return [calling, Message("tool", tuple(ToolResult(call.id, (Text("42"),)) for call in calling.tool_calls))]


@ONE_OF_EVERYONE
@settings(max_examples=150, deadline=None)
@given(history=histories, last=st.none() | spoken() | parts("assistant", texts | calls), thinks=st.booleans())
def test_the_vendor_takes_it(vendor: Vendor, history: list[Message], last: Message | None, thinks: bool) -> None:
    """It ends as a request does: with what the user says, or with the results of calls."""
    ending = [user("And now?")] if last is None or not last.tool_calls else [user("Look it up."), *answered(last)]
    told = (*history, *ending)
    kept = copy.deepcopy(told)
    more: dict[str, Any] = {"reasoning": Reasoning(None, 2048), "options": {"thinking_budget": 2048}} if thinks else {}
    request = ModelRequest(vendor.model, told, tools=(Tool("demo__find", "Finds", {}),), system="Be kind.", **more)
    body = vendor.encode(request)
    assert vendor.objection(body) == ""
    assert told == kept, "encoding changed what is stored"
    assert vendor.encode(request) == body, "the same conversation was sent in two ways"


@ONE_OF_EVERYONE
@settings(max_examples=50, deadline=None)
@given(history=histories)
def test_what_the_user_said_is_never_lost(vendor: Vendor, history: list[Message]) -> None:
    said = [Text(f"question {number}") for number in range(len(history))]
    asked = [message if message.role != "user" else Message("user", (text,)) for message, text in zip(history, said, strict=True)]
    body = str(vendor.encode(ModelRequest(vendor.model, (*asked, user("And now?")))))
    assert all(message.text in body for message in asked if message.role == "user")
