"""The one error of a start that a person can mend."""

from __future__ import annotations


class StartError(Exception):
    """`make up` cannot go on. Its text says what happened and what to do next."""

    def __init__(self, happened: str, todo: str) -> None:
        super().__init__(f"{happened}\n{todo}")
