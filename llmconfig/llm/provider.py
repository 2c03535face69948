"""What a provider is to the rest of routekit: a few facts about it, and a client that streams."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from llmconfig.llm.masking import watch
from llmconfig.llm.secret import Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

    from llmconfig.llm.events import StreamEvent
    from llmconfig.llm.messages import MediaKind, ModelRequest


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider (or one of its models) can do."""

    tools: bool = True
    parallel_tools: bool = True
    thinking: bool = False
    structured_output: bool = False
    inputs: frozenset[MediaKind] = frozenset()
    max_context_tokens: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "tools": self.tools,
            "parallel_tools": self.parallel_tools,
            "thinking": self.thinking,
            "structured_output": self.structured_output,
            "inputs": ["text", *sorted(self.inputs)],
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, Any], *, beneath: Capabilities) -> Capabilities:
        """What `as_dict` wrote, or an admin; what it does not say is as in `beneath`."""
        flags = {name: row[name] for name in ("tools", "parallel_tools", "thinking", "structured_output") if type(row.get(name)) is bool}
        inputs = row.get("inputs")
        if isinstance(inputs, (list, tuple)):
            kinds: tuple[MediaKind, ...] = ("image", "document", "audio", "video")
            flags["inputs"] = frozenset(kind for kind in kinds if kind in inputs)
        return replace(beneath, **flags)


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One field of a provider's settings form; the API schema and the admin derive from it.

    Write-only fields are sealed. `api_key` and `base_url` are stored in the config's own columns, others in `credentials` or `options`.

    choices: what a text, or each item of a list, may be. multiline: a text of several lines, such as a key file.
    entries: the fields of each value of a mapping; a text in place of a value stands for the first of them. entry_label: what its
    keys are called. group: the heading under which a form folds several fields away. minimum, maximum: of a number, both allowed.
    """

    name: str
    label: str
    type: Literal["string", "integer", "number", "boolean", "url", "list", "mapping"] = "string"
    required: bool = False
    write_only: bool = False
    default: str | int | float | bool | None = None
    help: str = ""
    choices: tuple[str, ...] = ()
    multiline: bool = False
    entries: tuple[CredentialField, ...] = ()
    entry_label: str = ""
    group: str = ""
    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """Opened for one client. base_url is never empty; secrets holds `api_key` and any other write-only field."""

    base_url: str
    secrets: Mapping[str, Secret] = field(default_factory=dict[str, Secret])
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        for secret in self.secrets.values():
            watch(secret)

    @property
    def api_key(self) -> Secret:
        return self.secrets.get("api_key", Secret(""))


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model as the provider lists it; None where it does not say. context_window and max_output_tokens: tokens."""

    id: str
    label: str = ""
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: Capabilities | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. idle is the longest silence between two pieces of a stream; first_token waits for the first of them.

    A model that thinks without a word may take longer than first_token, as long as its server shows that it is alive.
    """

    connect: float = 10.0
    first_token: float = 120.0
    idle: float = 60.0


class Provider(ABC):
    """A vendor, as one client for one set of credentials.

    Class attributes are facts, readable without importing an SDK. An instance imports its SDK on construction, belongs to
    the event loop that built it, may be used by many runs at once, and is closed with `aclose()`.
    """

    slug: ClassVar[str]
    label: ClassVar[str]
    wire: ClassVar[str]
    default_base_url: ClassVar[str] = ""
    fields: ClassVar[Sequence[CredentialField]] = ()
    options: ClassVar[Sequence[CredentialField]] = ()
    capabilities: ClassVar[Capabilities] = Capabilities()
    is_demo: ClassVar[bool] = False
    kind: ClassVar[Literal["vendor", "gateway", "self_hosted"]] = "vendor"
    """Who runs the models: whoever made them, somebody else, or the organization itself. Lists of providers are grouped by it."""
    price_list: ClassVar[str] = ""
    """Who this is in genai-prices; empty where only the base URL can tell."""

    @classmethod
    def capabilities_of(cls, model: str) -> Capabilities:
        """What is known of a model by its name, where the provider's list says nothing: by default what the provider can do at best."""
        return cls.capabilities

    @classmethod
    def underlying_model(cls, model: str, options: Mapping[str, Any]) -> str:
        """The vendor's own name of what a config calls `model`; another where the vendor lets people name deployments (Azure)."""
        return model

    @classmethod
    def stated(cls, model: str, options: Mapping[str, Any]) -> ModelInfo | None:
        """What a config itself says of a model; it counts more than any list. None where it says nothing."""
        return None

    @classmethod
    def credentials_problem(cls, secrets: Collection[str], options: Mapping[str, Any]) -> tuple[str, str] | None:
        """What is missing before a client can be built: the name of a field and words for people; None where nothing is.

        secrets: the names of the write-only fields that are set. By default each required one must be; a vendor with several ways
        to sign in (a key, or a service account) says here what makes up one of them.
        """
        missing = (field.name for field in cls.fields if field.write_only and field.required and field.name not in secrets)
        return next(((name, f"{cls.label} needs this.") for name in missing), None)

    @classmethod
    def addresses(cls, base_url: str, secrets: Collection[str], options: Mapping[str, Any]) -> Sequence[str]:
        """The URLs that a config's requests go to, by which a list of allowed hosts judges it: the base URL, and URLs among the options.

        base_url: "" for the provider's own. secrets: the names of those that are set.
        """
        named = (options.get(field.name) for field in (*cls.fields, *cls.options) if field.type == "url" and field.name != "base_url")
        return [base_url or cls.default_base_url, *(str(url) for url in named if url)]

    @classmethod
    @abstractmethod
    def preload(cls) -> None:
        """Import the SDK; slow the first time (about a second), so never on an event loop."""

    @abstractmethod
    def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """One answer. Ends after `Finished`; raises a `ProviderError` otherwise. Closing the iterator closes the upstream request."""

    @abstractmethod
    async def list_models(self) -> Sequence[ModelInfo]:
        """What these credentials may use, as the provider lists it. Raises a `ProviderError`."""

    @abstractmethod
    async def check(self, model: str = "") -> Sequence[ModelInfo]:
        """Try the credentials, and the model where one is named: the models on success, a `ProviderError` otherwise."""

    async def count_tokens(self, request: ModelRequest) -> int | None:
        """The input tokens of a request, counted without an answer; None where the provider counts none. Raises a `ProviderError`."""
        return None

    @abstractmethod
    async def aclose(self) -> None: ...
