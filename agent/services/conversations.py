"""Conversations: make, change, delete, and say something in them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from agent.loop.answer import schema_problem
from agent.models import Conversation, Message, Run, Service
from agent.services.attachments import use_attachments
from agent.services.doorbell import ring
from agent.services.erasure import erase_conversations, forget_created
from agent.services.parts import prepare_parts, texts_of
from llmconfig.services import default_target, resolve_target
from llmconfig.tenancy.audit import Actor, record
from llmconfig.tenancy.errors import Conflict, Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from llmconfig.llm import JSONObject
    from llmconfig.tenancy.caller import Caller

TITLE_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message that may be stored.

    parts: as its row holds them. changes: to the conversation, which goes on with this target. asked: of its run.
    """

    conversation: Conversation
    parts: list[dict[str, Any]]
    config: UUID
    model: str
    changes: dict[str, Any]
    asked: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Posted:
    message: Message
    run: Run


def create_conversation(
    *,
    caller: Caller,
    title: str = "",
    system_prompt: str = "",
    target: str | None = None,
    services: Sequence[UUID] | None = None,
    reasoning: JSONObject | None = None,
    history_policy: str = Conversation.HistoryPolicy.TRIM,
) -> Conversation:
    """target: a model id, `<config id>/<model>`; None leaves it to the default config. services: None means all enabled ones.

    reasoning: `effort` or `budget_tokens`; None leaves it to config and model.
    history_policy: `trim` or `refuse`, for a history that is longer than its model reads.
    """
    conversation = Conversation(
        organization=caller.organization,
        owner=caller.user,
        title=title,
        system_prompt=system_prompt,
        reasoning=reasoning,
        history_policy=history_policy,
    )
    _set_target(conversation, caller=caller, target=target)
    _set_services(conversation, caller=caller, services=services)
    conversation.save()
    return conversation


def update_conversation(*, caller: Caller, conversation: Conversation, changes: dict[str, Any]) -> Conversation:
    """changes: any field of `create_conversation`. A new target or reasoning holds from the next message on."""
    with transaction.atomic():
        conversation.refresh_from_db(from_queryset=Conversation.objects.select_for_update(of=("self",)))
        if "target" in changes:
            _set_target(conversation, caller=caller, target=changes["target"])
        if "services" in changes:
            _set_services(conversation, caller=caller, services=changes["services"])
        for name in ("title", "system_prompt", "reasoning", "history_policy"):
            if name in changes:
                setattr(conversation, name, changes[name])
        conversation.save()
    return conversation


@transaction.atomic
def delete_conversation(*, caller: Caller, conversation: Conversation) -> None:
    """Everything that was said goes, arguments and results of tools and files included; its runs stay as what was done and what it cost."""
    locked = Conversation.objects.select_for_update().get(id=conversation.id)
    if locked.runs.filter(status__in=Run.ACTIVE).exists():
        raise Conflict("A run of this conversation is active. Stop it first.", code="run_active")
    forget_created(locked)
    erase_conversations([locked.id])
    about = ("conversation", str(conversation.id), "")  # its title is its first words
    record("conversation.deleted", actor=Actor.of(caller), organization=caller.organization.pk, object=about)


def post_message(
    *,
    caller: Caller,
    conversation: Conversation,
    parts: list[dict[str, Any]],
    target: str | None = None,
    asked: Mapping[str, Any] = MappingProxyType({}),
) -> Posted:
    """Prepare a message and store it."""
    prepared = prepare_message(caller=caller, conversation=conversation, parts=parts, target=target, asked=asked)
    return store_message(prepared, caller=caller)


def prepare_message(
    *,
    caller: Caller,
    conversation: Conversation,
    parts: list[dict[str, Any]],
    target: str | None = None,
    asked: Mapping[str, Any] = MappingProxyType({}),
) -> Prepared:
    """All that is looked up, checked and uploaded before a message is stored. Not inside a transaction.

    asked, for this run alone: any of `reasoning` (left out: as the conversation has it) and `output_schema`, which the text of the
    final answer shall meet. Raises Invalid (`invalid_schema` for one that no answer can be asked for by, `unsupported_part` for a
    file that the model cannot take), and Unavailable when Valkey is away: nothing is accepted that could not begin.
    """
    from agent.services.live import require_valkey  # noqa: PLC0415  # Valkey's client is slow to import

    _check_length(parts)
    _check_schema(asked.get("output_schema"))
    require_valkey()
    changes: dict[str, Any] = {"updated_at": timezone.now()}
    if target is not None:
        _set_target(conversation, caller=caller, target=target)
        changes |= {"config": conversation.config, "model": conversation.model}
    config, model = _target_of(conversation, caller)
    stored = prepare_parts(caller=caller, parts=parts, config=config, model=model)
    return Prepared(conversation, stored, config.id, model, changes, asked)


