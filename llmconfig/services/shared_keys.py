"""From one shared key in the environment to configs: the way in for whoever had `ANTHROPIC_API_KEY` and a script."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from llmconfig import registry
from llmconfig.llm import Secret
from llmconfig.models import UserLLMConfig
from llmconfig.services.configs import ConfigFields, create_config
from llmconfig.tenancy.audit.actors import OPERATOR
from llmconfig.tenancy.caller import Caller, caller_for
from llmconfig.tenancy.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llmconfig.tenancy.models import User

_KEY, _URL = "api_key", "base_url"
# provider type, name of the config, variable of each field; the first variable is the one that must be there
_SOURCES: Final[tuple[tuple[str, str, dict[str, str]], ...]] = (
    ("anthropic", "Anthropic", {_KEY: "ANTHROPIC_API_KEY", _URL: "ANTHROPIC_BASE_URL"}),
    ("openai", "OpenAI", {_KEY: "OPENAI_API_KEY", _URL: "OPENAI_BASE_URL"}),
    ("gemini", "Gemini", {_KEY: "GEMINI_API_KEY"}),
    (
        "azure_openai",
        "Azure OpenAI",
        {
            _KEY: "AZURE_OPENAI_API_KEY",
            _URL: "AZURE_OPENAI_ENDPOINT",
            "api_version": "AZURE_OPENAI_API_VERSION",
            "model": "AZURE_OPENAI_DEPLOYMENT",
            "other_model": "AZURE_OPENAI_DEPLOYMENT_NAME",
        },
    ),
    ("ollama", "Ollama", {_URL: "OLLAMA_HOST"}),
)
_SUFFIX: Final = " (from the environment)"
_HERE: Final = "127.0.0.1"
_DATED: Final = re.compile(r"20\d\d-\d\d-\d\d")
_OLLAMA_PORT: Final = 11434


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one key. label: whose it is; problem: why there is no config, a whole sentence."""

    label: str
    config: UserLLMConfig | None = None
    problem: str = ""


def import_env_keys(*, user: User, variables: Mapping[str, str]) -> list[Imported]:
    """One config of the user's for each key that is set. What the user has already is left alone; what is refused stops no other."""
    caller = caller_for(user)
    have = set(UserLLMConfig.objects.owned_by(caller).values_list("provider_type", "name"))
    return [_import(caller, fields) for fields in _found(variables) if (fields["provider_type"], fields["name"]) not in have]


def _import(caller: Caller, fields: ConfigFields) -> Imported:
    label = fields["name"].removesuffix(_SUFFIX)
    try:
        return Imported(label, create_config(caller=caller, actor=OPERATOR, **fields))
    except ServiceError as error:
        return Imported(label, problem=error.detail)


def _found(variables: Mapping[str, str]) -> Iterator[ConfigFields]:
    known = {provider.slug for provider in registry.all_providers()}
    for provider_type, label, names in _SOURCES:
        values = {field: variables[variable].strip() for field, variable in names.items() if variables.get(variable)}
        if next(iter(names)) not in values:
            continue
        fields = ConfigFields(name=label + _SUFFIX, provider_type=provider_type)
        if _KEY in values:
            fields["api_key"] = Secret(values[_KEY])
        if _URL in values:
            fields["base_url"] = _ollama_url(values[_URL]) if provider_type == "ollama" else values[_URL].rstrip("/")
        if _DATED.match(values.get("api_version", "")):  # as the classic path has it; the newer one knows no dates
            fields["options"] = {"api_version": values["api_version"], "api_style": "classic"}
        if model := values.get("model") or values.get("other_model"):
            fields["model"] = model
        if provider_type in known:
            yield fields


def _ollama_url(text: str) -> str:
    """OLLAMA_HOST may be a URL, `host`, `host:port` or `:port`, and may name the address that the server listens on."""
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        port = parts.port or ({"http": 80, "https": 443}.get(parts.scheme) or _OLLAMA_PORT)
    except ValueError:
        return text  # as it is, for the check of base URLs to refuse
    host = parts.hostname or _HERE
    with contextlib.suppress(ValueError):
        host = _HERE if ipaddress.ip_address(host).is_unspecified else host
    return f"{parts.scheme or 'http'}://{f'[{host}]' if ':' in host else host}:{port}{parts.path.rstrip('/')}"
