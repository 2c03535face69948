"""A string that never shows itself: repr, str, format, pickle and JSON are all masked."""

from __future__ import annotations

import hmac
from typing import Final, NoReturn

MASK: Final = "••••"


def is_mask(text: str) -> bool:
    """Whether this is what people are shown in place of a secret, or what a form makes of one: sent back, it means what is stored."""
    return text.startswith("…") or MASK in text or (bool(text) and set(text) <= set("*•.… "))


class Secret:
    """Holds a credential. `reveal()` is the only way to its text; call it where the request is built, nowhere else."""

    __slots__ = ("__text", "__weakref__")

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        return self.__text

    reveal.alters_data = True  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]  # so a template does not call it

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __len__(self) -> int:
        return len(self.__text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.__text.encode(), other.__text.encode())

    __hash__ = None  # type: ignore[assignment]  # a hash of a credential must not become a cache key

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is never pickled")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled")

    def hint(self) -> str:
        """`…wxyz`, or nothing of a key under 12 characters (security.md, promise 5)."""
        return f"…{self.__text[-4:]}" if len(self.__text) >= 12 else ""
