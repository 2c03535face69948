"""The fold that other tests rely on must itself be able to say no."""

from __future__ import annotations

from typing import Any

import pytest

from tests.agent.fold import Disagreement, Event, fold, fold_conversation

CALL = {"type": "tool_call", "id": "c1", "name": "find", "service": "crm", "arguments": {"q": "x"}}
ASKED = {"id": "c1", "name": "find", "service": "crm", "arguments": {"q": "x"}}
RESULT = {"type": "tool_result", "tool_call_id": "c1", "parts": [{"type": "text", "text": "ok"}], "is_error": False}


def assistant(*parts: dict[str, Any], status: str = "completed") -> dict[str, Any]:
    return {"role": "assistant", "parts": list(parts), "status": status}


def numbered(*events: tuple[str, dict[str, Any]]) -> list[Event]:
    return [(number, type, data) for number, (type, data) in enumerate(events, 1)]


def text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def test_a_whole_run_folds_to_its_messages() -> None:
    first, last = assistant(text("Look"), CALL), assistant(text("Done"))
    told = {"role": "tool", "parts": [RESULT], "status": "completed"}
    events = numbered(
        ("text.delta", {"text": "Lo"}),
        ("text.delta", {"text": "ok"}),
        ("message.completed", {"message": first}),
        ("tool_call.requested", ASKED),
        ("tool_call.finished", {"id": "c1", "is_error": False, "parts": RESULT["parts"]}),
        ("message.completed", {"message": told}),
        ("text.delta", {"text": "Done"}),
        ("message.completed", {"message": last}),
    )
    assert fold(events) == [first, told, last]
    said = {"role": "user", "parts": [text("hi")]}
    assert fold_conversation([(said, events)]) == [said, first, told, last]


def test_a_restarted_step_forgets_its_deltas() -> None:
    whole = assistant(text("Again"))
    events = numbered(
        ("text.delta", {"text": "Lost"}),
        ("step.restarted", {"index": 1, "discard_after": 0}),
        ("text.delta", {"text": "Again"}),
        ("message.completed", {"message": whole}),
    )
    assert fold(events) == [whole]


@pytest.mark.parametrize(
    "events",
    [
        [("text.delta", {"text": "one"}), ("message.completed", {"message": assistant(text("two"))})],
        [("message.completed", {"message": assistant(CALL)}), ("tool_call.requested", ASKED | {"arguments": {}})],
        [("tool_call.requested", ASKED)],
        [
            ("tool_call.finished", {"id": "c1", "is_error": True, "parts": RESULT["parts"]}),
            ("message.completed", {"message": {"role": "tool", "parts": [RESULT]}}),
        ],
    ],
)
def test_live_events_that_differ_from_their_message_are_found(events: list[tuple[str, dict[str, Any]]]) -> None:
    with pytest.raises(Disagreement):
        fold(numbered(*events))
