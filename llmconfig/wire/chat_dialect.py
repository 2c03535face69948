"""In what the servers that imitate Chat Completions differ from each other, as one value that a vendor's file states."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from llmconfig.wire.names import call_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llmconfig.llm import Message, ModelRequest

Echo: TypeAlias = Literal["", "reasoning_content", "reasoning_details"]

MISTRAL: Final = re.compile(r"(?i)(mis|mix|minis|magis)tral|(codes|devs)tral|pixtral|voxtral")
"""Models whose chat template is Mistral's, whoever serves them."""
_SHORT_ID: Final = re.compile(r"[A-Za-z0-9]{9}")
BRIDGE: Final = "OK."


def _nothing(_: ModelRequest) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Dialect:
    """asks: this vendor's own fields of the body, laid over the common ones; None takes one out.

    echo: the field in which the vendor wants its own thinking back. `reasoning_content` is its text, and may not be missing where
    there are calls; `reasoning_details` is a list, sent back as it came.
    mistral: whether all models here have Mistral's template, whatever they are called. It takes call ids of nine letters and digits
    only, and no user directly behind a tool (mistralai/mistral-vibe#578, langchain-ai/langchain#24668).
    """

    asks: Callable[[ModelRequest], Mapping[str, Any]] = _nothing
    echo: Echo = ""
    mistral: bool = False

    @property
    def seals(self) -> frozenset[str]:
        """For `repair`: what lets a thought be sent back."""
        return frozenset({self.echo}) if self.echo else frozenset()

    def laid_over(self, body: dict[str, Any], request: ModelRequest) -> dict[str, Any]:
        return {name: value for name, value in {**body, **self.asks(request)}.items() if value is not None}

    def is_mistral(self, request: ModelRequest) -> bool:
        return self.mistral or bool(MISTRAL.search(request.model))

    def call_ids(self, history: Sequence[Message], request: ModelRequest) -> dict[str, str]:
        ids = call_ids(history)
        if not self.is_mistral(request):
            return ids
        return {own: wire if _SHORT_ID.fullmatch(wire) else sha256(wire.encode()).hexdigest()[:9] for own, wire in ids.items()}


def bridged(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with an assistant's word between a tool's result and the user."""
    joined: list[dict[str, Any]] = []
    for message in messages:
        if joined and joined[-1]["role"] == "tool" and message["role"] == "user":
            joined.append({"role": "assistant", "content": BRIDGE})
        joined.append(message)
    return joined


PLAIN: Final = Dialect()
