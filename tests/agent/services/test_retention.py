"""Conversations that nobody touched go after their organization's days, in batches, and leave nothing said behind."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import redis
from django.core.files.base import ContentFile
from django.utils import timezone

from agent.models import Attachment, Conversation, Message, Run, ToolCall
from agent.services import erasure, retention
from agent.services.attachments import create_attachment
from agent.services.conversations import delete_conversation
from agent.services.retention import apply_retention
from agent.stream import RunEvent, append, take
from llmconfig.tenancy.audit import AuditEvent
from llmconfig.tenancy.models import IdempotencyRecord, Organization
from llmconfig.tenancy.rest.idempotency import sweep_records
from tests.agent.rows import answered, claimed, conversation_of, decision, queued_run, tool_call

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db


def keep(someone: Person, days: int | None) -> None:
    Organization.objects.filter(pk=someone.organization.pk).update(retention_days=days)


def untouched(conversation: Conversation, **ago: float) -> Conversation:
    Conversation.objects.filter(pk=conversation.pk).update(updated_at=timezone.now() - timedelta(**ago))
    return conversation


def test_only_what_is_old_and_not_active_goes(alice: Person, mallory: Person) -> None:
    keep(alice, 30)
    old = [untouched(conversation_of(alice), days=31) for _ in range(3)]
    recent = untouched(conversation_of(alice), days=29)
    active = untouched(queued_run(alice).conversation, days=31)
    elsewhere = untouched(conversation_of(mallory), days=400)
    assert apply_retention() == len(old)
    assert set(Conversation.objects.values_list("id", flat=True)) == {recent.id, active.id, elsewhere.id}
    event = AuditEvent.objects.get(action="retention.applied")
    assert (event.chain, event.actor, event.details["conversations"]) == (alice.organization.pk, "system", 3)
    assert apply_retention() == 0
    assert AuditEvent.objects.count() == 1  # nothing done, nothing told


def test_batches_are_bounded_and_take_all(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(alice, 1)
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    batches: list[int] = []
    erase = erasure.erase_conversations
    monkeypatch.setattr(retention, "erase_conversations", lambda ids: (batches.append(len(ids)), erase(ids)))
    for _ in range(5):
        untouched(conversation_of(alice), days=2)
    assert apply_retention() == 5
    assert batches == [2, 2, 1, 0]


def test_one_organization_that_fails_stops_no_other(alice: Person, mallory: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    for someone in (alice, mallory):
        keep(someone, 1)
        untouched(conversation_of(someone), days=2)
    apply = retention._apply

    def fail(organization: Any, days: int, now: Any) -> int:
        if organization == alice.organization.pk:
            raise RuntimeError("no")
        return apply(organization, days, now)

    monkeypatch.setattr(retention, "_apply", fail)
    assert apply_retention() == 1
    assert Conversation.objects.get().owner == alice.user


def test_nothing_said_stays_and_the_ledger_does(
    alice: Person, valkey: str, settings: Any, tmp_path: Any, django_capture_on_commit_callbacks: Any
) -> None:
    run = queued_run(alice)
    claim = claimed(run)
    answered(claim, run, text="Said", calls=(decision(tool_call(id="7")),))
    Run.objects.update(status=Run.Status.COMPLETED)
    file = create_attachment(caller=alice.caller, file=ContentFile(b"%PDF-1.4 said", name="said.pdf"))
    file.conversations.add(run.conversation)
    client = redis.Redis.from_url(valkey)
    take(client, str(run.id), 1)
    append(client, str(run.id), 1, [RunEvent.of(1, "text.delta", {"text": "Said"})])
    keep(alice, 1)
    untouched(run.conversation, days=2)
    assert client.keys()
    with django_capture_on_commit_callbacks(execute=True):
        assert apply_retention() == 1
    assert not client.keys()
    client.close()
    for model in (Conversation, Message, ToolCall, Attachment):
        assert not model.objects.exists()
    left = Run.objects.get()
    assert left.conversation is None
    assert left.steps.get().attempts.count() == 1


def test_deleting_by_hand_takes_the_sealed_answers_about_it(alice: Person) -> None:
    client = alice.client()
    ids = []
    for number in range(2):
        made = client.post("/api/conversations", {"title": f"Said {number}"}, headers={"Idempotency-Key": f"k{number}"})
        ids.append(made.json()["id"])
    for id in ids:
        IdempotencyRecord.objects.create(
            organization=alice.organization, principal="x", path=f"/api/conversations/{id}/messages", key=str(uuid4()), request_hash=""
        )
    delete_conversation(caller=alice.caller, conversation=Conversation.objects.get(id=ids[0]))
    kept = IdempotencyRecord.objects.order_by("path")
    assert [record.path for record in kept] == ["/api/conversations", f"/api/conversations/{ids[1]}/messages"]
    assert kept[0].key == "k1"


def test_answers_are_swept_a_day_later(alice: Person) -> None:
    client = alice.client()
    for key in ("old", "new"):
        client.post("/api/conversations", {}, headers={"Idempotency-Key": key})
    IdempotencyRecord.objects.filter(key="old").update(created_at=timezone.now() - timedelta(hours=25))
    assert sweep_records() == 1
    assert IdempotencyRecord.objects.get().key == "new"
