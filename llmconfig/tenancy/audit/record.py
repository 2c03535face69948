"""Writing an event, in the transaction of what it tells about: either both are there, or neither.

Call it as the last thing of a service's transaction: it locks the end of the organization's chain until the commit, and whoever
locked another row after that could wait for one who waits for the chain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.utils import timezone

from llmconfig.llm import Secret
from llmconfig.tenancy.audit.keys import newest_key
from llmconfig.tenancy.audit.models import INSTALLATION, AuditEvent, AuditHead, Outcome
from llmconfig.tenancy.sealed import Sealed
from llmconfig.vault import FIRST, mac

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import Model

    from llmconfig.tenancy.audit.actors import Actor

_MAX_TEXT: Final = 1000
_MAX_LABEL: Final = 200


def record(
    action: str,
    *,
    actor: Actor,
    organization: UUID | None,
    object: Model | tuple[str, str, str] | None = None,
    outcome: Outcome = Outcome.ALLOWED,
    details: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Add an event to the organization's chain (None: the installation's).

    action: `noun.verbed`, as `config.rotated`. object: the row it is about, or (type, id, label). details: plain values; a Secret or a
    sealed value among them is masked, text is cut at 1,000 characters.
    """
    chain = organization or INSTALLATION
    object_type, object_id, object_label = _named(object)
    with transaction.atomic(savepoint=False):  # whoever passes over its failure cannot commit what it tells about
        head = _locked_head(chain)
        key_id, key = newest_key(chain)
        event = AuditEvent(
            chain=chain,
            seq=head.seq + 1,
            at=timezone.now(),
            actor_id=actor.id,
            actor=storable(actor.name, 150),
            token=storable(actor.token, 120),
            action=action,
            object_type=object_type,
            object_id=storable(object_id, _MAX_LABEL),
            object_label=storable(object_label, _MAX_LABEL),
            outcome=outcome.value,
            ip=actor.ip,
            details=plain(details or {}),
            key_id=key_id,
            previous=head.hash,
        )
        event.hash = mac(key, event.previous, event.content())
        event.save(force_insert=True)
        AuditHead.objects.filter(pk=chain).update(seq=event.seq, hash=event.hash)
    return event


def plain(value: Any) -> Any:
    """A value as details keep it: JSON whose numbers are integers, its secrets masked."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, (Secret, Sealed)):
        return "••••" if value else ""
    if isinstance(value, Mapping):
        return {storable(str(name), _MAX_TEXT): plain(each) for name, each in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, (str, bytes)):
        return [plain(each) for each in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return storable(str(value), _MAX_TEXT)


def storable(text: str, length: int) -> str:
    """text as Postgres takes it, too: what a client sends (NUL, half a surrogate pair) must not keep an event out of the trail."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "")[:length]


def _named(about: Model | tuple[str, str, str] | None) -> tuple[str, str, str]:
    if about is None:
        return "", "", ""
    if isinstance(about, tuple):
        return about
    name = "config" if about._meta.model_name == "userllmconfig" else str(about._meta.model_name)
    return name, str(about.pk), str(about)


def _locked_head(chain: UUID) -> AuditHead:
    locked = AuditHead.objects.select_for_update()
    head = locked.filter(pk=chain).first()
    if head is None:
        AuditHead.objects.bulk_create([AuditHead(chain=chain, hash=FIRST)], ignore_conflicts=True)
        head = locked.get(pk=chain)
    return head
