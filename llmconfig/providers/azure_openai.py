"""Azure OpenAI: deployments with names of their own, behind the v1 API or the classic path of a deployment.

https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle and …/openai/reference
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import quote, urlsplit, urlunsplit

from llmconfig.llm import AuthenticationFailed, Capabilities, CredentialField, InvalidRequest, ModelInfo, ModelNotFound, Secret, Timeouts
from llmconfig.net import EgressPolicy
from llmconfig.providers.entra import AUTHORITY, EntraTokens
from llmconfig.providers.form_fields import LIMIT, effort_field, limit_field, temperature_field
from llmconfig.providers.openai_sdk import OpenAISDKProvider
from llmconfig.wire import openai_chat, openai_responses
from llmconfig.wire.chat_dialect import Dialect
from llmconfig.wire.openai_models import reasons

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import httpx2

    from llmconfig.llm import Credentials, ModelRequest, ProviderError
    from llmconfig.providers.codec import Decoder, Wire

_V1, _V1_CHAT, _CLASSIC = _STYLES = ("v1", "v1_chat", "classic")
_ENTRA: Final = "Entra ID in place of a key"
_KINDS: Final = ("image", "document", "audio")
_TRIAL_TOKENS: Final = 512
"""Chat answers 400 where a model's reasoning alone takes more than the limit."""
_WITHOUT_IMAGES: Final = re.compile(r"gpt-3|gpt-4(-32k|-0613|-0314)?$|o1-mini|o3-mini")


def _model_behind(model: str, options: Mapping[str, Any]) -> str:
    entry = _entry(model, options)
    return entry["model"] if isinstance(entry.get("model"), str) and entry["model"] else model


