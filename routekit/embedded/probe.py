"""Asks a service of ours over HTTP whether it is well, without an HTTP library."""

from __future__ import annotations

import asyncio
import contextlib

ANSWER_WITHIN_S = 5.0


async def get(host: str, port: int, path: str, *, host_header: str) -> tuple[int, str]:
    """Status and body of one GET; (0, "") when nothing answers in time."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            return await _get(host, port, path, host_header)
    except (OSError, TimeoutError, ValueError, IndexError):
        return 0, ""


async def _get(host: str, port: int, path: str, host_header: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host_header}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read(64 * 1024)).partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), body.decode(errors="replace")
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
