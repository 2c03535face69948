"""Text for a cell of a CSV file, which no spreadsheet takes for a formula."""

from __future__ import annotations

import unicodedata
from typing import Final

_STARTS: Final = frozenset("=+-@|%\u2212")
_QUOTES: Final = frozenset("\"'`")
_INVISIBLE_OR_QUOTE: Final = ("C", "Z", "Pi", "Pf")


def as_text(cell: str) -> str:
    """With an apostrophe in front where a spreadsheet could see the beginning of a formula (OWASP, CSV Injection).

    That is after white space, quotes and what cannot be seen, too, and in full-width forms; a tab or line end in front counts as well.
    """
    if cell[:1] in ("\t", "\r", "\n"):
        return f"'{cell}"
    for char in cell:
        plain = unicodedata.normalize("NFKC", char)[:1]
        if plain.isspace() or plain in _QUOTES or unicodedata.category(char).startswith(_INVISIBLE_OR_QUOTE):
            continue
        return f"'{cell}" if plain in _STARTS else cell
    return cell
