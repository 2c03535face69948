"""A conversation that changes its vendor again and again, with thinking and tools, is refused by none; the fakes refuse as vendors do."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from itertools import cycle, islice, pairwise
from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.llm import InvalidRequest, Message, ModelRequest, Text, Tool, ToolCall, ToolResult
from tests.fakes.script import Answer, Call, Failure
from tests.llmconfig.providers.contract import collected
from tests.llmconfig.vendors import ANTHROPIC, GEMINI, OPENAI, VENDORS
from tests.llmconfig.wire.streams import user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.server import FakeVendor
    from tests.llmconfig.vendors import Vendor

TOOLS = (
    Tool("demo__find", "Finds.", {"type": "object", "properties": {"query": {"type": "string"}}}),
    Tool("crm__customer.get_" + "by_number_" * 8, "Reads a customer.", {"type": "object"}),
)
THINKING = {"thinking_budget": 2048}
ROUND = tuple(islice(cycle(VENDORS), len(VENDORS) + 1))
"""Each vendor once, and back to the first."""


class Conversation:
    """One history, and every vendor at hand to go on with it."""

    def __init__(self) -> None:
        self.history: list[Message] = []
        self.fakes: dict[Vendor, FakeVendor] = {}
        self.providers: dict[Vendor, StreamingProvider] = {}
        self.thoughts = 0

    async def ask(self, vendor: Vendor) -> None:
        self.history.append(user(f"Question {len(self.history)}"))
        names = [tool["name"] for tool in _offered(vendor)]
        await self._answer(vendor, "Let me look.", [Call(names[0], {"query": "Grüße"}), Call(names[1], {}), Call(names[0], {"query": "b"})])
        self.history.append(self._results())

    async def go_on(self, vendor: Vendor) -> None:
        await self._answer(vendor, "There it is.", [])

    async def _answer(self, vendor: Vendor, text: str, calls: Sequence[Call]) -> None:
        self.thoughts += 1
        self.fakes[vendor].script(Answer(text, thinking=f"Thought number {self.thoughts}", calls=calls))
        request = ModelRequest(vendor.model, tuple(self.history), system="Be kind.", tools=TOOLS, options=THINKING)
        message = (await collected(self.providers[vendor], request)).message()
        assert_own_seals_come_back(vendor, json.dumps(self.fakes[vendor].calls[-1].body), self.history)
        assert len(message.tool_calls) == len(calls)
        self.history.append(_renumbered(message, len(self.history)))

    def refusals(self) -> list[str]:
        """Requests for an answer that no vendor answered, be it that another went out in their place."""
        asked = [(call, vendor.provider.answer_path.partition("?")[0]) for vendor, fake in self.fakes.items() for call in fake.calls]
        return [call.path for call, path in asked if path in call.path and call.outcome != "finished"]

    def _results(self) -> Message:
        """In the order in which tools end, which is not the order of the calls; the last one failed."""
        calls = self.history[-1].tool_calls
        results = [ToolResult(call.id, (Text(f"result of {call.id}"),), is_error=call is calls[-1]) for call in calls]
        return Message("tool", tuple(reversed(results)))


def _renumbered(message: Message, at: int) -> Message:
    """Ids as they are in use: no two calls of a conversation share one."""
    parts = [replace(part, id=f"{at}-{part.id}") if isinstance(part, ToolCall) else part for part in message.parts]
    return Message("assistant", tuple(parts))


def _offered(vendor: Vendor) -> list[dict[str, Any]]:
    """The tools under the names that the vendor was told: what its model would call."""
    body = vendor.encode(ModelRequest(vendor.model, (user("Hi"),), tools=TOOLS))
    found: list[dict[str, Any]] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "name" in value and "description" in value:
                found.append(value)
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(body.get("tools"))
    return found


@pytest.fixture
def fakes() -> Iterator[dict[Vendor, FakeVendor]]:
    with ExitStack() as running:
        yield {vendor: running.enter_context(vendor.fake()) for vendor in VENDORS}


@pytest.fixture
async def conversation(fakes: dict[Vendor, FakeVendor]) -> AsyncIterator[Conversation]:
    talk = Conversation()
    talk.fakes = fakes
    async with AsyncExitStack() as open_:
        for vendor, fake in fakes.items():
            talk.providers[vendor] = vendor.open(fake.base_url)
            open_.push_async_callback(talk.providers[vendor].aclose)
        yield talk


def assert_own_seals_come_back(vendor: Vendor, sent: str, history: Sequence[Message]) -> None:
    """What a vendor sealed, it reads again, to the byte; what others sealed, it never sees."""
    for message in history:
        for seal in _seals(message):
            assert (seal in sent) == (vendor in _makers(message)), f"{vendor.wire}: {message}"


def _makers(message: Message) -> list[Vendor]:
    tags = [part.provider_data for part in message.parts if not isinstance(part, ToolResult) and getattr(part, "provider_data", None)]
    return [vendor for vendor in VENDORS if any(tag.belongs_to(vendor.provider.slug, vendor.model) for tag in tags)]  # type: ignore[union-attr]


def _seals(message: Message) -> list[str]:
    sealed = [getattr(part, "provider_data", None) for part in message.parts]
    values = [value for data in sealed if data for key, value in data.data.items() if key != "id"]
    return [value for value in values if isinstance(value, str) and len(value) > 20]


async def test_another_vendor_at_every_turn(conversation: Conversation) -> None:
    for vendor in ROUND * 2:
        await conversation.ask(vendor)
        await conversation.go_on(vendor)
    sealing = {vendor.wire for message in conversation.history if _seals(message) for vendor in _makers(message)}
    assert sealing >= {"anthropic_messages", "openai_responses"}


async def test_another_vendor_between_a_call_and_its_result(conversation: Conversation) -> None:
    for asking, going_on in pairwise(ROUND * 2):
        await conversation.ask(asking)
        await conversation.go_on(going_on)
    assert conversation.refusals() == []


@pytest.mark.parametrize("first", VENDORS, ids=lambda vendor: vendor.wire)
@pytest.mark.parametrize("second", VENDORS, ids=lambda vendor: vendor.wire)
async def test_there_and_back_again(conversation: Conversation, first: Vendor, second: Vendor) -> None:
    """In the middle of a turn, too: thinking, calls and results of both stand in one row."""
    for vendor in (first, second, first, first, second):
        await conversation.ask(vendor)
    await conversation.go_on(first)
    await conversation.ask(second)
    await conversation.go_on(second)
    assert conversation.refusals() == []


async def test_after_an_answer_that_broke_off(conversation: Conversation) -> None:
    """What is kept of it is its text, which each vendor reads as the model's own."""
    for vendor in ROUND:
        conversation.history += [user("Tell me."), Message("assistant", (Text("It was a dark and"),)), user("Go on.")]
        await conversation.go_on(vendor)
        conversation.history += [user("Again."), user("Or not.")]
        await conversation.ask(vendor)
        await conversation.go_on(vendor)
    assert conversation.refusals() == []


