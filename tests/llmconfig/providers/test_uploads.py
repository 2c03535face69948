"""Media that do not fit a request are uploaded, once."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

from llmconfig.llm import InvalidRequest, Media, Message, ModelNotFound, ModelRequest, Overloaded, Text, ToolCall, ToolResult
from llmconfig.providers.uploads import MediaLimits, Uploads

LIMITS = MediaLimits(inline_total=40, each={"image": 60, "document": 100})


def media(content: bytes, kind: Any = "image", name: str = "") -> Media:
    return Media(kind, "image/png" if kind == "image" else "application/pdf", content, name)


def asked(*parts: Any, before: tuple[Message, ...] = ()) -> ModelRequest:
    return ModelRequest("m", (*before, Message("user", (Text("see"), *parts))))


class Store:
    """A provider's own store."""

    def __init__(self, **more: Any) -> None:
        self.sent: list[bytes] = []
        self.removed: list[str] = []
        self.failures: list[Exception] = []
        self.begun, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.uploads = Uploads(
            self.send, self.remove, **{"limits": LIMITS, "carries": lambda _, part: part.kind != "audio", "label": "Vendor"} | more
        )

    async def send(self, part: Media) -> str:
        self.sent.append(part.data)
        self.begun.set()
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop()
        return f"file-{len(self.sent)}"

    async def remove(self, name: str) -> None:
        self.removed.append(name)
        if name == "file-1":
            raise Overloaded("gone")

    async def names(self, request: ModelRequest) -> list[str]:
        placed = await self.uploads.placed(request)
        return [part.uploaded for part in placed.messages[-1].parts if isinstance(part, Media)]


async def test_what_fits_is_sent_inline() -> None:
    store = Store()
    request = asked(media(b"a" * 15), media(b"b" * 15))
    placed = await store.uploads.placed(request)
    assert placed == request
    assert all(new is old for new, old in zip(placed.messages, request.messages, strict=True))
    assert store.sent == []


async def test_the_largest_go_until_the_rest_fits_and_nothing_stored_is_changed() -> None:
    store = Store()
    request = asked(media(b"a" * 9), media(b"b" * 30), media(b"c" * 21), media(b"d" * 9))
    before = copy.deepcopy(request)
    assert await store.names(request) == ["", "file-1", "file-2", ""]
    assert await store.names(request) == ["", "file-1", "file-2", ""]
    assert request == before
    assert store.sent == [b"b" * 30, b"c" * 21]


async def test_media_of_tool_results_go_too() -> None:
    store = Store()
    result = Message("tool", (ToolResult("a", (Text("one"), media(b"a" * 50))),))
    request = asked(before=(Message("assistant", (ToolCall("a", "t", {}),)), result))
    placed = await store.uploads.placed(request)
    (part,) = placed.messages[1].parts
    assert isinstance(part, ToolResult)
    assert part.parts[1].uploaded == "file-1"  # type: ignore[union-attr]
    assert placed.messages[0] is request.messages[0]


async def test_what_the_wire_does_not_carry_is_left_to_the_repair_pass() -> None:
    store = Store()
    audio = Media("audio", "audio/wav", b"a" * 500)
    assert await store.names(asked(audio)) == [""]
    assert store.sent == []


async def test_the_same_bytes_are_uploaded_once_however_many_ask_at_once() -> None:
    store = Store()
    store.gate.clear()
    first, second = (asyncio.create_task(store.names(asked(media(b"a" * 50)))) for _ in range(2))
    await store.begun.wait()
    store.gate.set()
    assert await first == await second == ["file-1"]
    assert len(store.sent) == 1


async def test_who_waits_uploads_where_the_first_gave_up() -> None:
    store = Store()
    store.gate.clear()
    first, second = (asyncio.create_task(store.names(asked(media(b"a" * 50)))) for _ in range(2))
    await store.begun.wait()
    first.cancel()
    store.gate.set()
    assert await second == ["file-2"]
    store.failures = [Overloaded("no")]
    with pytest.raises(Overloaded):
        await store.names(asked(media(b"b" * 50)))
    assert await store.names(asked(media(b"b" * 50))) == ["file-4"]


async def test_only_so_many_names_are_remembered() -> None:
    store = Store(capacity=1)
    for content in (b"a", b"b", b"a"):
        await store.names(asked(media(content * 50)))
    assert len(store.sent) == 3


async def test_an_upload_is_not_named_any_more_when_it_is_about_to_expire() -> None:
    store = Store(lifetime_s=0)
    for _ in range(2):
        await store.names(asked(media(b"a" * 50)))
    assert len(store.sent) == 2


async def test_a_medium_that_is_too_large_for_anything_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match=r"The image “plan” has 61 bytes; Vendor takes 60 at most."):
        await Store().uploads.placed(asked(media(b"a" * 61, name="plan")))


async def test_such_a_medium_in_the_past_does_not_end_the_conversation() -> None:
    store = Store()
    large = media(b"a" * 61)
    past = (Message("user", (large,)), Message("assistant", (Text("ok"),)))
    placed = await store.uploads.placed(asked(before=past))
    (note,) = placed.messages[0].parts
    assert isinstance(note, Text)
    assert note.text.startswith("[image left out: The image has")
    with pytest.raises(InvalidRequest):
        await store.uploads.placed(ModelRequest("m", (*past, Message("user", (large,)), Message("user", (Text("see"),)))))


async def test_what_the_provider_has_lost_is_uploaded_anew() -> None:
    store = Store()
    request = await store.uploads.placed(asked(media(b"a" * 50)))
    assert not store.uploads.lost(request, Overloaded("file-1"))
    assert not store.uploads.lost(request, InvalidRequest("max_tokens is too large"))
    assert not store.uploads.lost(asked(), ModelNotFound("File not found: file-1"))
    assert store.uploads.lost(request, ModelNotFound("no such thing: file-1"))
    assert store.uploads.lost(request, InvalidRequest("The file has expired"))
    assert await store.names(request) == ["file-2"]


async def test_what_was_uploaded_is_deleted_in_the_end() -> None:
    store = Store()
    for content in (b"a", b"b"):
        await store.names(asked(media(content * 50)))
    await store.uploads.aclose()
    await store.uploads.aclose()
    assert store.removed == ["file-1", "file-2"]


async def test_a_provider_that_does_not_answer_the_farewell_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmconfig.providers.uploads._FAREWELL_S", 0.01)

    left: list[str] = []

    async def never(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.append(name)

    store = Store()
    store.uploads._remove = never
    await store.names(asked(media(b"a" * 50)))
    await store.uploads.aclose()
    assert left == ["file-1"]
