"""The core of the provider contract against aimock, which nobody here wrote: what a provider reads is what the fixture says."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.llm import (
    AuthenticationFailed,
    FinishReason,
    InvalidRequest,
    Media,
    Message,
    ModelNotFound,
    ModelRequest,
    Overloaded,
    PermissionDenied,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    Reasoning,
    StreamInterrupted,
    Text,
    TextDelta,
    Thinking,
    Timeouts,
    ToolResult,
)
from tests.aimock.server import Aimock, fixture
from tests.llmconfig.providers.contract import collected, failure_of
from tests.llmconfig.vendors import ONE_OF_EVERYONE, VENDORS, Vendor
from tests.llmconfig.wire.streams import TOOLS, user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from llmconfig.llm import Accumulator, StreamEvent
    from llmconfig.providers.base import StreamingProvider

pytestmark = [pytest.mark.xdist_group("aimock"), ONE_OF_EVERYONE]

CALLED_NAMES = {"tickets__find": "tickets__find", "crm__customer_get_14cabfcc": "crm__customer.get"}
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


@pytest.fixture(scope="module")
def aimock() -> Iterator[Aimock]:
    server = Aimock()
    server.run()
    yield server
    server.stop()


@pytest.fixture
async def provider(aimock: Aimock, vendor: Vendor) -> AsyncIterator[StreamingProvider]:
    provider = vendor.open(aimock.url + vendor.aimock)
    yield provider
    await provider.aclose()


def request(vendor: Vendor, said: str | tuple[Message, ...], **more: Any) -> ModelRequest:
    return ModelRequest(vendor.model, (user(said),) if isinstance(said, str) else said, **more)


def assert_as_told(answer: Accumulator, told: Mapping[str, Any], vendor: Vendor) -> None:
    """Text, calls, usage: as the fixture has them."""
    message = answer.message()
    content = told.get("content", "")
    assert message.text == content
    assert [(call.name, dict(call.arguments), call.malformed) for call in message.tool_calls] == [
        (CALLED_NAMES[call["name"]], call["arguments"], None) for call in told.get("toolCalls", ())
    ]
    if "usage" in told and "usage" not in vendor.unsaid:
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (
            told["usage"]["prompt_tokens"],
            told["usage"]["completion_tokens"],
        )


async def test_text(vendor: Vendor, provider: StreamingProvider) -> None:
    seen: list[StreamEvent] = []
    answer = await collected(provider, request(vendor, "Greet Alice", system="Be kind."), seen)
    assert_as_told(answer, fixture("Greet Alice"), vendor)
    assert answer.finish is not None
    assert answer.finish.reason is FinishReason.STOP
    assert sum(isinstance(event, TextDelta) for event in seen) > 5, "the answer came in one piece"


async def test_two_calls_and_their_results(vendor: Vendor, provider: StreamingProvider) -> None:
    question = user("Who is customer 7?")
    answer = await collected(provider, request(vendor, (question,), tools=TOOLS))
    assert_as_told(answer, fixture("Who is customer 7"), vendor)
    assert answer.finish is not None
    assert answer.finish.reason is FinishReason.TOOL_CALLS
    asked = answer.message()
    first, second = asked.tool_calls
    found, broken = ToolResult(first.id, (Text("Alice"),)), ToolResult(second.id, (Text("Timeout"),), is_error=True)
    again = await collected(provider, request(vendor, (question, asked, Message("tool", (broken, found))), tools=TOOLS))
    assert again.message().text == "Customer 7 is Alice, and her last ticket is closed."
    assert again.finish is not None
    assert again.finish.reason is FinishReason.STOP


async def test_the_same_tool_twice(vendor: Vendor, provider: StreamingProvider) -> None:
    assert_as_told(await collected(provider, request(vendor, "Look twice", tools=TOOLS)), fixture("Look twice"), vendor)


async def test_thinking_goes_back_with_its_call(vendor: Vendor, provider: StreamingProvider) -> None:
    """aimock, too, refuses a turn of calls that begins without its signed thought while thinking is on."""
    told, question = fixture("Think about two and two"), user("Think about two and two")
    reasoning = Reasoning("low", 2048)
    asked = (await collected(provider, request(vendor, (question,), tools=TOOLS, reasoning=reasoning))).message()
    thoughts = [part.text for part in asked.parts if isinstance(part, Thinking)]
    assert thoughts == ([] if "thinking" in vendor.unsaid else [told["reasoning"]])
    results = Message("tool", tuple(ToolResult(call.id, (Text("4"),)) for call in asked.tool_calls))
    answer = await collected(provider, request(vendor, (question, asked, results), tools=TOOLS, reasoning=reasoning))
    assert answer.message().text == "Four."


async def test_an_answer_as_json(vendor: Vendor, provider: StreamingProvider) -> None:
    schema = {"type": "object", "properties": {"customer": {"type": "string"}}, "required": ["customer"]}
    answer = await collected(provider, request(vendor, "As JSON", output_schema=schema))
    assert json.loads(answer.message().text) == fixture("As JSON")["content"]


async def test_an_answer_cut_by_its_limit(vendor: Vendor, provider: StreamingProvider) -> None:
    answer = await collected(provider, request(vendor, "Go on for ever"))
    assert answer.message().text == "And then and then"
    assert answer.finish is not None
    assert answer.finish.reason is (FinishReason.STOP if "finish" in vendor.unsaid else FinishReason.LENGTH)


async def test_an_image_with_the_question(vendor: Vendor, provider: StreamingProvider) -> None:
    shown = Message("user", (Media("image", "image/png", PIXEL), Text("Greet Alice")))
    assert_as_told(await collected(provider, request(vendor, (shown,))), fixture("Greet Alice"), vendor)


async def test_a_history_of_every_other_vendor(aimock: Aimock, vendor: Vendor, provider: StreamingProvider) -> None:
    """Each vendor in turn made the calls of one turn; this one answers at last."""
    history: list[Message] = []
    for other in VENDORS:
        asking = other.open(aimock.url + other.aimock)
        history.append(user("Think about two and two"))
        history.append((await collected(asking, request(other, tuple(history), tools=TOOLS, reasoning=Reasoning("low", 2048)))).message())
        history.append(Message("tool", tuple(ToolResult(call.id, (Text("4"),)) for call in history[-1].tool_calls)))
        history.append((await collected(asking, request(other, tuple(history), tools=TOOLS, reasoning=Reasoning("low", 2048)))).message())
        await asking.aclose()
    answer = await collected(provider, request(vendor, (*history, user("Greet Alice")), tools=TOOLS))
    assert_as_told(answer, fixture("Greet Alice"), vendor)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, InvalidRequest),
        (401, AuthenticationFailed),
        (403, PermissionDenied),
        (404, ModelNotFound),
        (429, RateLimited),
        (500, Overloaded),
        (503, Overloaded),
    ],
)
async def test_statuses(vendor: Vendor, provider: StreamingProvider, status: int, expected: type[ProviderError]) -> None:
    error = await failure_of(collected(provider, request(vendor, f"Fail with {status}")))
    assert type(error) is expected
    assert error.status == status
    assert fixture(f"Fail with {status}")["error"]["message"] in error.detail
    assert error.retry_after == (7 if status == 429 else None)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Break off", (StreamInterrupted,)),
        ("Hang up", (StreamInterrupted, ProviderUnavailable)),
        ("Drop it", (Overloaded,)),
        ("Talk nonsense", (ProviderUnavailable, StreamInterrupted)),
        ("Limit me", (RateLimited,)),
    ],
)
async def test_disturbances(vendor: Vendor, provider: StreamingProvider, said: str, expected: tuple[type[ProviderError], ...]) -> None:
    assert type(await failure_of(collected(provider, request(vendor, said)))) in expected


async def test_a_server_that_takes_its_time(aimock: Aimock, vendor: Vendor) -> None:
    hasty = vendor.open(aimock.url + vendor.aimock, Timeouts(connect=2, first_token=0.2, idle=0.2))
    assert type(await failure_of(collected(hasty, request(vendor, "Take your time")))) is ProviderTimeout
    await hasty.aclose()
