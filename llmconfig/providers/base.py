"""The order every vendor shares: fit the request → encode it by wire → send it → decode its raw bytes by wire → map errors.

How it is sent is `sdk`'s or `plain`'s. A vendor's file says what differs.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar
from urllib.parse import urlsplit, urlunsplit

from llmconfig import net
from llmconfig.llm import (
    Finished,
    LimitsReported,
    Message,
    ModelInfo,
    ModelRequest,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    Text,
    Timeouts,
    UsageReported,
)
from llmconfig.net import EgressPolicy
from llmconfig.providers.bodies import Document, is_a, read_document, stream_or_document
from llmconfig.providers.failures import describe, key_problem, scrubbed, without
from llmconfig.providers.listing import ListingProvider
from llmconfig.providers.patience import Patience
from llmconfig.wire.decoding import count
from llmconfig.wire.errors import error_event, refuses_seals
from llmconfig.wire.history import unsealed
from llmconfig.wire.limits import limits_from
from llmconfig.wire.reasoning import reasoning_of
from llmconfig.wire.structured import as_text, by_tool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence

    import httpx2

    from llmconfig.llm import Credentials, JSONObject, StreamEvent
    from llmconfig.providers.codec import Decoder, Wire
    from llmconfig.providers.uploads import Uploads

T = TypeVar("T")
Piece: TypeAlias = "bytes | Document | None"
"""Of the body of an answer; None at its end."""

LAST_BYTES_S = 0.25
"""How long the end of the body may take after the terminal event; a connection that ends in time is used again."""
TAIL_S = 5.0
"""How long usage and the terminal event may take after the last word of the answer, which does not depend on them."""


class StreamingProvider(ListingProvider):
    """answer_path is relative to the base URL. A client of the guarded factory is its own, and all it sends goes by it."""

    answer_path: ClassVar[str]
    endpoints: ClassVar[Sequence[str]] = ()
    """Endings of a base URL that are none of it."""
    codec: ClassVar[Wire]

    def __init__(self, credentials: Credentials, *, egress: EgressPolicy = EgressPolicy(), timeouts: Timeouts = Timeouts()) -> None:  # noqa: B008  frozen values
        self._key, self._timeouts = credentials.api_key, timeouts
        self._secrets = dict(credentials.secrets)  # and a token that one of them was exchanged for: what no error may quote
        self._options = dict(credentials.options)
        self.base_url = self._base_of(credentials.base_url or self.default_base_url)
        self._http = net.build_client(egress, timeouts=timeouts)
        self._uploads: Uploads | None = None

    @classmethod
    def _base_of(cls, pasted: str) -> str:
        """The base URL of an address as people paste it: the vendor's pages often show that of an endpoint."""
        parts = urlsplit(pasted)
        path = parts.path.rstrip("/")
        for endpoint in cls.endpoints:
            path = path.removesuffix(endpoint)
        return urlunsplit((parts.scheme, parts.netloc, path.rstrip("/"), "", ""))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url}>"

    @abstractmethod
    async def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx2.Response:
        """Send, and answer with a response of a status below 300 whose body is still to be read. Else raises what `_refusal` can read."""

    @abstractmethod
    def _refusal(self, error: Exception) -> httpx2.Response | None:
        """The vendor's answer with an error status that `error` carries, or None where it carries none."""

    def _answer_path(self, request: ModelRequest) -> str:
        """Where this request's answer comes from; a vendor may name the model there."""
        return self.answer_path

    async def _prepared(self, request: ModelRequest) -> ModelRequest:
        """Before it is encoded: large media are uploaded here where the provider has a place for them. Raises a `ProviderError`."""
        return request if self._uploads is None else await self._uploads.placed(request)

    def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        request = self._completed(request)
        if request.output_schema is not None and not self._answers_by(request.output_schema, request):
            return as_text(self._stream(by_tool(request)))
        return self._stream(request)

    def _answers_by(self, schema: JSONObject, request: ModelRequest) -> bool:
        """Whether the wire can ask this model for an answer by this schema; else it is asked for by a tool."""
        if request.native_schema is not None:
            return request.native_schema
        return self.capabilities_of(self.underlying_model(request.model, request.options)).structured_output

    async def aclose(self) -> None:
        if self._uploads is not None:
            await self._uploads.aclose()
        await self._http.aclose()

    async def _input_tokens(self, request: ModelRequest, path: str, fields: frozenset[str]) -> int | None:
        """For vendors that count a body like that of an answer, of which only these fields are taken."""
        body = self.codec.encode(await self._prepared(self._completed(request)), provider=self.slug)
        told = await self._json("POST", path, {name: value for name, value in body.items() if name in fields})
        return count(told.get("input_tokens"))

    async def _try_out(self, model: str, *, max_output_tokens: int = 16) -> ModelInfo:
        """Ask the model for a word: for servers that list nothing."""
        answer = self.stream(ModelRequest(model, (Message("user", (Text("Hi"),)),), max_output_tokens=max_output_tokens))
        async for _ in answer:
            pass
        return ModelInfo(model)

    # One answer

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent, None]:
        request = await self._prepared(request)
        decoder = self.codec.Decoder(request, provider=self.slug, label=self.label)
        clock = asyncio.get_running_loop().time
        due = clock() + self._timeouts.first_token
        waiting, whole, ended = True, False, False
        response = await self._sent(request)
        patience = Patience()
        try:
            if (limits := limits_from(response.headers)) is not None:
                yield LimitsReported(limits)
            chunks: AsyncIterator[bytes | Document] = response.aiter_bytes()
            if is_a("application/json", response) or is_a("text/html", response):
                chunks = self._unwrapped(response.aiter_bytes())
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
                elif waiting and decoder.has_begun:  # or while it thinks: Claude's pings, OpenAI's keepalives (AntigmaLabs/ante#187)
                    due = max(due, clock() + min(self._timeouts.idle, self._timeouts.first_token))
            self._decoded(decoder.close)
        finally:
            patience.close()
            await response.aclose()

    def _unwrapped(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes | Document]:
        """The pieces of an answer that goes by the name of JSON or of a page, which some frameworks give to whatever has no other."""
        return stream_or_document(chunks)

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
            failure = scrubbed(error, *self._secrets.values())
        raise failure

    async def _sent(self, request: ModelRequest) -> httpx2.Response:
        """Once more where the provider, or this account there, does not know what it gave earlier: an upload, or a seal on reasoning."""
        try:
            return await self._send(request)
        except ProviderError as error:
            lost = self._uploads is not None and self._uploads.lost(request, error)
            sealed = refuses_seals(error)
            if not lost and not sealed:
                raise
        if sealed:
            request = replace(request, messages=unsealed(request.messages))
        return await self._send(await self._prepared(request) if lost else request)

    async def _send(self, request: ModelRequest) -> httpx2.Response:
        body = self.codec.encode(request, provider=self.slug)
        return await self._guarded(self._request("POST", self._answer_path(request), body), self._timeouts.first_token)

    async def _get_json(self, path: str) -> dict[str, Any]:
        return await self._json("GET", path)

    async def _json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The document that answers; raises a `ProviderError`, also for what is no JSON object."""
        value = await self._guarded(self._fetched(method, path, body), self._timeouts.idle)
        if not isinstance(value, dict):
            raise self._not_an_api()
        return value

    async def _fetched(self, method: str, path: str, body: Mapping[str, Any] | None) -> object:
        return await read_document(await self._request(method, path, body))

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
        answer = self._refusal(error)
        if answer is not None:
            body = without(self._secrets.values(), answer.content) if answer.is_stream_consumed else b""
            mapped: ProviderError | None = self.codec.error_from(answer.status_code, body, answer.headers, label=self.label)
        else:
            mapped = describe(error, host=self._host, label=self.label, streaming=streaming)
        return mapped and scrubbed(mapped, *self._secrets.values())

    def _silence(self, seconds: float) -> ProviderTimeout:
        return ProviderTimeout(f"{self.label} sent nothing for {seconds:g} s.")

    def _not_an_api(self) -> ProviderUnavailable:
        return ProviderUnavailable(f"{self._host} answered, but not as {self.label}'s API does.")

    @property
    def _host(self) -> str:
        return urlsplit(self.base_url).netloc

    def _completed(self, request: ModelRequest) -> ModelRequest:
        """The request with the config's own options beneath it, and its limit and reasoning where the wires look for them."""
        options = {**self._options, **request.options}
        return replace(
            request,
            options=options,
            max_output_tokens=request.max_output_tokens or options.get("max_output_tokens"),
            reasoning=request.reasoning or reasoning_of(options),
        )
