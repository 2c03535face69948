"""What a posted message may hold: whose files, of which kind, how much, and for which model."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from agent.models import Attachment, Message, Run
from agent.services.attachments import create_attachment
from agent.services.conversations import post_message, prepare_message, store_message
from llmconfig.llm import Secret
from llmconfig.models import ModelList
from llmconfig.services import create_config
from llmconfig.tenancy.errors import Invalid, TooLarge
from tests.agent import files
from tests.agent.rows import conversation_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.llmconfig.people import Person

pytestmark = pytest.mark.usefixtures("valkey", "rung")


def attached(person: Person, data: bytes = files.PDF, name: str = "scan.pdf") -> Attachment:
    return create_attachment(caller=person.caller, file=ContentFile(data), name=name)


def part(attachment: Attachment, kind: str | None = None) -> dict[str, Any]:
    return {"type": kind or attachment.kind, "attachment": attachment.id}


def inline(data: bytes, kind: str = "image", **fields: Any) -> dict[str, Any]:
    return {"type": kind, "data": b64encode(data).decode(), "media_type": "image/png", **fields}


def claude(person: Person, *labels: str) -> str:
    """A model that reads images and documents; labels: what its provider calls its models."""
    config = create_config(caller=person.caller, provider_type="anthropic", api_key=Secret("sk-ant-test-1234567890"), model="claude-x")
    if labels:
        entries = [{"id": f"m{number}", "label": label} for number, label in enumerate(labels)]
        ModelList.objects.create(organization=config.organization, config=config, entries=entries, fetched_at=timezone.now())
        return f"{config.id}/m0"
    return f"{config.id}/claude-x"


def refusal(person: Person, parts: Sequence[dict[str, Any]], target: str | None = None) -> Invalid:
    before = Attachment.objects.count()
    with pytest.raises(Invalid) as refused:
        post_message(caller=person.caller, conversation=conversation_of(person), parts=list(parts), target=target)
    assert not Message.objects.exists()
    assert Attachment.objects.count() == before  # what is refused leaves nothing behind
    return refused.value


def test_a_part_that_the_model_cannot_read_names_those_that_can(alice: Person) -> None:
    claude(alice, "Claude A", "Claude B", "Claude A", "Claude C", "Claude D", "Claude E", "Claude F")
    parts = [{"type": "text", "text": "Read"}, part(attached(alice, b"words", "a.txt")), part(attached(alice))]
    demo = Attachment.objects.count()
    assert demo == 2
    found = refusal(alice, parts, _demo(alice))
    assert (found.code, found.attr) == ("unsupported_part", "parts.2")
    assert found.detail.startswith("“scan.pdf” is a document, which ")
    assert found.detail.endswith("cannot read. Of your models these can: claude-x, Claude A, Claude B, Claude C, Claude D.")


def _demo(person: Person) -> str:
    from llmconfig.services import models_for

    return next(row["id"] for row in models_for(person.caller) if row["provider"] == "demo")


def test_where_no_model_can_read_it_that_is_said(alice: Person, mallory: Person) -> None:
    claude(mallory)
    found = refusal(alice, [inline(files.png())])
    assert (found.code, found.attr) == ("unsupported_part", "parts.0")
    assert found.detail.startswith("This file is an image, which ")
    assert found.detail.endswith("None of your models can: add a provider under Settings, Providers.")


def test_models_are_named_that_take_all_of_the_message(alice: Person) -> None:
    target = claude(alice)
    found = refusal(alice, [inline(files.png()), inline(files.WAV, "audio", name="a.wav")], target)
    assert (found.code, found.attr) == ("unsupported_part", "parts.1")
    assert "“a.wav” is a sound" in found.detail
    assert "None of your models can" in found.detail


def test_the_model_of_the_same_request_counts(alice: Person) -> None:
    target, conversation = claude(alice), conversation_of(alice)
    posted = post_message(caller=alice.caller, conversation=conversation, parts=[part(attached(alice))], target=target)
    assert posted.message.parts[0]["name"] == "scan.pdf"
    Run.objects.update(status="completed")
    with pytest.raises(Invalid) as refused:
        post_message(caller=alice.caller, conversation=conversation, parts=[part(attached(alice))], target=_demo(alice))
    assert refused.value.code == "unsupported_part"
    conversation.refresh_from_db()
    assert conversation.model == "claude-x"


def test_every_model_reads_a_text_file(alice: Person) -> None:
    posted = post_message(caller=alice.caller, conversation=conversation_of(alice), parts=[part(attached(alice, b"a,b", "a.csv"))])
    assert posted.message.parts[0]["media_type"] == "text/csv"


def test_files_of_others_are_not_there(alice: Person, bob: Person, mallory: Person) -> None:
    target = claude(alice)
    for other in (bob, mallory):
        found = refusal(alice, [{"type": "text", "text": "x"}, part(attached(other))], target)
        assert (found.code, found.attr) == ("does_not_exist", "parts.1.attachment")


@pytest.mark.parametrize(
    ("made", "code", "attr", "words"),
    [
        (lambda: inline(files.PDF), "invalid", "parts.0.type", "This file is a document, not an image."),
        (lambda: inline(files.PDF, name="a.pdf"), "invalid", "parts.0.type", "“a.pdf” is a document, not an image."),
        (lambda: inline(b""), "empty", "parts.0.data", "The file is empty."),
        (lambda: inline(b"PK\x03\x04" + bytes(30)), "unsupported_type", "parts.0.data", "The file is of no type that can be sent."),
        (lambda: inline(b"") | {"data": "not base64!"}, "invalid", "parts.0.data", "This is not base64."),
        (lambda: inline(b"") | {"data": "data:image/png;base64,AAAA"}, "invalid", "parts.0.data", "This is not base64."),
    ],
)
def test_inline_bytes_are_looked_at(alice: Person, made: Any, code: str, attr: str, words: str) -> None:
    found = refusal(alice, [made()], claude(alice))
    assert (found.code, found.attr) == (code, attr)
    assert found.detail.startswith(words)


def test_a_message_holds_so_many_files_and_bytes(alice: Person, settings: Any) -> None:
    target = claude(alice)
    found = refusal(alice, [inline(files.png())] * 21, target)
    assert (found.code, found.attr, found.detail) == ("max_length", "parts", "The message has 21 files; 20 are allowed. Split it.")
    settings.MAX_REQUEST_MEDIA_BYTES = 150
    found = refusal(alice, [inline(files.png())] * 3, target)
    assert (found.code, found.attr) == ("max_size", "parts")
    settings.MAX_BYTES = settings.MAX_BYTES | {"image": 10}
    with pytest.raises(TooLarge):
        post_message(caller=alice.caller, conversation=conversation_of(alice), parts=[inline(files.png())], target=target)


def test_a_file_that_goes_between_check_and_row_stops_the_message(alice: Person) -> None:
    prepared = prepare_message(
        caller=alice.caller, conversation=conversation_of(alice), parts=[part(attached(alice))], target=claude(alice)
    )
    Attachment.objects.all().delete()
    with pytest.raises(Invalid) as refused:
        store_message(prepared, caller=alice.caller)
    assert refused.value.code == "does_not_exist"
    assert not Run.objects.exists()


def test_a_title_is_what_was_said_or_else_what_was_brought(alice: Person) -> None:
    target = claude(alice)
    for parts, title in (
        ([part(attached(alice))], "scan.pdf"),
        ([part(attached(alice)), {"type": "text", "text": "Sum it up"}], "Sum it up"),
    ):
        conversation = conversation_of(alice)
        post_message(caller=alice.caller, conversation=conversation, parts=parts, target=target)
        conversation.refresh_from_db()
        assert conversation.title == title
