"""Google Gemini: the Gemini API with a key, or Vertex AI with a service account (or an express key)."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import quote, urlsplit

from llmconfig.llm import (
    AuthenticationFailed,
    Capabilities,
    CredentialField,
    InvalidRequest,
    ModelInfo,
    ModelNotFound,
    PermissionDenied,
    Secret,
    Timeouts,
)
from llmconfig.net import EgressPolicy
from llmconfig.providers.bodies import read_document
from llmconfig.providers.form_fields import REASONING, address_field, limit_field, temperature_field
from llmconfig.providers.google_account import GoogleTokens, ServiceAccount
from llmconfig.providers.google_files import LIFETIME_S, GoogleFiles
from llmconfig.providers.plain import PlainProvider
from llmconfig.providers.uploads import MediaLimits, Uploads
from llmconfig.wire import gemini
from llmconfig.wire.decoding import count, objects, text_of
from llmconfig.wire.gemini_models import traits_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import httpx2

    from llmconfig.llm import Credentials, JSONObject, ModelRequest, ProviderError
    from llmconfig.providers.codec import Wire

LIMITS: Final = MediaLimits(inline_total=18_000_000, each={"document": 50_000_000, "audio": 2_000_000_000, "video": 2_000_000_000})
"""Google takes requests of 100 MB, and took 20 MB until 2026, as gateways still do; what is inline is sent anew with every step."""
_NOT_CHAT: Final = re.compile(r"embedding|image|imagen|banana|veo|tts|live|audio|aqa|computer-use|deep-research|lyria")
"""Parts of names of models that list `generateContent` and cannot hold a conversation with tools; they can still be named by hand."""
_LOCATION: Final = re.compile(r"[a-z][a-z0-9-]{0,40}")
_PROJECT: Final = re.compile(r"[a-z0-9][a-z0-9.:-]{0,100}")
_VERTEX_HOST: Final = "aiplatform.googleapis.com"
_VERSION: Final = re.compile(r"/v1(alpha|beta|beta1)?(/(models|openai|projects)(/.*)?)?$")
"""What people paste of an endpoint's path, OpenAI's imitation included; a gateway may have a `/v1` of its own further ahead."""
_MOST_PAGES: Final = 50
_VERTEX: Final = "Vertex AI in place of a key"


class GeminiProvider(PlainProvider):
    """A service account makes it Vertex AI, and so does a base URL there, with an express key."""

    slug = "gemini"
    label = "Google Gemini"
    wire = "gemini"
    codec: ClassVar[Wire] = gemini
    answer_path = ":streamGenerateContent?alt=sse"
    """Behind the path of the model."""
    models_path = "/v1beta/models"
    default_base_url = "https://generativelanguage.googleapis.com"
    price_list = "google"
    capabilities = Capabilities(thinking=True, structured_output=True, inputs=frozenset({"image", "document", "audio", "video"}))
    fields = (
        CredentialField("api_key", "API key", write_only=True, help="From aistudio.google.com. Or leave it empty and use Vertex AI."),
        CredentialField(
            "service_account",
            "Service account (JSON key)",
            write_only=True,
            multiline=True,
            group=_VERTEX,
            help="The whole file, in place of an API key.",
        ),
        CredentialField("project", "Project", group=_VERTEX, help="Of Google Cloud. Empty: the service account's own."),
        CredentialField("location", "Location", default="global", group=_VERTEX, help="Such as europe-west4."),
        address_field(default_base_url),
    )
    options = (
        limit_field("Thinking counts towards it."),
        *REASONING,
        temperature_field("Google advises against changing it for Gemini 3."),
    )

    @classmethod
    def credentials_problem(cls, secrets: Collection[str], options: Mapping[str, Any]) -> tuple[str, str] | None:
        if "api_key" in secrets or "service_account" in secrets:
            return None
        return "api_key", "Google Gemini needs an API key, or a service account for Vertex AI."

    @classmethod
    def addresses(cls, base_url: str, secrets: Collection[str], options: Mapping[str, Any]) -> Sequence[str]:
        """A service account goes to Vertex AI, in its location, unless another base URL was set."""
        if "service_account" not in secrets or _VERSION.sub("", base_url.rstrip("/")) not in ("", cls.default_base_url):
            return super().addresses(base_url, secrets, options)
        return [_vertex_url(text_of(options.get("location")) or "global")]

    @classmethod
    def preload(cls) -> None:
        super().preload()
        import_module("jwt")

    @classmethod
    def capabilities_of(cls, model: str) -> Capabilities:
        if model.rpartition("/")[2].startswith(("gemma-1", "gemma-2", "gemma-3")):
            return Capabilities(tools=False, parallel_tools=False, inputs=frozenset({"image"}))
        return replace(cls.capabilities, thinking=traits_of(model).thinks)

    def __init__(self, credentials: Credentials, *, egress: EgressPolicy = EgressPolicy(), timeouts: Timeouts = Timeouts()) -> None:  # noqa: B008  frozen values
        super().__init__(credentials, egress=egress, timeouts=timeouts)
        self._egress = egress
        self._signs_in = bool(credentials.secrets.get("service_account"))
        self._tokens: GoogleTokens | None = None
        self._project = text_of(self._options.get("project"))
        self._location = text_of(self._options.get("location")) or "global"
        root = _VERSION.sub("", self.base_url)
        self._vertex = self._signs_in or (urlsplit(root).hostname or "").endswith(_VERTEX_HOST)
        if self._signs_in and root == self.default_base_url and _LOCATION.fullmatch(self._location):
            root = _vertex_url(self._location)
        self.base_url = root
        self._files: GoogleFiles | None = None
        if not self._vertex:
            self._files = files = GoogleFiles(
                root, self.label, send=self._sent_to_store, json=self._json, read=self._read_within, strange=self._not_an_api
            )
            self._uploads = Uploads(
                files.upload, files.remove, limits=LIMITS, carries=gemini.carries, label=self.label, lifetime_s=LIFETIME_S
            )

    def _answers_by(self, schema: JSONObject, request: ModelRequest) -> bool:
        """Before generation 3 a schema beside functions is refused (python-genai#867)."""
        return (traits_of(request.model).modern or not request.tools) and super()._answers_by(schema, request)

    # What goes where

    async def _headers(self) -> Mapping[str, str]:
        if not self._signs_in:
            return {"x-goog-api-key": self._key.reveal()}
        token = self._secrets["token"] = await self._signed_in().token()
        return {"Authorization": f"Bearer {token.reveal()}"}

    def _signed_in(self) -> GoogleTokens:
        """Raises `AuthenticationFailed` for a service account that is none. Only here is it read, where a person is told of it."""
        if self._tokens is None:
            account = ServiceAccount.read(self._secrets["service_account"])
            self._secrets["private_key"] = Secret(" ".join(account.key.reveal().split()))  # as it would stand in a message
            self._project = self._project or account.project
            self._tokens = GoogleTokens(self._http, account, self._egress)
        return self._tokens

    def _answer_path(self, request: ModelRequest) -> str:
        return f"{self._model_path(request.model)}{self.answer_path}"

    def _model_path(self, model: str) -> str:
        """Raises `InvalidRequest` for a project or location that is none, `AuthenticationFailed` as `_signed_in`."""
        if not self._vertex:
            kind, slash, name = model.partition("/")
            return (
                f"/v1beta/{kind}/{quote(name, safe='')}"
                if slash and kind in {"models", "tunedModels"}
                else f"/v1beta/models/{quote(model, safe='')}"
            )
        root = self._vertex_path()
        if model.startswith("endpoints/"):  # a tuned model
            return f"{root}/endpoints/{quote(model.removeprefix('endpoints/'), safe='')}"
        return f"{root}/publishers/google/models/{quote(model.rpartition('models/')[2], safe='')}"

    def _vertex_path(self) -> str:
        if self._signs_in:
            self._signed_in()
        if not self._project:
            if self._signs_in:
                raise InvalidRequest("Vertex AI needs a project; the service account names none.")
            return "/v1"  # an express key knows its project
        if not _PROJECT.fullmatch(self._project) or not _LOCATION.fullmatch(self._location):
            raise InvalidRequest("This is no project and location of Google Cloud. They look like my-project-123 and europe-west4.")
        return f"/v1/projects/{self._project}/locations/{self._location}"

    def _failure(self, error: Exception, *, streaming: bool = False) -> ProviderError | None:
        failure = super()._failure(error, streaming=streaming)
        if isinstance(failure, AuthenticationFailed) and self._tokens is not None:
            self._tokens.forget(self._secrets.get("token", Secret("")))
        return failure

    # The test button

    async def check(self, model: str = "") -> Sequence[ModelInfo]:
        """Vertex AI's list may be closed to an account that may use the models on it."""
        listed: Sequence[ModelInfo] = []
        try:
            listed = await self.list_models()
        except (PermissionDenied, ModelNotFound):
            if not self._vertex or not model:
                raise
        return await self._including(model, listed)

    async def list_models(self) -> list[ModelInfo]:
        if self._vertex:
            self._vertex_path()  # or nobody is asked
        path = "/v1beta1/publishers/google/models?pageSize=200" if self._vertex else f"{self.models_path}?pageSize=1000"
        found: list[ModelInfo] = []
        seen: set[str] = set()
        token = ""
        while len(seen) < _MOST_PAGES:
            page = await self._get_json(f"{path}&pageToken={quote(token, safe='')}" if token else path)
            found += self._listed({"models": [], **page} if token else page)
            token = text_of(page.get("nextPageToken"))
            if not token or token in seen:
                break
            seen.add(token)
        return found

    def _listed(self, page: Mapping[str, Any]) -> list[ModelInfo]:
        rows = page.get("publisherModels", page.get("models"))
        if not isinstance(rows, list):
            raise self._not_an_api()
        named = (
            {**row, "id": text_of(row.get("name")).removeprefix("publishers/google/").removeprefix("models/")} for row in objects(rows)
        )
        found = (self._model_info(row) for row in named if row["id"])
        return [info for info in found if info is not None]

    def _model_info(self, row: Mapping[str, Any]) -> ModelInfo | None:
        name: str = row["id"]
        methods = row.get("supportedGenerationMethods")
        if _NOT_CHAT.search(name) or (isinstance(methods, list) and "generateContent" not in methods):
            return None
        if self._vertex and not name.startswith(("gemini-", "gemma-")):
            return None
        thinks = row.get("thinking")
        known = replace(self.capabilities_of(name), thinking=thinks) if isinstance(thinks, bool) else None
        window, longest = count(row.get("inputTokenLimit")), count(row.get("outputTokenLimit"))
        return ModelInfo(name, text_of(row.get("displayName")), window, longest, known)

    async def _including(self, model: str, listed: Sequence[ModelInfo]) -> Sequence[ModelInfo]:
        """Vertex AI lists what there is, not what this project may use: there the named model is asked to count a word."""
        known = any(info.id == model.removeprefix("models/") for info in listed)
        if not model or (known and not self._vertex):
            return listed
        path = self._model_path(model)
        try:
            if self._vertex:
                await self._json("POST", f"{path}:countTokens", {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]})
            else:
                await self._get_json(path)
        except (ModelNotFound, InvalidRequest) as error:
            if self._vertex and isinstance(error, InvalidRequest):
                raise
            missing = ModelNotFound(f"{self.label} lists no model {model!r} for this key.", status=error.status)
        else:
            return listed if known else [*listed, ModelInfo(model)]
        raise missing

    async def count_tokens(self, request: ModelRequest) -> int | None:
        request = await self._prepared(self._completed(request))
        body = gemini.encode(request, provider=self.slug)
        path = self._model_path(request.model)
        if not self._vertex:
            body = {"generateContentRequest": {"model": path.removeprefix("/v1beta/"), **body}}
        answer = await self._json("POST", f"{path}:countTokens", body)
        return count(answer.get("totalTokens"))

    # The store of files

    async def _sent_to_store(self, to: str, headers: Mapping[str, str], content: Mapping[str, Any] | bytes) -> httpx2.Response:
        return await self._guarded(self._stored(to, headers, content), self._timeouts.first_token)

    async def _stored(self, to: str, headers: Mapping[str, str], content: Mapping[str, Any] | bytes) -> httpx2.Response:
        if isinstance(content, bytes):  # the address is a secret of its own, and needs no key
            return await self._answered(self._http.build_request("POST", to, content=content, headers=headers))
        own = {**await self._headers(), **headers}
        return await self._answered(self._http.build_request("POST", f"{self.base_url}{to}", json=content, headers=own))

    async def _read_within(self, response: httpx2.Response) -> object:
        return await self._guarded(read_document(response), self._timeouts.idle)


def _vertex_url(location: str) -> str:
    if location == "global":
        return f"https://{_VERTEX_HOST}"
    if location in {"us", "eu"}:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-{_VERTEX_HOST}"
