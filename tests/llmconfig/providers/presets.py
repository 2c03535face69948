"""The contract for the vendors that imitate Chat Completions. One client stands behind all: many answers at once are tried elsewhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llmconfig.llm import Message, ModelRequest, Text
from llmconfig.wire.reasoning import reasoning_of
from tests.fakes.chat import FakeChat
from tests.fakes.script import Failure
from tests.llmconfig.providers.contract import ProviderContract, collected

if TYPE_CHECKING:
    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.server import FakeVendor


class PresetContract(ProviderContract):
    fake_class = FakeChat
    in_band = {"code": 503, "message": "Server overloaded", "type": "server_error"}
    quota = Failure(402, {"error": {"message": "Insufficient Balance"}})
    test_two_hundred_answers_at_once = None

    async def sent(self, fake: FakeVendor, provider: StreamingProvider, *history: Message, **more: Any) -> dict[str, Any]:
        """The body of a request with these options."""
        request = ModelRequest(fake.models[0], history or (Message("user", (Text("Hi"),)),), **more)
        await collected(provider, request)
        body = fake.calls[-1].body
        assert body is not None
        assert json.dumps(body)
        return body

    async def reasoning(self, fake: FakeVendor, provider: StreamingProvider, **options: Any) -> dict[str, Any]:
        """What a config's `reasoning_effort` or `thinking_budget` becomes."""
        common = {"model", "messages", "stream", "stream_options"}
        body = await self.sent(fake, provider, reasoning=reasoning_of(options))
        return {name: value for name, value in body.items() if name not in common}
