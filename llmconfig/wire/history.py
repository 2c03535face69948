"""The one repair pass over a conversation before it is encoded, so that no wire has to cope with a broken one.

After it: the user speaks first, roles alternate, no message is empty or only thinking, every call has exactly one result, in call order
and directly after its message, only provider data of this very provider and model is left, and only media that can be sent.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from llmconfig.llm import Media, Message, Part, Text, Thinking, ToolCall, ToolResult
from llmconfig.wire.encoding import left_out, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from llmconfig.llm import ModelRequest, ProviderData

SealedPart = TypeVar("SealedPart", Text, ToolCall)

NO_RESULT: Final = "The call was interrupted: no result was recorded."
NO_BEGINNING: Final = "[The beginning of this conversation was left out.]"
SILENT_FAILURE: Final = "The tool failed without saying why."


def repaired(
    request: ModelRequest,
    *,
    provider: str,
    carries: Callable[[ModelRequest, Media], bool],
    seals: frozenset[str] = frozenset(),
) -> tuple[Message, ...]:
    """The history of a request, repaired for the wire whose `carries` and seals these are."""
    return repair(request.messages, provider=provider, model=request.model, seals=seals, carries=partial(carries, request))


def repair(
    messages: Sequence[Message],
    *,
    provider: str,
    model: str,
    seals: frozenset[str] = frozenset(),
    carries: Callable[[Media], bool] = lambda _: True,
) -> tuple[Message, ...]:
    """A repaired copy; the messages given are not touched. Raises `InvalidRequest` for media of the newest turn that cannot be sent.

    carries: whether wire and model take a medium. What they do not take, and was said to another model or returned by a tool, is
    left out with a note in its place: a refusal there would end the conversation for good.
    seals: the keys of provider data that let a thought be sent back. A thought of this model that carries none of them
    (an interrupted stream leaves an empty signature) would be refused by the provider for as long as the conversation lives.
    A text that is nothing but such a seal (Gemini sends one behind its answer) goes back as it came.
    """
    results = _first_results(messages)
    kept = [tuple(parts) for parts in _all_kept(messages, provider, model, seals)]
    newest = max((at for at, parts in enumerate(kept) if parts), default=-1)
    repaired: list[Message] = []
    if any(kept) and messages[next(at for at, parts in enumerate(kept) if parts)].role == "assistant":
        repaired.append(Message("user", (Text(NO_BEGINNING),)))  # no vendor lets the model speak first
    for at, (message, parts) in enumerate(zip(messages, kept, strict=True)):
        if not parts:
            continue
        if message.role == "user":
            parts = tuple(_fitted(part, carries, asked=at == newest) for part in parts)
        if repaired and repaired[-1].role == message.role:
            parts = repaired.pop().parts + parts
        repaired.append(Message(message.role, parts))
        calls = repaired[-1].tool_calls
        if calls:
            repaired.append(Message("tool", tuple(_answer(call, results.get(call.id), carries) for call in calls)))
    return tuple(repaired)


def unsealed(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The same without what only the account that made it can read again: thoughts, and the seals on texts and calls."""
    return tuple(
        replace(message, parts=tuple(_unsealed(part) for part in message.parts if not isinstance(part, Thinking))) for message in messages
    )


def _unsealed(part: Part) -> Part:
    if isinstance(part, ToolCall) and part.provider_data is not None:
        data = part.provider_data
        return replace(part, provider_data=replace(data, data={key: value for key, value in data.data.items() if key == "id"}))
    return replace(part, provider_data=None) if isinstance(part, Text) else part


def _fitted(part: Any, carries: Callable[[Media], bool], *, asked: bool = False) -> Any:
    if not isinstance(part, Media) or carries(part):
        return part
    if asked:
        raise refused(part)
    return Text(left_out(part))


def _first_results(messages: Iterable[Message]) -> dict[str, ToolResult]:
    results: dict[str, ToolResult] = {}
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolResult):
                results.setdefault(part.tool_call_id, part)
    return results


def _all_kept(messages: Iterable[Message], provider: str, model: str, seals: frozenset[str]) -> Iterator[Sequence[Part]]:
    """Of each message what this model may see again. A call that is there twice is sent once."""
    called: set[str] = set()
    for message in messages:
        once: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolCall):
                if part.id in called:
                    continue
                called.add(part.id)
            once.append(part)
        yield _kept(Message(message.role, tuple(once)), provider, model, seals)


def _kept(message: Message, provider: str, model: str, seals: frozenset[str]) -> Sequence[Part]:
    match message.role:
        case "user":
            return [part for part in message.parts if isinstance(part, Media) or (isinstance(part, Text) and part.text.strip())]
        case "assistant":
            kept = [part for part in (_own(part, provider, model, seals) for part in message.parts) if part is not None]
            while kept and isinstance(kept[-1], Thinking):  # a thought that leads to nothing is refused by every vendor
                kept.pop()
            return kept
        case _:
            return ()  # each result is placed with its call


def _own(part: Part, provider: str, model: str, seals: frozenset[str]) -> Part | None:
    """The part of an assistant message as this model may see it again, or None."""
    match part:
        case Thinking(provider_data=data):
            return part if data and data.belongs_to(provider, model) and _is_sealed(data, seals) else None
        case Text(text, data):
            own = _stripped(part, data, provider, model)
            return own if text.strip() or (own.provider_data and _is_sealed(own.provider_data, seals)) else None
        case ToolCall(provider_data=data):
            return _stripped(part, data, provider, model)
        case _:
            return None


def _is_sealed(data: ProviderData, seals: frozenset[str]) -> bool:
    return any(data.data.get(key) for key in seals)


def _stripped(part: SealedPart, data: ProviderData | None, provider: str, model: str) -> SealedPart:
    return part if data is None or data.belongs_to(provider, model) else replace(part, provider_data=None)


def _answer(call: ToolCall, result: ToolResult | None, carries: Callable[[Media], bool]) -> ToolResult:
    if result is None:
        return ToolResult(call.id, (Text(NO_RESULT),), is_error=True)
    parts = tuple(_fitted(part, carries) for part in result.parts if isinstance(part, Media) or part.text.strip())
    if not parts and result.is_error:
        parts = (Text(SILENT_FAILURE),)
    return result if parts == result.parts else replace(result, parts=parts)
