"""The vendors' own SDKs, each as a person would use it: what routekit is measured against. A wire joins by one row of SDKS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.llmconfig.vendors import KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Ask = Callable[[Any, str], AsyncIterator[Any]]
    Open = Callable[[str, Any], Any]

QUESTION = "Hi"


def open_anthropic(base_url: str, http: Any = None) -> Any:
    from anthropic import AsyncAnthropic

    return AsyncAnthropic(api_key=KEY, base_url=base_url, http_client=http, max_retries=0)


async def ask_anthropic(client: Any, model: str) -> AsyncIterator[Any]:
    messages = [{"role": "user", "content": QUESTION}]
    async for event in await client.messages.create(model=model, max_tokens=1024, messages=messages, stream=True):
        yield event


def open_openai(base_url: str, http: Any = None) -> Any:
    from openai import AsyncOpenAI

    return AsyncOpenAI(api_key=KEY, base_url=base_url, http_client=http, max_retries=0)


async def ask_responses(client: Any, model: str) -> AsyncIterator[Any]:
    async for event in await client.responses.create(model=model, input=QUESTION, stream=True):
        yield event


async def ask_chat(client: Any, model: str) -> AsyncIterator[Any]:
    messages = [{"role": "user", "content": QUESTION}]
    options = {"include_usage": True}
    async for event in await client.chat.completions.create(model=model, messages=messages, stream=True, stream_options=options):
        yield event


def open_gemini(base_url: str, http: Any = None) -> Any:
    import httpx2
    from google.genai import Client
    from google.genai.types import HttpOptions

    http = http or httpx2.AsyncClient()  # otherwise it takes aiohttp where that is installed
    return Client(api_key=KEY, http_options=HttpOptions(base_url=base_url, api_version="v1beta", httpx_async_client=http))


async def ask_gemini(client: Any, model: str) -> AsyncIterator[Any]:
    async for chunk in await client.aio.models.generate_content_stream(model=model, contents=QUESTION):
        yield chunk


def open_ollama(base_url: str, http: Any = None) -> Any:
    """Its client builds its own, of another HTTP library; `http` is that library's transport."""
    from ollama import AsyncClient

    return AsyncClient(base_url, **({"transport": http} if http else {}))


async def ask_ollama(client: Any, model: str) -> AsyncIterator[Any]:
    async for part in await client.chat(model=model, messages=[{"role": "user", "content": QUESTION}], stream=True):
        yield part


async def close(client: Any) -> None:
    await (client.aio.aclose() if hasattr(client, "aio") else client.close())


SDKS: dict[str, tuple[Open, Ask]] = {
    "anthropic_messages": (open_anthropic, ask_anthropic),
    "openai_responses": (open_openai, ask_responses),
    "openai_chat": (open_openai, ask_chat),
    "gemini": (open_gemini, ask_gemini),
    "ollama": (open_ollama, ask_ollama),
}
