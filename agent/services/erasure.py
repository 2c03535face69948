"""What goes with a conversation: its messages, tool calls, files, the logs of its runs, and the answers kept to be repeated."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Q

from agent.models import Attachment, Conversation, Run, ToolCall
from agent.services.attachments import delete_unused
from llmconfig.tenancy.keys import open_for
from llmconfig.tenancy.models import ApiToken, IdempotencyRecord
from llmconfig.vault import Unreadable

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

PATH: Final = "/api/conversations"
_AROUND: Final = timedelta(minutes=1)
"""A conversation is made within its request, whose claim lapses after so long."""


def erase_conversations(ids: Collection[UUID]) -> None:
    """All that was said in these; their runs stay as what was done and what it cost. Inside the transaction that holds their rows."""
    files = list(Attachment.objects.filter(conversations__in=ids).distinct().values_list("id", flat=True))
    runs = list(Run.objects.filter(conversation__in=ids).values_list("id", flat=True))
    ToolCall.objects.filter(step__run__conversation__in=ids).delete()
    about = Q()
    for id in ids:
        about |= Q(path__startswith=f"{PATH}/{id}")
    if ids:
        IdempotencyRecord.objects.filter(about).delete()
    Conversation.objects.filter(id__in=ids).delete()
    delete_unused(files)
    forget_logs_on_commit(runs)


def forget_created(conversation: Conversation) -> None:
    """The sealed answer to the POST that made it, if one is kept: it lies at no path of its own."""
    tokens = ApiToken.objects.filter(user=conversation.owner_id, organization=conversation.organization_id).values_list("id", flat=True)
    principals = [f"user:{conversation.owner_id}:{conversation.organization_id.hex[:8]}", *(f"token:{id}" for id in tokens)]
    made = conversation.created_at
    kept = IdempotencyRecord.objects.filter(
        organization=conversation.organization_id, principal__in=principals, path=PATH, created_at__range=(made - _AROUND, made + _AROUND)
    )
    for record in kept.exclude(status=None):
        try:
            answer = json.loads(open_for(record, "body").reveal())
        except Unreadable:
            answer = None
        if answer is None or answer.get("id") == str(conversation.id):
            record.delete()


def forget_logs_on_commit(runs: Collection[UUID]) -> None:
    from agent.services import live  # noqa: PLC0415  # Valkey's client is slow to import

    if runs:
        transaction.on_commit(lambda: live.forget_logs(runs))
