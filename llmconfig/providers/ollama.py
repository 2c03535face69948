"""Ollama: a server of one's own, or ollama.com with a key.

A model's price is unknown unless an admin enters one: a machine that runs it costs something, but nobody says how much.

The context window is the one that a request gets, not the one the model was trained for. Left alone, a server with little memory
takes 4,096 tokens, which an agent's tools alone may fill. So a window is asked for, unless someone has set one: in the config
(`num_ctx`), in the model's own file, or ollama.com, which gives the whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

from llmconfig.llm import Capabilities, ContextTooLong, CredentialField, InvalidRequest, ModelInfo, ModelNotFound, ProviderError
from llmconfig.providers.bodies import lines_or_document
from llmconfig.providers.form_fields import LIMIT, TEMPERATURE
from llmconfig.providers.plain import PlainProvider
from llmconfig.wire import ollama
from llmconfig.wire.decoding import count, objects, optional_object, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from llmconfig.llm import Credentials, MediaKind, ModelRequest
    from llmconfig.providers.bodies import Document
    from llmconfig.providers.codec import Wire

DEFAULT_WINDOW: Final = 16_384
"""Tokens; about 2 GB of memory beside an 8B model. The smaller of this and what the model was trained for is asked for."""
LOOKUPS_AT_ONCE: Final = 8
MOST_LOOKUPS: Final = 500
LOOKUPS_WITHIN_S: Final = 8.0
LOOKUP_WITHIN_S: Final = 4.0
REMEMBERED_S: Final = 300.0
"""How long a client goes by what it was told of a model; someone may make the model anew under the same name."""

_SHOWN: Final = 40
_WINDOW_SET: Final = re.compile(r"^num_ctx\s+(\d{1,9})\s*$", re.MULTILINE)
_HOSTED: Final = frozenset(("ollama.com", "www.ollama.com"))
_TOO_LONG: Final = "The context window of this config's models can be set in its options."


@dataclass(frozen=True, slots=True)
class _Facts:
    """Of one model, as the server shows it. trained, set: context windows in tokens; set in the model's own file.

    capabilities: None where the server is too old to say. hosted: it runs at ollama.com.
    """

    capabilities: frozenset[str] | None = None
    trained: int | None = None
    set: int | None = None
    hosted: bool = False
    chats: bool = True

    @classmethod
    def of(cls, shown: Mapping[str, Any]) -> _Facts:
        listed = shown.get("capabilities")
        known = frozenset(map(text_of, listed)) if isinstance(listed, list) else None
        family = text_of(optional_object(shown.get("details")).get("family"))
        written = _WINDOW_SET.search(text_of(shown.get("parameters")))
        info = optional_object(shown.get("model_info"))
        lengths = (count(value) for key, value in info.items() if key.endswith(".context_length"))
        return cls(
            capabilities=known,
            trained=next(filter(None, lengths), None),
            set=int(written[1]) if written else None,
            hosted=bool(shown.get("remote_host") or shown.get("remote_model")),
            chats="bert" not in family if known is None else "completion" in known,
        )

    @property
    def thinks(self) -> bool:
        return self.capabilities is None or "thinking" in self.capabilities

    def as_capabilities(self) -> Capabilities | None:
        known = self.capabilities
        if known is None:
            return None
        inputs: frozenset[MediaKind] = frozenset({"image"}) if "vision" in known else frozenset()
        calls = "tools" in known
        return Capabilities(tools=calls, parallel_tools=calls, thinking="thinking" in known, structured_output=True, inputs=inputs)


class OllamaProvider(PlainProvider):
    slug = "ollama"
    label = "Ollama"
    kind = "self_hosted"
    wire = "ollama"
    codec: ClassVar[Wire] = ollama
    default_base_url = "http://127.0.0.1:11434"
    answer_path = "/api/chat"
    models_path = "/api/tags"
    endpoints = ("/v1/chat/completions", "/api/chat", "/api/generate", "/api/tags", "/v1", "/api")  # other clients are given the last two
    fields = (
        CredentialField(
            "base_url",
            "Base URL",
            type="url",
            help="Empty: http://127.0.0.1:11434. An operator must allow a private address (ROUTEKIT_PRIVATE_HOSTS). With a key: https://ollama.com.",
        ),
        CredentialField("api_key", "API key", write_only=True, help="Only for ollama.com, or a proxy that asks for one."),
    )
    options = (
        CredentialField(
            "num_ctx",
            "Context window (tokens)",
            type="integer",
            minimum=1,
            help=f"Empty: {DEFAULT_WINDOW:,}, or what the model's own file sets. A larger one takes more of the server's memory.",
        ),
        LIMIT,
        TEMPERATURE,
        CredentialField("top_p", "Top p", type="number", minimum=0, maximum=1, help="0 to 1."),
        CredentialField(
            "reasoning_effort", "Thinking", choices=("none", "low", "medium", "high"), help="gpt-oss knows degrees; others think or do not."
        ),
        CredentialField(
            "keep_alive", "Keep in memory", help="How long after an answer, such as 10m; -1 for ever. Empty: as the server is set."
        ),
    )
    capabilities = Capabilities(thinking=True, structured_output=True, inputs=frozenset({"image"}))

    def __init__(self, credentials: Credentials, **settings: Any) -> None:
        super().__init__(credentials, **settings)
        self._known: dict[str, tuple[float, _Facts]] = {}
        self._asking = asyncio.Lock()

    async def _headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._key.reveal()}"} if self._key else {}

    def _unwrapped(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes | Document]:
        return lines_or_document(chunks)

    def _failure(self, error: Exception, *, streaming: bool = False) -> ProviderError | None:
        failure = super()._failure(error, streaming=streaming)
        return failure.reworded(f"{failure.detail} {_TOO_LONG}") if isinstance(failure, ContextTooLong) else failure

    # The list

    async def list_models(self) -> Sequence[ModelInfo]:
        """What the server has, without the models that only embed. Of one that it does not show in time, only the list's words are told."""
        page = await self._get_json(self.models_path)
        if not isinstance(page.get("models"), list):
            raise self._not_an_api()
        rows = {name: row for row in objects(page["models"]) if (name := text_of(row.get("model")) or text_of(row.get("name")))}
        shown = await self._all_shown(dict(islice(rows.items(), MOST_LOOKUPS)))
        told = [shown[name] if name in shown else self._model_info({**row, "id": name}) for name, row in rows.items()]
        return [info for info in told if info is not None]

    def _model_info(self, row: Mapping[str, Any]) -> ModelInfo | None:
        facts, details = _Facts.of(row), optional_object(row.get("details"))
        if not facts.chats:
            return None
        size = ", ".join(filter(None, (text_of(details.get(name))[:_SHOWN] for name in ("parameter_size", "quantization_level"))))
        name: str = row["id"]
        return ModelInfo(name, f"{name} ({size})" if size else "", self._window(name, facts), capabilities=facts.as_capabilities())

    async def _including(self, model: str, listed: Sequence[ModelInfo]) -> Sequence[ModelInfo]:
        """A name without its tag, and whatever else the server knows by another name than it lists."""
        if not model or any(info.id == model for info in listed):
            return listed
        try:
            info = self._model_info({**await self._show(model), "id": model})
        except ModelNotFound as error:
            missing = ModelNotFound(f"{self._host} has no model {model!r}. Pull it there first (ollama pull).", status=error.status)
        else:
            if info is None:
                raise InvalidRequest(f"{model!r} at {self._host} cannot chat.")
            return [*listed, info]
        raise missing

    async def _all_shown(self, rows: Mapping[str, Mapping[str, Any]]) -> Mapping[str, ModelInfo | None]:
        """Of what a server shows (licence, template, tensors) nothing is kept but this; None for a model that cannot chat."""
        shown: dict[str, ModelInfo | None] = {}
        places = asyncio.Semaphore(LOOKUPS_AT_ONCE)

        async def look_up(name: str) -> None:
            async with places:
                with contextlib.suppress(ProviderError):
                    shown[name] = self._model_info({**rows[name], **await self._show(name), "id": name})

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOKUPS_WITHIN_S), asyncio.TaskGroup() as lookups:
                for name in rows:
                    lookups.create_task(look_up(name))
        return shown

    async def _show(self, model: str) -> dict[str, Any]:
        return await self._json("POST", "/api/show", {"model": model})

    # The context window

    def _window(self, model: str, facts: _Facts) -> int | None:
        """Tokens that a request of this config gets."""
        wanted = count(self._options.get("num_ctx")) or self._asked_for(model, facts) or facts.set
        return min(filter(None, (wanted, facts.trained)), default=None)

    def _asked_for(self, model: str, facts: _Facts) -> int | None:
        """What to ask for where the config says nothing; None leaves it to the server."""
        hosted = facts.hosted or model.endswith(("-cloud", ":cloud")) or urlsplit(self.base_url).hostname in _HOSTED
        return None if hosted or facts.set else min(DEFAULT_WINDOW, facts.trained or DEFAULT_WINDOW)

    async def _prepared(self, request: ModelRequest) -> ModelRequest:
        """The window is added, and thinking left out where the model cannot, for which the server would refuse the request."""
        window = count(request.options.get("num_ctx"))
        if window and request.reasoning is None:
            return request
        facts = await self._facts_for(request.model)
        options = {**request.options, "num_ctx": window or self._asked_for(request.model, facts)}
        return replace(request, options=options, reasoning=request.reasoning if facts.thinks else None)

    async def _facts_for(self, model: str) -> _Facts:
        """As the server last showed it. Where it does not, the answer itself will say why."""
        clock = asyncio.get_running_loop().time
        async with self._asking:
            told, facts = self._known.get(model, (0.0, _Facts()))
            if model not in self._known or clock() > told + REMEMBERED_S:
                with contextlib.suppress(ProviderError, TimeoutError):
                    async with asyncio.timeout(LOOKUP_WITHIN_S):
                        facts = _Facts.of(await self._show(model))
                self._known[model] = clock(), facts
        return facts
