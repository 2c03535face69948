""" "Test connection": asks the provider with a config's credentials, saved or not, and notes what came of it."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, Unpack

from django.db import transaction
from django.utils import timezone

from llmconfig.llm import ModelInfo, ProviderError, ProviderTimeout
from llmconfig.models import ConfigStatus, UserLLMConfig
from llmconfig.services import policy
from llmconfig.services.clients import UNREADABLE, build_provider
from llmconfig.services.configs import ConfigFields, check_new_config, config_for
from llmconfig.services.fields import provider_of
from llmconfig.services.model_lists import model_entries, store_list
from llmconfig.services.places import waiting_place
from llmconfig.services.reveal import reveal
from llmconfig.services.secrets import credentials_from, lacks
from llmconfig.services.standing import DEFINITIVE
from llmconfig.tenancy.audit import Actor, Outcome, record
from llmconfig.tenancy.errors import Invalid
from llmconfig.vault import Unreadable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
    from uuid import UUID

    from llmconfig.llm import Credentials, Provider, Secret
    from llmconfig.tenancy.caller import Caller

logger = logging.getLogger(__name__)
T = TypeVar("T")
Work: TypeAlias = "Callable[[Provider], Awaitable[Sequence[ModelInfo]]]"
DEADLINE_S: Final = 20.0
_STATUS_OF: Final[Mapping[str, ConfigStatus]] = {
    **DEFINITIVE,
    "model_not_found": ConfigStatus.INVALID,
    "invalid_request": ConfigStatus.INVALID,
    "unreadable": ConfigStatus.UNREADABLE,
    "missing_key": ConfigStatus.MISSING_KEY,
}


@dataclass(frozen=True, slots=True)
class ConnectionResult:
    """error_kind is "" when it went well; models then holds what these credentials may use."""

    latency_ms: int
    models: Sequence[ModelInfo] = ()
    error_kind: str = ""
    error_detail: str = ""

    @property
    def ok(self) -> bool:
        return not self.error_kind

    def as_dict(self) -> dict[str, Any]:
        error = None if self.ok else {"kind": self.error_kind, "detail": self.error_detail}
        return {"ok": self.ok, "latency_ms": self.latency_ms, "models": model_entries(self.models), "error": error}


class TestRefused(Invalid):
    """A config that was to be saved only if it works does not."""

    default_code = "test_failed"


def test_config(*, caller: Caller, id: UUID) -> ConnectionResult:
    """Test a saved config: keeps its status, when it was tested and the models it listed. Network; never within a transaction."""
    config = config_for(caller, id)
    actor = Actor.of(caller)
    opened = ready(config, purpose="test", actor=actor)
    result = opened if isinstance(opened, ConnectionResult) else ask(*opened, work=checking(config.model), who=str(caller.user.pk))
    if result.error_kind != policy.CODE:  # nobody was asked, so there is nothing to note
        note_result(config, result, actor=actor)
    return result


def test_new_configs(configs: Sequence[UserLLMConfig], *, actor: Actor) -> list[ConnectionResult]:
    """Test configs that were just saved, all at once, so that they take one deadline together. What goes wrong with one is its result."""
    asked = [(provider_of(config.provider_type), reveal(config, purpose="test", actor=actor), checking(config.model)) for config in configs]
    results = ask_all(asked)
    for config, result in zip(configs, results, strict=True):
        note_result(config, result, actor=actor)
    return results


def test_unsaved_config(*, caller: Caller, **fields: Unpack[ConfigFields]) -> ConnectionResult:
    """Test what a form holds; nothing is saved. Raises `Invalid` and `Forbidden` for what could not be saved either."""
    provider = check_new_config(caller=caller, **fields)
    secrets: dict[str, Secret] = {name: secret for name, secret in fields.get("credentials", {}).items() if secret}
    if api_key := fields.get("api_key"):
        secrets["api_key"] = api_key
    credentials = credentials_from(provider, base_url=fields.get("base_url", ""), secrets=secrets, options=fields.get("options", {}))
    return ask(provider, credentials, work=checking(fields.get("model", "")), who=str(caller.user.pk))


def require_working(*, caller: Caller, **fields: Unpack[ConfigFields]) -> ConnectionResult:
    """`?validate=true`: raises `TestRefused` with what the provider said."""
    result = test_unsaved_config(caller=caller, **fields)
    if not result.ok:
        raise TestRefused(result.error_detail, code=result.error_kind)
    return result


def note_result(config: UserLLMConfig, result: ConnectionResult, *, actor: Actor) -> None:
    """A passing trouble (a timeout, an overloaded server) leaves the status as it was; the detail tells of it."""
    with transaction.atomic():
        _note(config, result)
        record(
            "config.tested",
            actor=actor,
            organization=config.organization_id,
            object=config,
            outcome=Outcome.ALLOWED if result.ok else Outcome.FAILED,
            details={"latency_ms": result.latency_ms, "models": len(result.models)} if result.ok else {"error": result.error_kind},
        )


def _note(config: UserLLMConfig, result: ConnectionResult) -> None:
    now = timezone.now()
    changes: dict[str, Any] = {"last_tested_at": now, "last_latency_ms": result.latency_ms, "status_detail": result.error_detail[:1000]}
    if result.ok:
        changes["status"] = ConfigStatus.VALID
        store_list(config, result.models)
    elif status := _STATUS_OF.get(result.error_kind):
        changes["status"] = status
    same_secret = UserLLMConfig.objects.filter(pk=config.pk, secret_version=config.secret_version)
    same_secret.update(**changes)  # a key rotated meanwhile was not the one tested


def ready(config: UserLLMConfig, *, purpose: str, actor: Actor) -> tuple[type[Provider], Credentials] | ConnectionResult:
    """What a saved config's provider can be asked with, revealed for that; or the result that stands without asking. Raises `Invalid`."""
    provider = provider_of(config.provider_type)
    if refused := policy.refusal_of(config):
        return ConnectionResult(0, error_kind=policy.CODE, error_detail=refused.words)
    if lacks(config, provider):
        return ConnectionResult(0, error_kind="missing_key", error_detail="This config has no key. Enter one and test again.")
    try:
        return provider, reveal(config, purpose=purpose, actor=actor)
    except Unreadable:
        return ConnectionResult(0, error_kind="unreadable", error_detail=f"The key cannot be opened. {UNREADABLE}")


