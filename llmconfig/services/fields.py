"""What a config may hold, judged by its provider's own fields: credentials, options, base URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from llmconfig import registry
from llmconfig.net import EgressPolicy, UrlForbidden, check_url, origin
from llmconfig.services.misplaced import check_url_without_key
from llmconfig.tenancy.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from llmconfig.llm import CredentialField, Provider, Secret
    from llmconfig.models import UserLLMConfig

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "url": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "mapping": (dict,),
}
_NAMED: Final = {
    "string": "a text",
    "url": "a text",
    "integer": "a whole number",
    "list": "a list",
    "mapping": "an object",
    "boolean": "true or false",
}
_MAX_ENTRIES: Final = 200
_MAX_KEY: Final = 200
_MOST: Final = 2**31 - 1
"""Of a number whose field names no maximum; some vendors fail on what is larger."""


def egress_policy() -> EgressPolicy:
    return EgressPolicy(frozenset(settings.PRIVATE_HOSTS))


def provider_of(provider_type: str) -> type[Provider]:
    """Raises `Invalid`. The demo provider is one of them only where it is switched on."""
    try:
        found = registry.provider_class(provider_type)
    except LookupError:
        raise Invalid(f"There is no provider “{provider_type[:40]}”.", code="unknown_provider", attr="provider_type") from None
    if found.is_demo and not settings.DEMO:
        raise Invalid("The demo provider is switched off here.", code="unknown_provider", attr="provider_type")
    return found


def available_providers() -> list[type[Provider]]:
    return [each for each in registry.all_providers() if settings.DEMO or not each.is_demo]


def effective_base_url(config: UserLLMConfig) -> str:
    """Where requests of this config go: its own base URL, or its provider's."""
    try:
        return config.base_url or registry.provider_class(config.provider_type).default_base_url
    except LookupError:
        return ""


def secret_fields(provider: type[Provider]) -> tuple[CredentialField, ...]:
    """Write-only fields besides `api_key`: what `credentials` may name."""
    return tuple(field for field in provider.fields if field.write_only and field.name != "api_key")


def connection_fields(provider: type[Provider]) -> tuple[CredentialField, ...]:
    """Fields the client is built with that are no secret (an API version, a region); kept in `options`."""
    return tuple(field for field in provider.fields if not field.write_only and field.name not in {"base_url", "model"})


def takes_key(provider: type[Provider]) -> bool:
    return any(field.name == "api_key" for field in provider.fields)


def credentials_problem(provider: type[Provider], secrets: Collection[str], options: Mapping[str, Any]) -> Invalid | None:
    """What the provider still lacks, at its place in a config's body. secrets: the names of those that are set."""
    problem = provider.credentials_problem(secrets, options)
    if problem is None:
        return None
    name, words = problem
    secret = {field.name: field.write_only for field in provider.fields}[name]
    return Invalid(words, code="required", attr=name if name == "api_key" else f"{'credentials' if secret else 'options'}.{name}")


def places_of(provider: type[Provider], base_url: str, options: Mapping[str, Any]) -> list[list[Any]]:
    """The origins that secrets are sent to, as JSON: the base URL's, and those of the URLs among the connection's options."""
    urls = [options.get(field.name) or field.default or "" for field in connection_fields(provider) if field.type == "url"]
    return [list(origin(str(url))) for url in (base_url or provider.default_base_url, *urls)]


def check_base_url(provider: type[Provider], base_url: str) -> None:
    """Empty is the provider's own address, where it has one. Raises `Invalid`."""
    if not base_url:
        if not provider.default_base_url and not provider.is_demo:
            raise Invalid(f"{provider.label} needs a base URL.", code="required", attr="base_url")
        return
    try:
        check_url(base_url, egress_policy())
    except UrlForbidden as error:
        raise Invalid(str(error), code="forbidden_url", attr="base_url") from None
    check_url_without_key(base_url, attr="base_url", instead="Put it in its own field.")


