"""Media of tool results: kept as attachments, or a note in their place; and no file without a row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.storage import storages

from agent.loop.intents import EndTool, FenceLost, ToolSettled
from agent.models import Attachment, Run
from agent.services import toolmedia
from agent.services.journal import commit_intent
from llmconfig.llm import Media, Text, ToolResult
from tests.agent import files
from tests.agent.rows import answered, decision, service_of, tool_call

if TYPE_CHECKING:
    from agent.services.claims import Claim
    from tests.llmconfig.people import Person


def files_of(person: Person) -> list[Path]:
    folder = Path(storages["attachments"].path(str(person.organization.pk)))
    return list(folder.iterdir()) if folder.exists() else []


def with_media(call: Any, *media: Media) -> EndTool:
    return EndTool(call.id, ToolResult(call.id, (Text("Look"), *media)))


def test_a_result_whose_run_was_lost_leaves_no_file(alice: Person, run: Run, claim: Claim) -> None:
    call = tool_call("crm__find")
    answered(claim, run, calls=(decision(call, service_of(alice, "find")),))
    Run.objects.update(fence=9)
    with pytest.raises(FenceLost):
        commit_intent(claim, with_media(call, Media("image", "image/png", files.png())), seq=8)
    assert files_of(alice) == []
    assert not Attachment.objects.exists()


def test_what_cannot_be_kept_of_a_result_is_a_note_to_the_model(
    alice: Person, run: Run, claim: Claim, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = tool_call("crm__find")
    answered(claim, run, calls=(decision(call, service_of(alice, "find")),))
    monkeypatch.setattr(toolmedia, "MAX_MEDIA", 1)
    good = Media("image", "image/jpeg", files.png(), "file:///tmp/shot.png")
    settled: ToolSettled = commit_intent(
        claim, with_media(call, Media("image", "image/png", b"not an image"), good, Media("image", "image/png", files.png(9, 9))), seq=8
    )
    kept = Attachment.objects.get()
    assert settled.result.parts == (
        Text("Look"),
        Text("[image (image/png) left out: its bytes are text]"),
        Media("image", "image/png", files.png(), "shot.png"),
        Text("[image (image/png) left out: only 1 files of a result are kept]"),
    )
    assert settled.parts[2] == kept.as_part()


def test_a_storage_that_is_away_costs_a_result_its_media_and_no_more(
    alice: Person, run: Run, claim: Claim, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any) -> None:
        raise OSError("the bucket is away")

    monkeypatch.setattr(storages["attachments"], "save", away)
    call = tool_call("crm__find")
    answered(claim, run, calls=(decision(call, service_of(alice, "find")),))
    settled = commit_intent(claim, with_media(call, Media("audio", "audio/wav", files.WAV)), seq=8)
    assert settled.result.parts[1] == Text("[audio (audio/wav) left out: it could not be stored]")
    assert "the bucket is away" in caplog.text
