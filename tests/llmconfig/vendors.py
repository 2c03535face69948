"""The vendors whose wires differ, one row each: what is proven of all at once is proven over this table, or over that of the dialects."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count
from typing import TYPE_CHECKING

import pytest

from llmconfig.llm import Accumulator, Credentials, ModelRequest, Secret, Timeouts
from llmconfig.net import EgressPolicy
from llmconfig.providers.anthropic import AnthropicProvider
from llmconfig.providers.azure_openai import AzureOpenAIProvider
from llmconfig.providers.chat import ChatProvider
from llmconfig.providers.gemini import GeminiProvider
from llmconfig.providers.ollama import OllamaProvider
from llmconfig.providers.openai import OpenAIProvider
from llmconfig.providers.openai_compatible import OpenAICompatibleProvider
from llmconfig.registry import all_providers
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.azure import FakeAzure
from tests.fakes.gemini import FakeGemini
from tests.fakes.ollama import FakeOllama
from tests.fakes.openai import FakeOpenAI
from tests.fakes.script import Recorded
from tests.fakes.strict import anthropic, chat, gemini, mistral, ollama, responses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from llmconfig.llm import Message
    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.script import Answer
    from tests.fakes.server import FakeVendor

KEY = "sk-alice-0123456789abcdefghij"


@dataclass(frozen=True)
class Vendor:
    """model: one that thinks, and that the fake lists. rules: `objection` of its module in `tests.fakes.strict`.

    aimock: the path of this vendor's base URL at aimock. unsaid: what aimock leaves out on this wire, of `usage`, `finish` and `thinking`.
    """

    provider: type[StreamingProvider]
    fake: type[FakeVendor]
    model: str
    rules: Callable[[Mapping[str, Any]], str]
    aimock: str = ""
    unsaid: frozenset[str] = frozenset()
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def wire(self) -> str:
        return self.provider.wire

    @property
    def name(self) -> str:
        return "-".join((self.provider.slug, *map(str, self.options.values())))

    def objection(self, body: Mapping[str, Any]) -> str:
        """What the vendor would refuse this body for, in its words; else ""."""
        return self.rules({"model": self.model, **body})

    def encode(self, request: ModelRequest) -> dict[str, Any]:
        request = replace(request, options={**self.options, **request.options})
        return self.provider.codec.encode(request, provider=self.provider.slug)

    def stream(self, answer: Answer, number: int = 1) -> tuple[bytes, ...]:
        """The events that the vendor sends for this answer; its number goes into its ids."""
        return _streams(self)(answer, number)

    def said(self, answer: Answer, number: int = 0) -> Message:
        """This answer as routekit reads and keeps it. number: 0 counts on."""
        asked = ModelRequest(self.model, (), options=self.options)
        decoder = self.provider.codec.Decoder(asked, provider=self.provider.slug, label=self.provider.label)
        fold = Accumulator(provider=self.provider.slug, model=self.model, new_id=lambda: f"id-{next(_numbers)}")
        for event in [
            *(event for piece in self.stream(answer, number or next(_numbers)) for event in decoder.feed(piece)),
            *decoder.flush(),
        ]:
            fold.add(event)
        decoder.close()
        return fold.message()

    def open(self, base_url: str, timeouts: Timeouts = Timeouts()) -> StreamingProvider:  # noqa: B008  a frozen value
        policy = EgressPolicy(frozenset({"127.0.0.1:*"}))
        credentials = Credentials(base_url, {"api_key": Secret(KEY)}, self.options)
        return self.provider(credentials, egress=policy, timeouts=timeouts)


_numbers = count(1)


@cache
def _streams(vendor: Vendor) -> Callable[[Answer, int], tuple[bytes, ...]]:
    with vendor.fake() as fake:
        pass  # it need not serve to say what it would send

    def stream(answer: Answer, number: int) -> tuple[bytes, ...]:
        chats = vendor.rules in (chat.objection, mistral.objection)  # where a vendor has both paths, these go by it
        path = "/chat/completions" if chats else f"/models/{vendor.model}{vendor.provider.answer_path}"  # some name the model there
        asked = Recorded("POST", path, {}, {"model": vendor.model, "stream_options": {"include_usage": True}})
        fake.requests[:] = [asked] * number
        return tuple(fake.frames(answer, asked))

    return stream


ANTHROPIC = Vendor(AnthropicProvider, FakeAnthropic, "claude-sonnet-4-5", anthropic.objection)
OPENAI = Vendor(OpenAIProvider, FakeOpenAI, "gpt-5.4", responses.objection, "/v1")
COMPATIBLE = Vendor(OpenAICompatibleProvider, FakeOpenAI, "gpt-5.4", chat.objection, "/v1")
GEMINI = Vendor(GeminiProvider, FakeGemini, "gemini-3-flash-preview", gemini.objection)
OLLAMA = Vendor(OllamaProvider, FakeOllama, "qwen3:8b", ollama.objection, unsaid=frozenset({"usage", "finish", "thinking"}))

VENDORS = (ANTHROPIC, GEMINI, OPENAI, COMPATIBLE, OLLAMA)
EACH_VENDOR = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.wire)

AZURE = tuple(
    Vendor(AzureOpenAIProvider, FakeAzure, "gpt-5.4", rules, options={"api_style": style, **version})
    for style, rules, version in (
        ("v1", responses.objection, {}),
        ("v1_chat", chat.objection, {}),
        ("classic", chat.objection, {"api_version": "2024-10-21"}),
    )
)
_RULES = {"mistral": mistral.objection}
_AIMOCK = {"openrouter": "/api/v1"}
_UNSAID = {"mistral": frozenset({"usage"})}  # which it refuses to be asked for, and sends all the same; aimock does not
PRESETS = tuple(
    Vendor(
        provider,
        FakeOpenAI,
        "gpt-5.4",
        _RULES.get(provider.slug, chat.objection),
        _AIMOCK.get(provider.slug, "/v1"),
        _UNSAID.get(provider.slug, frozenset()),
    )
    for provider in all_providers()
    if issubclass(provider, ChatProvider) and provider is not OpenAICompatibleProvider
)
"""The imitators of Chat Completions, as the registry finds them: a new one joins by itself."""
EVERYONE = (*VENDORS, *AZURE, *PRESETS)
ONE_OF_EVERYONE = pytest.mark.parametrize("vendor", EVERYONE, ids=lambda vendor: vendor.name)
