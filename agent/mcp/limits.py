"""How much of us one service may use: time, bytes and tools."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and bytes. body_bytes counts after decompression, so that a gzip bomb is counted by what it unpacks to."""

    connect_seconds: float = 10.0
    list_seconds: float = 30.0
    idle_seconds: float = 300.0
    body_bytes: int = 8 * 1024 * 1024
    text_bytes: int = 256 * 1024
    tools: int = 1_000
    definition_bytes: int = 2 * 1024 * 1024
    pages: int = 100
