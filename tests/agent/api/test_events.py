"""/api/runs/{id}/events: replay, follow, reconnect, and every answer that is no stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient

from agent.models import Conversation, Run
from agent.services import live
from agent.services.conversations import delete_conversation
from agent.stream import RunEvent, append, client
from llmconfig.tenancy.accounts import create_api_token
from tests.agent.events import parse_sse
from tests.agent.rows import queued_run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.llmconfig.people import Person

    Get = Callable[..., Awaitable[Any]]

pytestmark = [pytest.mark.usefixtures("valkey"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def run(alice: Person) -> Run:
    return queued_run(alice)


@pytest.fixture
def token(alice: Person) -> str:
    return create_api_token(user=alice.user, organization=alice.organization, name="test")[1]


@pytest.fixture
async def get(run: Run, token: str) -> AsyncIterator[Get]:
    """GET the run's events through the ASGI handler, as uvicorn does."""

    async def get(query: dict[str, str] | None = None, *, run_id: object = run.id, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): value for name, value in headers.items()}}
        return await AsyncClient(raise_request_exception=False).get(f"/api/runs/{run_id}/events", query, headers=sent)

    yield get
    await live.leave_loop()
    await sync_to_async(connections.close_all)()  # of the thread that the views ran in


def logged(run: Run, *types: str, over: bool = True) -> None:
    append(live.valkey(), str(run.id), 1, [RunEvent.of(seq, type, {"n": seq}) for seq, type in enumerate(types, 1)])
    if over:
        Run.objects.filter(id=run.id).update(status="completed")


@pytest.fixture
def told(run: Run) -> None:
    """A whole log of three events."""
    logged(run, "run.started", "text.delta", "run.completed")


async def read(response: Any) -> bytes:
    return b"".join([chunk async for chunk in response.streaming_content])


async def seqs(response: Any) -> list[int]:
    return [seq for seq, _, _ in parse_sse([await read(response)])]


def code(response: Any) -> str:
    found: str = response.json()["errors"][0]["code"]
    return found


async def test_events_are_replayed_to_the_terminal_one(get: Get, told: None) -> None:
    response = await get()
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/event-stream")
    assert (response["Cache-Control"], response["X-Accel-Buffering"]) == ("no-store", "no")
    body = await read(response)
    assert parse_sse([body]) == [(1, "run.started", {"n": 1}), (2, "text.delta", {"n": 2}), (3, "run.completed", {"n": 3})]
    assert body.startswith(b'id: 1\nevent: run.started\ndata: {"n":1}\n\n')


async def test_a_reader_goes_on_where_it_was(get: Get, told: None) -> None:
    assert await seqs(await get(Last_Event_ID="1")) == [2, 3]
    assert await seqs(await get({"after": "2"})) == [3]
    assert await seqs(await get(Last_Event_ID="3")) == []


async def test_the_header_of_a_reconnect_comes_before_the_query(get: Get, told: None) -> None:
    assert await seqs(await get({"after": "0"}, Last_Event_ID="2")) == [3]


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "\u00b2", "9999999999", "1-0", "NaN"])
async def test_an_event_id_is_a_whole_number(get: Get, after: str) -> None:
    for response in (await get(Last_Event_ID=after), await get({"after": after})):
        assert response.status_code == 400
        assert response.json()["errors"][0]["attr"] == "after"


async def test_a_log_that_is_gone_says_so(get: Get, run: Run) -> None:
    await Run.objects.aupdate(status="completed")
    response = await get()
    assert (response.status_code, code(response)) == (410, "log_expired")


async def test_a_log_that_was_trimmed_says_so(get: Get, run: Run) -> None:
    append(live.valkey(), str(run.id), 1, [RunEvent.of(40, "text.delta", {"text": "x"})])
    response = await get({"after": "3"})
    assert (response.status_code, code(response)) == (410, "log_expired")


async def test_a_stream_follows_a_run_that_is_still_speaking(get: Get, run: Run) -> None:
    logged(run, "run.started", over=False)
    stream = (await get()).streaming_content
    chunks = [await anext(stream)]
    append(live.valkey(), str(run.id), 1, [RunEvent.of(2, "run.cancelled", {})])
    chunks += [chunk async for chunk in stream]
    assert [(seq, type) for seq, type, _ in parse_sse(chunks)] == [(1, "run.started"), (2, "run.cancelled")]


async def test_a_stream_may_begin_before_its_run_does(get: Get, run: Run) -> None:
    response = await get()
    assert response.status_code == 200
    logged(run, "run.started", "run.completed", over=False)
    assert await seqs(response) == [1, 2]


async def test_a_stream_ends_where_the_log_has_a_hole(get: Get, run: Run) -> None:
    logged(run, "run.started", over=False)
    stream = (await get()).streaming_content
    assert b"run.started" in await anext(stream)
    append(live.valkey(), str(run.id), 1, [RunEvent.of(5, "text.delta", {"text": "x"})], over_loss=True)
    assert [chunk async for chunk in stream] == []


async def test_an_accept_header_of_an_event_source_is_fine(get: Get, told: None) -> None:
    assert (await get(Accept="text/event-stream")).status_code == 200
    refused = await get(run_id=uuid4(), Accept="text/event-stream")
    assert refused.status_code == 404
    assert refused["Content-Type"].startswith("application/json")


async def test_without_valkey_events_are_unavailable(get: Get, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = client("redis://127.0.0.1:1")
    monkeypatch.setattr(live, "valkey", lambda: nowhere)
    response = await get()
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0


async def test_a_valkey_that_hangs_is_away_too(get: Get, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*args: object, **kwargs: object) -> bool:
        raise TimeoutError

    monkeypatch.setattr(live, "expired", hang)
    answer = await get()
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "unavailable")
    assert "Retry-After" in answer


def test_a_stream_keeps_no_database_connection(alice: Person, run: Run, told: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connection

    def kept(*_: object, **__: object) -> bool:
        return False

    monkeypatch.setattr(live, "log_expired", kept)
    response = alice.client().get(f"/api/runs/{run.id}/events")
    assert response.status_code == 200
    assert connection.connection is None


async def test_nothing_that_was_said_in_a_deleted_conversation_is_told_again(get: Get, run: Run, told: None, alice: Person) -> None:
    conversation = await Conversation.objects.aget(id=run.conversation_id)
    await sync_to_async(delete_conversation)(caller=alice.caller, conversation=conversation)
    response = await get()
    assert (response.status_code, response.json()["errors"][0]["code"]) == (410, "log_expired")
