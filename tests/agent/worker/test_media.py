"""Files on their way: from a person to the model, and from a tool to the model and the page."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.storage import storages
from mcp.server.mcpserver import MCPServer
from mcp_types import AudioContent, ImageContent, TextContent

from agent.models import Attachment, Conversation, Message, ToolCall
from agent.services.connections import create_service, set_tool_policy
from agent.services.listing import refresh_tools
from tests.agent import files
from tests.agent.mcp.fake import serving
from tests.agent.worker.chat import data_of, model_at
from tests.fakes.script import Answer, Call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import SettingsWrapper

    from tests.agent.worker.chat import Chat
    from tests.fakes.anthropic import FakeAnthropic
    from tests.fakes.openai import FakeOpenAI
    from tests.llmconfig.people import Person

SHOT = files.png(40, 30)


def coded(data: bytes) -> str:
    return b64encode(data).decode()


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def test_a_model_sees_what_was_attached_in_its_place(chat: Chat, alice: Person, openai: FakeOpenAI) -> None:
    image, notes = chat.upload(SHOT, "shot.png"), chat.upload(b"\xef\xbb\xbfRemember the milk", "notes.md")
    parts = [text("Look at"), {"type": "image", "attachment": image}, text("and at"), {"type": "document", "attachment": notes}]
    run = chat.ask(parts, model_at(alice, openai))
    assert run["status"] == "completed"
    (sent,) = openai.calls[-1].body["input"][-1:]
    assert [item["type"] for item in sent["content"]] == ["input_text", "input_image", "input_text", "input_text"]
    assert sent["content"][1]["image_url"] == f"data:image/png;base64,{coded(SHOT)}"
    assert sent["content"][3]["text"] == "[File “notes.md”]\nRemember the milk\n[End of file “notes.md”]"
    said = chat.messages[0]["parts"]
    assert said[1] == {
        "type": "image",
        "attachment": image,
        "media_type": "image/png",
        "name": "shot.png",
        "size": len(SHOT),
        "width": 40,
        "height": 30,
    }
    assert said[3] == {"type": "document", "attachment": notes, "media_type": "text/markdown", "name": "notes.md", "size": 20}
    chat.check_told()


def test_what_came_inline_is_an_attachment_at_once(chat: Chat, alice: Person, anthropic: FakeAnthropic) -> None:
    chat.ask([{"type": "document", "data": coded(files.PDF), "media_type": "text/html", "name": "a.pdf"}], model_at(alice, anthropic))
    (row,) = Attachment.objects.all()
    assert (row.media_type, row.name, list(row.conversations.values_list("id", flat=True))) == (
        "application/pdf",
        "a.pdf",
        [Conversation.objects.get().id],
    )
    assert Message.objects.get(role="user").parts == [row.as_part()]
    assert Conversation.objects.get().title == "a.pdf"
    (document,) = anthropic.calls[-1].body["messages"][-1]["content"]
    assert document["source"] == {"type": "base64", "media_type": "application/pdf", "data": coded(files.PDF)}


def test_a_model_without_eyes_goes_on_with_a_conversation_that_has_images(chat: Chat, alice: Person, openai: FakeOpenAI) -> None:
    image = chat.upload(SHOT, "shot.png")
    chat.ask([{"type": "image", "attachment": image}], model_at(alice, openai))
    from llmconfig.services import default_target

    demo, model = default_target(alice.caller) or (None, "")
    assert demo is not None
    Path(storages["attachments"].path(Attachment.objects.get().path)).unlink()  # which it need not read
    run = chat.ask("Which tickets are open?", f"{demo.id}/{model}" if model else None)
    assert run["status"] == "completed"
    chat.check_told()


def test_a_file_that_the_storage_has_lost_is_told_and_stops_nothing(chat: Chat, alice: Person, openai: FakeOpenAI) -> None:
    image = chat.upload(SHOT, "shot.png")
    Path(storages["attachments"].path(Attachment.objects.get().path)).unlink()
    run = chat.ask([text("What is this?"), {"type": "image", "attachment": image}], model_at(alice, openai))
    assert run["status"] == "completed"
    (sent,) = openai.calls[-1].body["input"][-1:]
    assert "[image “shot.png” (image/png) is no longer there]" in str(sent["content"])
    (events,) = chat.check_told().values()
    assert [data["detail"] for data in data_of(events, "run.notice")] == [
        "The file “shot.png” is gone from the storage: the model is told so and does not see it."
    ]


def test_earlier_files_make_room_for_the_newest(chat: Chat, alice: Person, openai: FakeOpenAI, settings: SettingsWrapper) -> None:
    old, new = files.png(10, 10, shade=1), files.png(10, 10, shade=2)
    settings.MAX_REQUEST_MEDIA_BYTES = len(new) + 10
    target = model_at(alice, openai)
    for data in (old, new):
        run = chat.ask([{"type": "image", "attachment": chat.upload(data, "shot.png")}], target)
        assert run["status"] == "completed"
    body = str(openai.calls[-1].body)
    assert coded(new) in body
    assert coded(old) not in body
    assert "was sent earlier and is left out here" in body
    settings.MAX_REQUEST_MEDIA_BYTES = 10_000
    ready = chat.upload(files.png(10, 10, shade=3), "shot.png")
    chat.worker.deaf = True
    run_id = chat.say([{"type": "image", "attachment": ready}], target)
    settings.MAX_REQUEST_MEDIA_BYTES = 10  # lowered by the operator meanwhile
    chat.worker.start(chat.worker.rings[-1])
    chat.worker.finish()
    failed = chat.run(run_id)
    assert (failed["status"], failed["error"]["kind"]) == ("failed", "media_too_large")


@pytest.fixture
def camera(alice: Person, chat: Chat) -> Iterator[str]:
    """A service with a tool that returns an image, a sound, and bytes that are no sound."""
    server = MCPServer("camera")

    @server.tool(structured_output=False)
    def snapshot() -> list[Any]:
        return [
            TextContent(type="text", text="Here it is."),
            ImageContent(type="image", data=coded(SHOT), mime_type="image/png"),
            AudioContent(type="audio", data=coded(files.WAV), mime_type="audio/wav"),
            AudioContent(type="audio", data=coded(b"\x00\x01\x02"), mime_type="audio/x-noise"),
        ]

    with serving(server.streamable_http_app(stateless_http=True)) as origin:
        service = create_service(caller=alice.caller, display_name="Camera", url=f"{origin}/mcp")
        refresh_tools(service=service)
        set_tool_policy(caller=alice.caller, service=service, tool=service.tools.get(), policy="auto", read_only=True)
        yield service.slug


def test_what_a_tool_returns_is_kept_as_attachments(chat: Chat, alice: Person, openai: FakeOpenAI, camera: str) -> None:
    openai.script(Answer(calls=[Call(f"{camera}__snapshot")]), Answer(text="A grey wall."))
    run = chat.ask("What does the camera see?", model_at(alice, openai))
    assert run["status"] == "completed"
    image, sound = Attachment.objects.get(kind="image"), Attachment.objects.get(kind="audio")
    assert (image.owner, image.conversations.get().id) == (alice.user, Conversation.objects.get().id)
    (events,) = chat.check_told().values()
    (finished,) = data_of(events, "tool_call.finished")
    assert finished["parts"][:3] == [text("Here it is."), image.as_part(), sound.as_part()]
    assert finished["parts"][3]["text"].startswith("[audio (audio/x-noise) left out: The file is of no type that can be sent.")
    stored = [Message.objects.get(role="tool").parts[0]["parts"], ToolCall.objects.get().result["parts"]]
    assert stored == [finished["parts"]] * 2
    assert coded(SHOT) not in str(events)
    first, second = openai.calls[-2:]
    assert coded(SHOT) not in str(first.body)
    assert f"data:image/png;base64,{coded(SHOT)}" in str(second.body)  # in the very next step
    openai.script(Answer(text="Still grey."))
    chat.ask("And now?")
    assert f"data:image/png;base64,{coded(SHOT)}" in str(openai.calls[-1].body)  # and read again by the next run
    chat.check_told()
