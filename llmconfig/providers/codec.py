"""What a wire module offers to the providers that speak it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmconfig.llm import ModelRequest, ProviderError, StreamEvent


class Decoder(Protocol):
    """One answer; see `llmconfig.wire.decoding.StreamDecoder`."""

    @property
    def has_begun(self) -> bool: ...

    @property
    def is_whole(self) -> bool: ...

    def feed(self, data: bytes, /) -> list[StreamEvent]: ...

    def document(self, value: dict[str, Any], /) -> list[StreamEvent]: ...

    def flush(self) -> list[StreamEvent]: ...

    def close(self) -> None: ...


class Wire(Protocol):
    def encode(self, request: ModelRequest, *, provider: str) -> dict[str, Any]: ...

    def Decoder(self, request: ModelRequest, *, provider: str, label: str) -> Decoder: ...

    def error_from(self, status: int, body: bytes, headers: Mapping[str, str], *, label: str) -> ProviderError: ...
