"""The pieces of `reasoning_details` of a streamed answer, put together as they must be sent back.

https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_GROWING: Final = {"reasoning.text": "text", "reasoning.summary": "summary"}


class Details:
    """Details in the order in which they came. A text or summary comes in pieces of one type and index; what is encrypted comes whole."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: list[tuple[dict[str, Any], list[str]]] = []

    def __bool__(self) -> bool:
        return bool(self._rows)

    def add(self, pieces: Iterable[dict[str, Any]]) -> None:
        for piece in pieces:
            field = _GROWING.get(str(piece.get("type")))
            text = piece.get(field) if field else None
            words = [text] if isinstance(text, str) else []
            if self._rows and field and _same(self._rows[-1][0], piece):
                row, grown = self._rows[-1]
                row.update({name: value for name, value in piece.items() if value is not None and name != field})
                grown += words
            else:
                self._rows.append((dict(piece), words))

    def joined(self) -> list[dict[str, Any]]:
        return [{**row, _GROWING[row["type"]]: "".join(words)} if words else row for row, words in self._rows]


def _same(begun: dict[str, Any], piece: dict[str, Any]) -> bool:
    return (begun.get("type"), begun.get("index")) == (piece.get("type"), piece.get("index"))