def store_message(prepared: Prepared, *, caller: Caller) -> Posted:
    """The message and a queued run for it, and ring for a worker. Raises Conflict `run_active` while another run is active."""
    try:
        with transaction.atomic():
            return _store(prepared, caller)
    except IntegrityError:
        if not Run.objects.filter(conversation=prepared.conversation, status__in=Run.ACTIVE).exists():
            raise
        raise Conflict("A run of this conversation is active. Wait for it, answer its question, or stop it.", code="run_active") from None


def _store(prepared: Prepared, caller: Caller) -> Posted:
    """Raises IntegrityError while another run of the conversation is active, DoesNotExist when it was deleted meanwhile."""
    conversation, parts, now = prepared.conversation, prepared.parts, prepared.changes["updated_at"]
    title = Conversation.objects.select_for_update().values_list("title", flat=True).get(id=conversation.id)
    run = Run.objects.create(
        organization=caller.organization,
        conversation=conversation,
        user=caller.user,
        token=caller.token_id,
        config_id=prepared.config,
        model=prepared.model,
        reasoning=prepared.asked.get("reasoning", conversation.reasoning),
        output_schema=prepared.asked.get("output_schema"),
        nudged_at=now,
    )
    use_attachments({part["attachment"] for part in parts if "attachment" in part}, conversation)
    last = conversation.messages.aggregate(last=Max("position"))["last"]
    message = Message.objects.create(
        conversation=conversation, run=run, position=(last or 0) + 1, role=Message.Role.USER, parts=parts, created_at=now
    )
    Conversation.objects.filter(id=conversation.id).update(**prepared.changes, title=title or _title(parts))
    ring(run.id)
    return Posted(message, run)


def _target_of(conversation: Conversation, caller: Caller) -> tuple[Any, str]:
    """What answers the next message, checked again: a config may have been disabled or taken away since."""
    if conversation.config_id is not None:
        found: Any = resolve_target(caller, f"{conversation.config_id}/{conversation.model}")
    else:
        found = default_target(caller)
    if found is None:
        raise Invalid("There is no model to answer. Add a provider under Settings, Providers.", code="no_model", attr="target")
    return found  # type: ignore[no-any-return]


def _set_target(conversation: Conversation, *, caller: Caller, target: str | None) -> None:
    if target is None:
        conversation.config, conversation.model = None, ""
    else:
        conversation.config, conversation.model = resolve_target(caller, target)


def _set_services(conversation: Conversation, *, caller: Caller, services: Sequence[UUID] | None) -> None:
    if services is None:
        conversation.services = None
        return
    known = set(Service.objects.for_caller(caller).filter(id__in=services).values_list("id", flat=True))
    for service in services:
        if service not in known:
            raise Invalid(f"There is no service {service}.", code="does_not_exist", attr="services")
    conversation.services = [str(service) for service in services]


def _check_length(parts: list[dict[str, Any]]) -> None:
    length = sum(map(len, texts_of(parts)))
    if length > settings.MAX_MESSAGE_CHARS:
        raise Invalid(
            f"The message has {length:,} characters; {settings.MAX_MESSAGE_CHARS:,} are allowed. Shorten it, or split it.",
            code="max_length",
            attr="content",
        )


def _check_schema(schema: JSONObject | None) -> None:
    problem = None if schema is None else schema_problem(schema)
    if problem is not None:
        raise Invalid(problem, code="invalid_schema", attr="output_schema")


def _title(parts: list[dict[str, Any]]) -> str:
    """The first words of the first message, or what it brought."""
    text = " ".join(" ".join(texts_of(parts)).split()) or next((part["name"] for part in parts if part.get("name")), "")
    return text if len(text) <= TITLE_LENGTH else text[: TITLE_LENGTH - 1].rsplit(" ", 1)[0] + "…"
