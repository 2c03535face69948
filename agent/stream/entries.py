"""Stream entries as Valkey sends them, and the commands that fetch them. In bytes, whatever the client decodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from redis.exceptions import ResponseError

from agent.stream.log import RunEvent, stream_key
from agent.stream.pipe import round_trip
from agent.stream.resp import bulk, pack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.asyncio import Redis

Entry: TypeAlias = tuple[bytes, list[bytes]]
"""An id and its fields, as [name, value, …]."""

_SLACK = 5.0


async def read_streams(client: Redis, positions: Mapping[bytes, bytes], *, count: int, wait: float) -> dict[bytes, list[Entry]]:
    """XREAD: entries after each key's position, at most `count` a key; {} after `wait` seconds without any. Raises one of pipe.AWAY."""
    head: tuple[str | int, ...] = ("XREAD", "COUNT", count, "BLOCK", max(1, int(wait * 1000)), "STREAMS")
    command = b"".join((b"*%d\r\n" % (6 + 2 * len(positions)), *map(bulk, head), *map(bulk, positions), *map(bulk, positions.values())))
    reply = await ask(client, command, wait=wait + _SLACK)
    return dict(reply or ())  # RESP3 sends a map, RESP2 pairs


async def stored(client: Redis, run_id: str, *, start: int = 0, newest: bool = False, count: int = 1) -> list[RunEvent]:
    """The first events from seq `start` on, or the newest ones. Raises one of pipe.AWAY."""
    bounds = ("XREVRANGE", stream_key(run_id), "+", "-") if newest else ("XRANGE", stream_key(run_id), f"{start}-0", "+")
    return events_of(await ask(client, pack(*bounds, "COUNT", count)))


async def ask(client: Redis, command: bytes, *, wait: float = _SLACK) -> Any:
    """The reply to one packed command. Raises what it answers when that is an error, or one of pipe.AWAY."""
    (reply,) = await round_trip(client, [command], within=wait)
    if isinstance(reply, ResponseError):
        raise reply
    return reply


def events_of(entries: list[Entry]) -> list[RunEvent]:
    return [RunEvent(int(id.partition(b"-")[0]), fields[1].decode(), fields[3].decode()) for id, fields in entries]