def _entry(model: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    deployments = options.get("deployments")
    entry = deployments.get(model) if isinstance(deployments, dict) else None
    return {"model": entry} if isinstance(entry, str) else entry if isinstance(entry, dict) else {}


def _asks(request: ModelRequest) -> Mapping[str, Any]:
    """A model that reasons takes no `max_tokens`: it counts the reasoning in, under another name."""
    if not reasons(_model_behind(request.model, request.options)):
        return {}
    return {"max_tokens": None, "max_completion_tokens": request.max_output_tokens}


class _EitherWire:
    """The wire of the API style that a request's options name."""

    _chat = openai_chat.ChatWire(Dialect(asks=_asks))

    def encode(self, request: ModelRequest, *, provider: str) -> dict[str, Any]:
        return self._for(request).encode(request, provider=provider)

    def Decoder(self, request: ModelRequest, *, provider: str, label: str) -> Decoder:
        return self._for(request).Decoder(request, provider=provider, label=label)

    def error_from(self, status: int, body: bytes, headers: Mapping[str, str], *, label: str) -> ProviderError:
        return openai_chat.error_from(status, body, headers, label=label)

    def _for(self, request: ModelRequest) -> Wire:
        return openai_responses if request.options.get("api_style", _V1) == _V1 else self._chat


class AzureOpenAIProvider(OpenAISDKProvider):
    """The key, or an application of Entra ID: it is used as soon as its tenant and client are named."""

    slug = "azure_openai"
    label = "Azure OpenAI"
    kind = "gateway"
    wire = "openai_responses"
    codec: ClassVar[Wire] = _EitherWire()
    answer_path = "/v1/responses"
    models_path = "/v1/models"
    price_list = "azure"
    capabilities = Capabilities(thinking=True, structured_output=True, inputs=frozenset({"image", "document"}))
    fields = (
        CredentialField("base_url", "Endpoint", type="url", required=True, help="Such as https://our-resource.openai.azure.com."),
        CredentialField("api_key", "API key", write_only=True, help="One of the resource's two; or leave it empty and use Entra ID."),
        CredentialField("tenant_id", "Tenant ID", group=_ENTRA),
        CredentialField("client_id", "Client ID", group=_ENTRA, help="An application with the role “Cognitive Services OpenAI User”."),
        CredentialField("client_secret", "Client secret", write_only=True, group=_ENTRA),
        CredentialField(
            "authority", "Sign-in address", type="url", default=AUTHORITY, group=_ENTRA, help="Another one in a sovereign cloud."
        ),
        CredentialField(
            "api_style",
            "API style",
            default=_V1,
            choices=_STYLES,
            help="v1: the Responses API. v1_chat: Chat Completions, for models without Responses. classic: the deployment's own path.",
        ),
        CredentialField("api_version", "API version", default="2024-10-21", help="Of the classic style."),
        CredentialField(
            "deployments",
            "Deployments",
            type="mapping",
            entry_label="Deployment",
            help="Which model each deployment runs, for its price and what it can do. Azure does not say so itself.",
            entries=(
                CredentialField("model", "Model", required=True),
                CredentialField("context_window", "Context window (tokens)", type="integer", minimum=1),
                LIMIT,
                CredentialField("inputs", "Takes", type="list", choices=_KINDS),
                CredentialField("thinking", "Reasons", type="boolean"),
            ),
        ),
    )
    options = (
        limit_field("Reasoning counts towards it."),
        effort_field("none", "minimal", "low", "medium", "high", "xhigh"),
        CredentialField(
            "reasoning_summary",
            "Show summaries of the reasoning",
            type="boolean",
            default=False,
            help="Only with v1 and a reasoning effort.",
        ),
        temperature_field("Reasoning models refuse it."),
    )

    @classmethod
    def credentials_problem(cls, secrets: Collection[str], options: Mapping[str, Any]) -> tuple[str, str] | None:
        named = [name for name in ("tenant_id", "client_id") if options.get(name)]
        if not named and "api_key" in secrets:
            return None
        if not named and "client_secret" not in secrets:
            return "api_key", "Azure OpenAI needs an API key, or a tenant ID, client ID and client secret of Entra ID."
        for name in ("tenant_id", "client_id"):
            if name not in named:
                return name, "Entra ID needs this beside the client secret."
        return None if "client_secret" in secrets else ("client_secret", "Entra ID needs this beside the tenant ID and client ID.")

    @classmethod
    def underlying_model(cls, model: str, options: Mapping[str, Any]) -> str:
        return _model_behind(model, options)

    @classmethod
    def capabilities_of(cls, model: str) -> Capabilities:
        """By the names of OpenAI's models; of any other model nobody says what it cannot."""
        inputs = frozenset[Any]() if _WITHOUT_IMAGES.match(model) else cls.capabilities.inputs
        return replace(cls.capabilities, thinking=reasons(model), inputs=inputs)

    @classmethod
    def stated(cls, model: str, options: Mapping[str, Any]) -> ModelInfo | None:
        entry = _entry(model, options)
        if not entry:
            return None
        behind = _model_behind(model, options)
        known = Capabilities.from_dict(entry, beneath=cls.capabilities_of(behind))
        return ModelInfo(model, behind, entry.get("context_window"), entry.get("max_output_tokens"), known)

    def __init__(self, credentials: Credentials, *, egress: EgressPolicy = EgressPolicy(), timeouts: Timeouts = Timeouts()) -> None:  # noqa: B008  frozen values
        super().__init__(credentials, egress=egress, timeouts=timeouts)
        options = self._options
        self._style = options.get("api_style", _V1)
        self._entra: EntraTokens | None = None
        if options.get("tenant_id") and options.get("client_id"):
            self._entra = EntraTokens(
                self._http,
                tenant=options["tenant_id"],
                client=options["client_id"],
                secret=self._secrets.get("client_secret", Secret("")),
                egress=egress,
                authority=options.get("authority", ""),
            )

    def _connect(self, http: httpx2.AsyncClient) -> Any:
        return self._client_at(_root(self.base_url), "in-its-own-header", http)

    async def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx2.Response:
        if self._entra is not None:
            self._secrets["token"] = await self._entra.token()
        return await super()._request(method, path, body)

    def _call_options(self, body: Mapping[str, Any] | None) -> dict[str, Any]:
        if self._entra is not None:
            return {"headers": {"Authorization": f"Bearer {self._secrets['token'].reveal()}"}}
        return {"headers": {"Authorization": self._sdk.Omit(), "api-key": self._key.reveal()}}

    def _answer_path(self, request: ModelRequest) -> str:
        match self._style:
            case "classic":
                version = quote(self._options.get("api_version", ""), safe="")
                return f"/deployments/{quote(request.model, safe='')}/chat/completions?api-version={version}"
            case "v1_chat":
                return "/v1/chat/completions"
            case _:
                return self.answer_path

    def _completed(self, request: ModelRequest) -> ModelRequest:
        """With what the deployment's name hides: whether its model seals its reasoning, and that Chat takes no documents here."""
        completed = super()._completed(request)
        behind = self.underlying_model(request.model, self._options)
        options = {"encrypted_reasoning": reasons(behind), **completed.options}
        inputs = request.inputs
        if self._style != _V1:
            inputs = (self.capabilities_of(behind).inputs if inputs is None else inputs) - {"document"}
        return replace(completed, options=options, inputs=inputs)

    async def list_models(self) -> Sequence[ModelInfo]:
        """The deployments that the config names: with a key, Azure lists what could be deployed, and no deployment."""
        named = self._options.get("deployments", {})
        return [info for info in (self.stated(name, self._options) for name in named) if info is not None]

    async def check(self, model: str = "") -> Sequence[ModelInfo]:
        listed = await self.list_models()
        tried = model or next((info.id for info in listed), "")
        if not tried:
            raise InvalidRequest("Azure OpenAI lists no deployments.", advice="Name one as the model, or under Deployments, to test it.")
        try:
            found = await self._try_out(tried, max_output_tokens=_TRIAL_TOKENS)
        except ModelNotFound as error:
            missing = ModelNotFound(f"{self._host} answers for no deployment {tried!r}. {self._advice}", status=error.status)
        else:
            return listed if any(info.id == tried for info in listed) else [*listed, found]
        raise missing

    def _model_info(self, row: Mapping[str, Any]) -> ModelInfo | None:
        return None  # the list is of models, not of deployments

    def _failure(self, error: Exception, *, streaming: bool = False) -> ProviderError | None:
        failure = super()._failure(error, streaming=streaming)
        if isinstance(failure, AuthenticationFailed) and self._entra is not None:
            self._entra.forget(self._secrets.get("token", Secret("")))
        if isinstance(failure, ModelNotFound):
            return failure.reworded(f"{failure.detail} {self._advice}")
        return failure

    @property
    def _advice(self) -> str:
        place = f"that it belongs to {self._host}, and the API style ({self._style})"
        return f"Check the name of the deployment (not of its model), {place}. A new one takes minutes to answer."


def _root(endpoint: str) -> str:
    """`…/openai`, of an endpoint given with or without it, and whatever was copied along behind."""
    parts = urlsplit(endpoint)
    before = re.split(r"/openai(?:/|$)", parts.path.rstrip("/") + "/", maxsplit=1)[0].rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, f"{before}/openai", "", ""))
