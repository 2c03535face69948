"""The run event log: append, replay after. Pure Python on redis-py; no Django.

This facade is the public surface; `__all__` is a contract.
"""

from agent.stream.connect import async_client, client
from agent.stream.control import listen, publish_cancel
from agent.stream.flusher import Flusher, RunLog
from agent.stream.log import TERMINAL, LogConflict, LogError, LogExpired, LogStale, RunEvent
from agent.stream.pipe import AWAY
from agent.stream.reader import Heartbeat, follow
from agent.stream.sse import PING, format_event
from agent.stream.tail import Seat, Tail
from agent.stream.writer import append, expired, forget, last_seq, take

__all__ = [
    "AWAY",
    "PING",
    "TERMINAL",
    "Flusher",
    "Heartbeat",
    "LogConflict",
    "LogError",
    "LogExpired",
    "LogStale",
    "RunEvent",
    "RunLog",
    "Seat",
    "Tail",
    "append",
    "async_client",
    "client",
    "expired",
    "follow",
    "forget",
    "format_event",
    "last_seq",
    "listen",
    "publish_cancel",
    "take",
]
