"""The order every vendor with an SDK shares: build the request → send it through the SDK → decode its raw bytes by wire → map errors.

The official SDK builds, authenticates and sends; its objects are not used, since decoding the raw stream ourselves costs a
tenth of the CPU and leaves unknown fields intact. A vendor's file says what differs.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar
from urllib.parse import quote, urlsplit

from llmconfig import net
from llmconfig.llm import (
    Finished,
    InvalidRequest,
    Message,
    ModelInfo,
    ModelNotFound,
    ModelRequest,
    Provider,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    Text,
    Timeouts,
    UsageReported,
)
from llmconfig.net import EgressPolicy
from llmconfig.providers.bodies import Document, is_a, read_document, stream_or_document
from llmconfig.providers.failures import describe, key_problem, scrubbed
from llmconfig.providers.patience import Patience
from llmconfig.wire.decoding import objects, text_of
from llmconfig.wire.errors import error_event

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence

    import httpx2

    from llmconfig.llm import Credentials, StreamEvent
    from llmconfig.providers.codec import Decoder, Wire

T = TypeVar("T")
Piece: TypeAlias = "bytes | Document | None"
"""Of the body of an answer; None at its end."""

LAST_BYTES_S = 0.25
"""How long the end of the body may take after the terminal event; a connection that ends in time is used again."""
TAIL_S = 5.0
"""How long usage and the terminal event may take after the last word of the answer, which does not depend on them."""


class SDKProvider(Provider):
    """answer_path and models_path are relative to the base URL, as the SDK joins them. The SDK is imported on construction."""

    sdk: ClassVar[str]
    answer_path: ClassVar[str]
    models_path: ClassVar[str]
    codec: ClassVar[Wire]

    def __init__(self, credentials: Credentials, *, egress: EgressPolicy = EgressPolicy(), timeouts: Timeouts = Timeouts()) -> None:  # noqa: B008  frozen values
        self._key, self._timeouts = credentials.api_key, timeouts
        self._options = dict(credentials.options)
        self.base_url = credentials.base_url or self.default_base_url
        self._sdk: Any = import_module(self.sdk)
        self._http = net.build_client(egress, timeouts=timeouts)
        self._client: Any = self._connect(self._http)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url}>"

    @classmethod
    def preload(cls) -> None:
        import_module(cls.sdk)

    @abstractmethod
    def _connect(self, http: httpx2.AsyncClient) -> Any:
        """The SDK's async client: key and base URL passed, no retries, nothing taken from the environment."""

    @abstractmethod
    def _model_info(self, row: Mapping[str, Any]) -> ModelInfo | None:
        """One row of the provider's model list, its `id` a text; None for what cannot chat."""

    def _call_options(self) -> dict[str, Any]:
        """What the SDK is told with each call besides its body."""
        return {}

    def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        return self._stream(self._completed(request))

    async def list_models(self) -> Sequence[ModelInfo]:
        return self._listed(await self._get_json(self.models_path))

    async def check(self, model: str = "") -> Sequence[ModelInfo]:
        return await self._including(model, await self.list_models())

    async def aclose(self) -> None:
        await self._http.aclose()

    def _listed(self, page: Mapping[str, Any]) -> list[ModelInfo]:
        if not isinstance(page.get("data"), list):
            raise self._not_an_api()
        found = (self._model_info(row) for row in objects(page["data"]) if text_of(row.get("id")))
        return [info for info in found if info is not None]

    async def _including(self, model: str, listed: Sequence[ModelInfo]) -> Sequence[ModelInfo]:
        """The list, with `model` looked up by name where the list leaves it out: an alias, or a kind that we filter."""
        if not model or any(info.id == model for info in listed):
            return listed
        try:
            await self._get_json(f"{self.models_path}/{quote(model, safe=':@/')}")
        except (ModelNotFound, InvalidRequest) as error:
            missing = ModelNotFound(f"{self.label} lists no model {model!r} for this key.", status=error.status)
        else:
            return [*listed, ModelInfo(model)]
        raise missing

    async def _try_out(self, model: str) -> ModelInfo:
        """Ask the model for one token: for servers that list nothing."""
        answer = self._stream(ModelRequest(model, (Message("user", (Text("Hi"),)),), max_output_tokens=16))
        async for _ in answer:
            pass
        return ModelInfo(model)

    # One answer

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent, None]:
        decoder = self.codec.Decoder(request, provider=self.slug, label=self.label)
        clock = asyncio.get_running_loop().time
        due = clock() + self._timeouts.first_token
        waiting, whole, ended = True, False, False
        response = await self._send(self.codec.encode(request, provider=self.slug))
        patience = Patience()
        try:
            chunks: AsyncIterator[bytes | Document] = response.aiter_bytes()
            if is_a("application/json", response):
                chunks = stream_or_document(response.aiter_bytes())
            while True:
                chunk = await self._next_chunk(patience.wait(anext(chunks, None), due - clock()), whole=whole, waiting=waiting)
                spoke = False
                for event in self._decoded(partial(self._events, decoder, chunk)):
                    spoke = spoke or not isinstance(event, UsageReported)
                    ended = ended or isinstance(event, Finished)
                    yield event
                if chunk is None:
                    break
                waiting, over, whole = waiting and not spoke, whole, decoder.is_whole
                if spoke or whole != over or not (waiting or whole):  # a sign of life only counts between pieces of the answer
                    due = clock() + (LAST_BYTES_S if ended else TAIL_S if whole else self._timeouts.idle)
            self._decoded(decoder.close)
        finally:
            patience.close()
            await response.aclose()

    async def _next_chunk(self, arriving: Awaitable[Piece], *, whole: bool, waiting: bool) -> Piece:
        """None at the end of the body. Past the last word of its answer a stream cannot fail any more."""
        try:
            return await arriving
        except Exception as error:
            if whole:
                return None
            seconds = self._timeouts.first_token if waiting else self._timeouts.idle
            failure = self._silence(seconds) if isinstance(error, TimeoutError) else self._failure(error, streaming=True)
            if failure is None:
                raise
        raise failure

    def _events(self, decoder: Decoder, piece: Piece) -> list[StreamEvent]:
        if isinstance(piece, bytes):
            return decoder.feed(piece)
        if piece is None:
            return decoder.flush()
        answer = piece.value if isinstance(piece.value, dict) else {}
        if answer.get("error") or answer.get("object") == "error":  # vLLM's older form
            raise error_event(answer, label=self.label)
        events = decoder.document(answer)
        if not events:
            raise self._not_an_api()
        return events

    def _decoded(self, decode: Callable[[], T]) -> T:
        try:
            return decode()
        except ProviderError as error:
            failure = scrubbed(error, self._key)
        raise failure

    async def _send(self, body: dict[str, Any]) -> httpx2.Response:
        how = {"options": self._call_options(), "stream": True, "stream_cls": self._sdk.AsyncStream[Any]}
        call = self._client.post(self.answer_path, cast_to=_response_type(), body=body, **how)
        response: httpx2.Response = await self._guarded(call, self._timeouts.first_token)
        if is_a("text/html", response):
            await response.aclose()
            raise self._not_an_api()
        return response

    async def _get_json(self, path: str) -> dict[str, Any]:
        value = await self._guarded(self._fetched(path), self._timeouts.idle)
        if not isinstance(value, dict):
            raise self._not_an_api()
        return value

    async def _fetched(self, path: str) -> object:
        how = {"options": self._call_options(), "stream": True, "stream_cls": self._sdk.AsyncStream[Any]}
        return await read_document(await self._client.get(path, cast_to=_response_type(), **how))

    # What went wrong

    async def _guarded(self, call: Coroutine[Any, Any, T], patience: float) -> T:
        problem = key_problem(self._key, self.label)
        if problem is not None:
            call.close()
            raise problem
        try:
            async with asyncio.timeout(patience):
                return await call
        except Exception as error:
            failure = self._silence(patience) if isinstance(error, TimeoutError) else self._failure(error)
            if failure is None:
                raise
        # Raised here, and not where it was caught: the SDK's exception carries the request, and the request the key.
        raise failure

    def _failure(self, error: Exception, *, streaming: bool = False) -> ProviderError | None:
        """The kernel's error for whatever the SDK, the transport or the decoder raised; None for a bug of ours."""
        status_error: type[Exception] = self._sdk.APIStatusError
        if isinstance(error, status_error):
            answer: httpx2.Response = error.response  # type: ignore[attr-defined]
            body = answer.content if answer.is_stream_consumed else b""
            mapped: ProviderError | None = self.codec.error_from(answer.status_code, body, answer.headers, label=self.label)
        else:
            mapped = describe(error, host=self._host, label=self.label, streaming=streaming)
        return mapped and scrubbed(mapped, self._key)

    def _silence(self, seconds: float) -> ProviderTimeout:
        return ProviderTimeout(f"{self.label} sent nothing for {seconds:g} s.")

    def _not_an_api(self) -> ProviderUnavailable:
        return ProviderUnavailable(f"{self._host} answered, but not as {self.label}'s API does.")

    @property
    def _host(self) -> str:
        return urlsplit(self.base_url).netloc

    def _completed(self, request: ModelRequest) -> ModelRequest:
        """The request with the config's own options beneath it, and its limit where the wires look for it."""
        options = {**self._options, **request.options}
        return replace(request, options=options, max_output_tokens=request.max_output_tokens or options.get("max_output_tokens"))


def _response_type() -> type[httpx2.Response]:
    return import_module("httpx2").Response  # type: ignore[no-any-return]
