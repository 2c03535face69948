"""What a reader of run events knows: the messages of a conversation, put together from its runs' events alone.

The promise: folding the events of all runs of a conversation, with what the user said before each, gives what GET messages gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Event = tuple[int, str, dict[str, Any]]
"""seq, type and data."""

TERMINAL = ("run.completed", "run.failed", "run.cancelled")


class Disagreement(AssertionError):
    """The live events of a message are not what the message then said."""


def fold(events: Iterable[Event]) -> list[dict[str, Any]]:
    """The messages of one run, in order. Raises Disagreement where deltas, calls or results differ from the message they end in."""
    draft = _Draft()
    for _, type, data in events:
        draft.add(type, data)
    return draft.messages


def fold_conversation(runs: Iterable[tuple[Mapping[str, Any], Sequence[Event]]]) -> list[dict[str, Any]]:
    """runs: the user's message and the events of the run it began, oldest first."""
    return [message for said, events in runs for message in (dict(said), *fold(events))]


class _Draft:
    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.deltas: dict[str, list[str]] = {"text": [], "thinking": []}
        self.calls: dict[str, dict[str, Any]] = {}
        self.results: dict[str, dict[str, Any]] = {}

    def add(self, type: str, data: dict[str, Any]) -> None:
        match type:
            case "text.delta" | "thinking.delta":
                self.deltas[type.removesuffix(".delta")].append(data["text"])
            case "step.restarted" | "attempt.started":
                self._forget_deltas()
            case "tool_call.requested":
                self.calls[data["id"]] = data
                self._check_call(data)
            case "tool_call.finished":
                self.results[data["id"]] = data
            case "message.completed":
                self._complete(data["message"])

    def _complete(self, message: dict[str, Any]) -> None:
        if message["role"] == "assistant":
            self._check_answer(message)
        else:
            self._check_results(message)
        self.messages.append(message)

    def _check_answer(self, message: dict[str, Any]) -> None:
        for kind, pieces in self.deltas.items():
            said = "".join(part["text"] for part in message["parts"] if part["type"] == kind)
            if pieces and "".join(pieces) != said and (kind == "text" or message["status"] == "completed"):
                raise Disagreement(f"The {kind} deltas say {''.join(pieces)!r}, the message {said!r}.")
        self._forget_deltas()

    def _check_call(self, data: dict[str, Any]) -> None:
        parts = {part["id"]: part for message in self.messages for part in message["parts"] if part["type"] == "tool_call"}
        part = parts.get(data["id"])
        if part is None or part["arguments"] != data["arguments"] or (part["service"], part["name"]) != (data["service"], data["name"]):
            raise Disagreement(f"{data} was asked for, the message has {part}.")

    def _check_results(self, message: dict[str, Any]) -> None:
        for part in message["parts"]:
            live = self.results.get(part["tool_call_id"])
            if live is not None and (live["parts"], live["is_error"]) != (part["parts"], part["is_error"]):
                raise Disagreement(f"{live} was told, the message has {part}.")

    def _forget_deltas(self) -> None:
        for pieces in self.deltas.values():
            pieces.clear()
