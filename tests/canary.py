"""Finds canary secrets wherever something was written: raw, in base64 wherever it begins, URL-encoded, in hex, or begun."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

from tests.database_files import database_files


def spellings(canary: str) -> list[bytes]:
    """What must be found nowhere. The pieces of base64 are those that do not depend on what stands beside the secret."""
    raw = canary.encode()
    found = [raw, quote(canary, safe="").encode(), raw.hex().encode(), raw[:12]]
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        found += [encoded[4:-4], encoded[4:-4].replace(b"+", b"-").replace(b"/", b"_")]
    return list(dict.fromkeys(found))


def leaks(canaries: dict[str, str], written: dict[str, bytes]) -> list[str]:
    """Which canary stands where, by their names."""
    found = ((name, form, place) for name, canary in canaries.items() for form in spellings(canary) for place in written)
    return [f"{name} in {place} as {form!r}" for name, form, place in found if form in written[place]]


def of_database(alias: str = "default") -> dict[str, bytes]:
    """Every column of every row of every table; on SQLite its files, too, with what was overwritten but not yet reused."""
    from django.db import connections

    connection = connections[alias]
    written: dict[str, bytes] = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608  # its own tables
            written[f"table {table}"] = b"\n".join(map(_bytes_of, cursor.fetchall()))
    assert len(written) > 20
    if connection.vendor == "sqlite":
        written |= {f"file {name}": content for name, content in database_files(connection.settings_dict["NAME"]).items()}
    return written


def _bytes_of(row: tuple[Any, ...]) -> bytes:
    return b"\x1f".join(bytes(value) if isinstance(value, (bytes, memoryview)) else str(value).encode() for value in row)


def of_valkey(url: str) -> dict[str, bytes]:
    """Every key with its value, whatever its type, and as it would lie on the disk."""
    import redis

    with redis.Redis.from_url(url) as client:
        readers = {
            b"string": client.get,
            b"list": lambda key: client.lrange(key, 0, -1),
            b"set": client.smembers,
            b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
            b"hash": client.hgetall,
            b"stream": client.xrange,
        }
        keys = client.keys()
        return {f"Valkey {key!r}": repr(readers[client.type(key)](key)).encode() + (client.dump(key) or b"") for key in keys}
