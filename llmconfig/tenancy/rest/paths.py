"""Ids in paths: UUIDs, in either case, since RFC 9562 has them read so. Importing this makes `<id:name>` known to Django's `path`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import register_converter
from django.urls.converters import UUIDConverter

if TYPE_CHECKING:
    from uuid import UUID


class IdConverter(UUIDConverter):
    regex = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"

    def to_url(self, value: UUID | str) -> str:
        return str(value).lower()


register_converter(IdConverter, "id")
