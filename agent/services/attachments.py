"""Attachments as rows: keep what was received, find it, note where it is used, delete and sweep it."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.files.storage import storages
from django.db import IntegrityError, transaction
from django.utils import timezone

from agent.models import Attachment
from agent.services.uploads import Received, receive_file
from llmconfig.tenancy.errors import Conflict, Invalid, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from django.core.files import File
    from django.db.models import QuerySet

    from agent.models import Conversation
    from llmconfig.tenancy.caller import Caller

logger = logging.getLogger(__name__)
_SWEPT_AT_ONCE = 500


def attachments_for(caller: Caller) -> QuerySet[Attachment]:
    return Attachment.objects.owned_by(caller)


def create_attachment(*, caller: Caller, file: File[bytes], name: str = "") -> Attachment:
    """Raises Invalid, TooLarge, Conflict (`storage_full`), Unavailable."""
    received = receive_file(file, organization_id=caller.organization.pk, owner_id=caller.user.pk, name=name)
    try:
        return keep_file(received)
    except BaseException:
        received.discard()
        raise


def keep_file(received: Received) -> Attachment:
    """The row of a received file; the one that stands where the owner has these bytes already, under the name given last."""
    same = Attachment.objects.filter(organization_id=received.organization_id, owner_id=received.owner_id, sha256=received.sha256)
    if received.path:
        try:
            with transaction.atomic():
                return _new_row(received)
        except IntegrityError:  # the same bytes came twice at once
            received.discard()
    with transaction.atomic():
        row = same.select_for_update(of=("self",)).first()
        if row is None:
            raise Conflict("This file was deleted at the same moment. Send it again.")
        row.name, row.media_type, row.used_at = received.name, received.sniffed.media_type, timezone.now()
        row.save(update_fields=["name", "media_type", "used_at", "updated_at"])
    return row


def _new_row(received: Received) -> Attachment:
    width, height = received.pixels or (None, None)
    return Attachment.objects.create(
        organization_id=received.organization_id,
        owner_id=received.owner_id,
        name=received.name,
        media_type=received.sniffed.media_type,
        kind=received.sniffed.kind,
        size=received.size,
        width=width,
        height=height,
        sha256=received.sha256,
        path=received.path,
        used_at=timezone.now(),
    )


def use_attachments(ids: Collection[UUID | str], conversation: Conversation) -> None:
    """Note that a message of the conversation names these. Inside the message's transaction. Raises Invalid for one that is gone."""
    if not ids:
        return
    wanted = Attachment.objects.filter(id__in=ids, organization_id=conversation.organization_id, owner_id=conversation.owner_id)
    rows = list(wanted.order_by("id").select_for_update(of=("self",)))
    if len(rows) != len({str(id) for id in ids}):
        raise Invalid("A file of this message was deleted meanwhile. Attach it again.", code="does_not_exist", attr="parts")
    wanted.update(used_at=timezone.now())
    conversation.attachments.add(*rows)


def delete_attachment(*, caller: Caller, id: UUID) -> None:
    """Raises DoesNotExist, and Conflict `in_use` for one that a message names."""
    with transaction.atomic():
        row = attachments_for(caller).select_for_update(of=("self",)).get(id=id)
        if row.conversations.exists():
            raise Conflict("This file is part of a conversation. Delete the conversation, and the file goes with it.", code="in_use")
        row.delete()


def delete_unused(ids: Collection[UUID]) -> None:
    """Those of these that no conversation holds any more. Inside the transaction that took them out of one."""
    locked = list(Attachment.objects.filter(id__in=ids).order_by("id").select_for_update(of=("self",)).values_list("id", flat=True))
    Attachment.objects.filter(id__in=locked, conversations=None).delete()


def sweep_attachments() -> int:
    """Delete files that were sent for no message, or for one that was never posted, after a day by default. How many."""
    before = timezone.now() - timedelta(seconds=settings.ATTACHMENT_UNUSED_S)
    swept = 0
    while True:
        with transaction.atomic():
            unused = Attachment.objects.filter(conversations=None, used_at__lt=before).order_by("id").values_list("id", flat=True)
            stale = Attachment.objects.filter(id__in=list(unused[:_SWEPT_AT_ONCE]), used_at__lt=before)
            locked = list(stale.order_by("id").select_for_update(of=("self",)).values_list("id", flat=True))
            Attachment.objects.filter(id__in=locked, conversations=None).delete()
        swept += len(locked)
        if len(locked) < _SWEPT_AT_ONCE:
            return swept


def open_content(attachment: Attachment) -> Any:
    """Its bytes, as a file to read and close. Raises NotFound where the storage has lost them, Unavailable where it fails."""
    try:
        return storages["attachments"].open(attachment.path, "rb")
    except FileNotFoundError:
        raise NotFound("The bytes of this file are gone from the storage.", code="content_gone") from None
    except Exception:
        logger.exception("Attachment %s cannot be opened", attachment.pk)
        raise Unavailable("The storage of files does not answer. Try again later.", retry_after=60) from None
