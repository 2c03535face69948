"""DeepSeek: thinking, its switch, and its way back with the calls that followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.llm import Message, Text, Tool, ToolResult
from llmconfig.providers.deepseek import DeepSeekProvider
from tests.fakes.chat import FakeChat
from tests.fakes.script import Answer, Call
from tests.llmconfig.providers.contract import collected
from tests.llmconfig.providers.presets import PresetContract

if TYPE_CHECKING:
    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.server import FakeVendor

LOOK = Tool("look", "Looks", {"type": "object"})


class FakeDeepSeek(FakeChat):
    prefix = ""


class TestDeepSeek(PresetContract):
    provider_class = DeepSeekProvider
    fake_class = FakeDeepSeek

    @pytest.mark.parametrize(
        ("options", "asked"),
        [
            ({}, {}),
            ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
            ({"thinking_budget": 0}, {"thinking": {"type": "disabled"}}),
            ({"reasoning_effort": "max"}, {"thinking": {"type": "enabled"}, "reasoning_effort": "max"}),
            ({"thinking_budget": 2000}, {"thinking": {"type": "enabled"}, "reasoning_effort": "low"}),
        ],
    )
    async def test_the_switch_of_thinking(
        self, fake: FakeVendor, provider: StreamingProvider, options: dict[str, Any], asked: dict[str, Any]
    ) -> None:
        assert await self.reasoning(fake, provider, **options) == asked

    async def test_thinking_goes_back_with_its_calls(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        """400 “The reasoning_content in the thinking mode must be passed back to the API.” (anomalyco/opencode#24722)"""
        fake.script(Answer("", thinking="let me see", calls=[Call("look")]))
        first = (await collected(provider, self.request(fake, tools=(LOOK,)))).message()
        result = Message("tool", (ToolResult(first.tool_calls[0].id, (Text("seen"),)),))
        body = await self.sent(fake, provider, Message("user", (Text("Hi"),)), first, result, tools=(LOOK,))
        assert body["messages"][1]["reasoning_content"] == "let me see"
