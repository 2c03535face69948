"""Cursor pages of rows that are counted: messages of a conversation, tools of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import NotFound

from llmconfig.tenancy.rest.pagination import NewestFirst

if TYPE_CHECKING:
    from rest_framework.request import Request


class ByPosition(NewestFirst):
    ordering: Any = ("position",)
    page_size = 200

    def decode_cursor(self, request: Request) -> Any:
        """A forged cursor is not found, like any that DRF itself cannot read. Our positions are numbers, those of other lists moments."""
        cursor = super(NewestFirst, self).decode_cursor(request)
        position = "" if cursor is None or cursor.position is None else str(cursor.position)
        if not position.isascii() or (position and not position.isdigit()) or len(position) > 9:
            raise NotFound(self.invalid_cursor_message)
        return cursor