def ask(provider: type[Provider], credentials: Credentials, *, work: Work, who: str = "", within: float | None = None) -> ConnectionResult:
    """Do `work` with a client of its own, within so many seconds, or those of a test. who: whose request waits.

    Raises `Unavailable` when too many wait already.
    """
    provider.preload()
    with waiting_place(who):
        return _run(_answer(provider.slug, credentials, work, DEADLINE_S if within is None else within))


def ask_all(asked: Sequence[tuple[type[Provider], Credentials, Work]]) -> list[ConnectionResult]:
    """All at once, so that they take one deadline together. What goes wrong with one is its result."""
    for provider, _, _ in asked:
        provider.preload()
    return _run(_answers(asked))


def checking(model: str) -> Work:
    """Does this key work, and with this model, if one is named?"""
    return lambda client: client.check(model)


async def _answer(slug: str, credentials: Credentials, work: Work, within: float) -> ConnectionResult:
    started = time.monotonic()
    try:
        models = await _done(slug, credentials, work, within)
    except ProviderError as error:
        return ConnectionResult(_ms_since(started), error_kind=error.kind, error_detail=error.message)
    return ConnectionResult(_ms_since(started), models=models)


class _Unawaited(ThreadPoolExecutor):
    """Ends without its threads, for which the end of an event loop else waits: a look-up of a name cannot be interrupted."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


def _run(work: Coroutine[Any, Any, T]) -> T:
    async def alone() -> T:
        asyncio.get_running_loop().set_default_executor(_Unawaited(thread_name_prefix="test-connection"))
        return await work

    return asyncio.run(alone())


async def _answers(asked: Sequence[tuple[type[Provider], Credentials, Work]]) -> list[ConnectionResult]:
    each = (_answer(provider.slug, credentials, work, DEADLINE_S) for provider, credentials, work in asked)
    answers = await asyncio.gather(*each, return_exceptions=True)
    return [_failed(answer) if isinstance(answer, BaseException) else answer for answer in answers]


def _failed(error: BaseException) -> ConnectionResult:
    if not isinstance(error, Exception):
        raise error
    logger.error("A connection test broke", exc_info=error)
    return ConnectionResult(0, error_kind="internal", error_detail="The test itself broke; the log says why. Test again in the settings.")


async def _done(slug: str, credentials: Credentials, work: Work, within: float) -> Sequence[ModelInfo]:
    client = build_provider(slug, credentials)
    try:
        async with asyncio.timeout(within):
            return await work(client)
    except TimeoutError:
        raise ProviderTimeout(f"No answer within {within:.0f} seconds.") from None
    finally:
        await client.aclose()


def _ms_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
