"""An open stream of events ends once its listener would not be let in again: the token revoked, the role dropped, signed out."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient, Client
from django.utils import timezone

from agent.services import live
from agent.stream import RunEvent, append
from llmconfig.models import ApiToken, Membership, User
from llmconfig.tenancy.accounts import create_api_token
from tests.agent.rows import queued_run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from agent.models import Run
    from tests.llmconfig.people import Person

pytestmark = [pytest.mark.usefixtures("valkey"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def run(alice: Person) -> Run:
    run = queued_run(alice)
    append(live.valkey(), str(run.id), 1, [RunEvent.of(1, "run.started", {})])
    return run


@pytest.fixture(autouse=True)
async def _often(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(live, "PING_S", 0.02)
    yield
    await live.leave_loop()
    await sync_to_async(connections.close_all)()


async def by_token(alice: Person) -> AsyncClient:
    value = (await sync_to_async(create_api_token)(user=alice.user, organization=alice.organization, name="test"))[1]
    client = AsyncClient()
    client.defaults["Authorization"] = f"Bearer {value}"
    return client


async def by_session(alice: Person) -> AsyncClient:
    client = AsyncClient()
    await client.aforce_login(alice.user)
    return client


def revoke(client: AsyncClient) -> None:
    ApiToken.objects.all().delete()


def expire(client: AsyncClient) -> None:
    ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))


def deactivate(client: AsyncClient) -> None:
    User.objects.update(is_active=False)


def make_viewer(client: AsyncClient) -> None:
    Membership.objects.update(role="viewer")


def remove(client: AsyncClient) -> None:
    Membership.objects.all().delete()


def sign_out(client: AsyncClient) -> None:
    browser = Client()
    browser.cookies = client.cookies
    assert browser.post("/accounts/logout/").status_code == 302


def change_password(client: AsyncClient) -> None:
    user = User.objects.get()
    user.set_password("another long password")
    user.save()


async def hear(stream: AsyncIterator[bytes], chunks: int) -> list[bytes]:
    return [await anext(stream) for _ in range(chunks)]


async def open_stream(client: AsyncClient, run: Run) -> AsyncIterator[bytes]:
    response: Any = await client.get(f"/api/runs/{run.id}/events")
    assert response.status_code == 200
    stream: AsyncIterator[bytes] = aiter(response.streaming_content)
    heard = await hear(stream, 4)
    assert b"run.started" in heard[0]
    assert heard[1:] == [b": ping\n\n"] * 3  # whoever may listen goes on
    return stream


TAKEN = [
    *((by_token, take) for take in (revoke, expire, deactivate, make_viewer, remove)),
    *((by_session, take) for take in (sign_out, change_password, deactivate, make_viewer, remove)),
]


@pytest.mark.parametrize(("sign_in", "take"), TAKEN)
async def test_promise_12_a_silent_stream_ends(sign_in: Callable[..., Any], take: Callable[..., None], alice: Person, run: Run) -> None:
    client = await sign_in(alice)
    stream = await open_stream(client, run)
    await sync_to_async(take)(client)
    async with asyncio.timeout(10):
        assert {chunk async for chunk in stream} <= {b": ping\n\n"}
    answer = await client.get(f"/api/runs/{run.id}/events")
    assert answer.status_code in (401, 403)


@pytest.mark.parametrize(("sign_in", "take"), [(by_token, revoke), (by_session, sign_out)])
async def test_promise_12_a_stream_in_mid_speech_ends(
    sign_in: Callable[..., Any], take: Callable[..., None], alice: Person, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await sign_in(alice)
    stream = await open_stream(client, run)
    await sync_to_async(take)(client)
    ended = asyncio.Event()

    async def speak() -> None:
        seq = 1
        while not ended.is_set():
            seq += 1
            events = [RunEvent.of(seq, "text.delta", {"text": "x"})]
            await sync_to_async(append)(live.valkey(), str(run.id), 1, events)

    speaking = asyncio.ensure_future(speak())
    async with asyncio.timeout(10):
        async for _ in stream:
            pass
    assert not speaking.done(), "the speaker fell silent before the stream ended"
    ended.set()
    await speaking