def _refusal(message: str) -> Failure:
    return Failure(400, {"type": "error", "error": {"message": message, "type": "invalid_request_error", "status": "INVALID_ARGUMENT"}})


@pytest.mark.parametrize(
    ("vendor", "message"),
    [
        (ANTHROPIC, "messages.1.content.0: Invalid `signature` in `thinking` block"),
        (OPENAI, "The encrypted content gAAA...ehIc could not be verified. Reason: Encrypted content organization_id did not match."),
        (GEMINI, "Corrupted thought signature."),
        (GEMINI, "Unable to submit request because Thought signature is not valid.. Learn more: https://cloud.google.com/vertex-ai"),
    ],
)
async def test_what_another_account_has_sealed_is_left_out(conversation: Conversation, vendor: Vendor, message: str) -> None:
    """The same vendor and model behind another key: it cannot open what the first has sealed, and refuses the whole history for it."""
    await conversation.ask(vendor)
    fake = conversation.fakes[vendor]
    seals = [seal for message in conversation.history for seal in _seals(message)]
    fake.script(_refusal(message), Answer("There it is."))
    request = ModelRequest(vendor.model, (*conversation.history, user("And?")), tools=TOOLS, options=THINKING)
    assert (await collected(conversation.providers[vendor], request)).message().text == "There it is."
    refused, taken = (json.dumps(call.body) for call in fake.calls[-2:])
    assert seals
    assert all(seal in refused and seal not in taken for seal in seals)
    assert all(raw in taken for raw in _raw_ids(conversation.history))


def _raw_ids(history: Sequence[Message]) -> list[str]:
    made = [call.provider_data for message in history for call in message.tool_calls]
    return [data.data["id"] for data in made if data and "id" in data.data]


async def test_it_is_left_out_once(conversation: Conversation) -> None:
    """What is refused for its seals although it has none is refused."""
    await conversation.ask(OPENAI)
    fake = conversation.fakes[OPENAI]
    fake.script(*[_refusal("The encrypted content could not be verified.")] * 2)
    with pytest.raises(InvalidRequest, match="could not be verified"):
        await collected(conversation.providers[OPENAI], ModelRequest(OPENAI.model, (*conversation.history, user("And?")), tools=TOOLS))
    assert len(fake.calls) == 3