def check_secrets(provider: type[Provider], api_key: Secret | None, credentials: Mapping[str, Secret]) -> None:
    """Names and shapes only; whether a key is right, its provider knows."""
    if api_key and not takes_key(provider):
        raise Invalid(f"{provider.label} takes no API key.", code="unknown_field", attr="api_key")
    if api_key and not _header_safe(api_key.reveal()):
        raise Invalid("An API key is one line of ASCII characters, without spaces.", code="invalid", attr="api_key")
    known = {field.name for field in secret_fields(provider)}
    for name in credentials:
        if name not in known:
            raise Invalid(f"{provider.label} knows no such credential.", code="unknown_field", attr=f"credentials.{name}")


def check_options(provider: type[Provider], options: Mapping[str, Any]) -> None:
    """Raises `Invalid` for an option that the provider does not know, or of another type."""
    known = {field.name: field for field in (*connection_fields(provider), *provider.options)}
    for name, value in options.items():
        field = known.get(name)
        if field is None:
            raise Invalid(f"{provider.label} has no option “{name[:60]}”.", code="unknown_field", attr=f"options.{name}")
        _check_value(field, value, f"options.{name}")


def require_options(provider: type[Provider], options: Mapping[str, Any]) -> None:
    for field in connection_fields(provider):
        if field.required and field.default is None and not options.get(field.name):
            raise Invalid(f"{provider.label} needs this.", code="required", attr=f"options.{field.name}")


def _check_value(field: CredentialField, value: Any, attr: str) -> None:
    if not isinstance(value, _TYPES[field.type]) or (isinstance(value, bool) and field.type != "boolean"):
        raise Invalid(f"{field.label} must be {_NAMED.get(field.type, f'a {field.type}')}.", attr=attr)
    checked: Any = value  # of the field's type now
    if field.type in ("integer", "number"):
        _check_range(field, checked, attr)
    if field.type == "mapping":
        _check_mapping(field, checked, attr)
    elif field.type == "list":
        for position, item in enumerate(checked):
            _check_choice(field, item, f"{attr}.{position}")
    else:
        _check_choice(field, checked, attr)
    if field.type == "url":
        try:
            check_url(str(value), egress_policy())
        except UrlForbidden as error:
            raise Invalid(str(error), code="forbidden_url", attr=attr) from None
        check_url_without_key(str(value), attr=attr, instead="Put it in its own field.")


def _check_range(field: CredentialField, value: float, attr: str) -> None:
    if field.minimum is not None and value < field.minimum:
        raise Invalid(f"{field.label} must be at least {field.minimum}.", code="min_value", attr=attr)
    most = _MOST if field.maximum is None else field.maximum
    if value > most:
        raise Invalid(f"{field.label} must be at most {most:,}.", code="max_value", attr=attr)


def _check_choice(field: CredentialField, value: Any, attr: str) -> None:
    if field.type == "list" and not isinstance(value, str):
        raise Invalid(f"{field.label} must be a list of texts.", attr=attr)
    if field.choices and value not in field.choices:
        raise Invalid(f"{field.label} must be one of {', '.join(field.choices)}.", code="invalid_choice", attr=attr)


def _check_mapping(field: CredentialField, value: Mapping[str, Any], attr: str) -> None:
    """Each value is an object of the field's entries, or a text that stands for the first of them."""
    if len(value) > _MAX_ENTRIES:
        raise Invalid(f"{field.label} may have {_MAX_ENTRIES} entries at most.", attr=attr)
    first, known = field.entries[0], {entry.name: entry for entry in field.entries}
    for key, entry in value.items():
        if not key.strip() or len(key) > _MAX_KEY:
            raise Invalid(f"{field.entry_label or field.label} must be a text of 1 to {_MAX_KEY} characters.", attr=attr)
        given = {first.name: entry} if isinstance(entry, str) else entry
        if not isinstance(given, dict):
            raise Invalid(f"{key} must be a text or an object.", attr=f"{attr}.{key}")
        for name, item in given.items():
            if name not in known:
                raise Invalid(f"{field.label} knows no “{name[:60]}”.", code="unknown_field", attr=f"{attr}.{key}.{name}")
            _check_value(known[name], item, f"{attr}.{key}.{name}")
        missing = (each for each in field.entries if each.required and not given.get(each.name))
        for each in missing:
            raise Invalid(f"{key} needs this: {each.label}.", code="required", attr=f"{attr}.{key}.{each.name}")


def _header_safe(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text
