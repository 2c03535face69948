"""What a sealed value is bound to, and the one way in which opening fails."""

from __future__ import annotations

from dataclasses import dataclass


class Unreadable(Exception):
    """A sealed value cannot be opened: another row's, another key's, damaged, or its key is gone. Says nothing of its content."""


@dataclass(frozen=True, slots=True)
class Context:
    """Where a value lives. Sealed for one place, it opens in no other.

    owner: a user's id, or "" for what the organization shares. row: the row's UUID.
    """

    table: str
    field: str
    organization: str
    owner: str
    row: str

    def info(self) -> bytes:
        """`v1|table|field|organization|owner|uuid`. Raises ValueError for a part that would make the joint ambiguous."""
        parts = (self.table, self.field, self.organization, self.owner, self.row)
        if any("|" in part for part in parts) or not (self.table and self.field and self.organization and self.row):
            raise ValueError("a context needs a table, field, organization and row, none with a |")
        return "|".join(("v1", *parts)).encode()
