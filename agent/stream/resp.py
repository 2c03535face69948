"""The three lines of the Redis protocol that packing a command takes, and reading a string back."""

from __future__ import annotations


def pack(*args: str | bytes | int) -> bytes:
    return b"*%d\r\n" % len(args) + b"".join(map(bulk, args))


def bulk(value: str | bytes | int) -> bytes:
    data = value if isinstance(value, bytes) else str(value).encode()
    return b"$%d\r\n%b\r\n" % (len(data), data)


def text(value: bytes | str) -> str:
    """What Valkey sent, whatever the client's `decode_responses` says."""
    return value if isinstance(value, str) else value.decode()
