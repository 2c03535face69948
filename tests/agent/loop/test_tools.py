"""Where a call goes: at once, to a person, or back to the model with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from agent.loop.plan import PendingCall
from agent.loop.tools import DENIED, EXPIRED, NOW_ASKS, REFUSED, ToolTurn, decide_calls, refusal
from llmconfig.llm import Text, ToolCall, ToolResult
from tests.agent.loop.doubles import offered, plan

TOOLS = (offered("find"), offered("delete", "ask"), offered("drop", "refuse", reason="Denied here."), offered("mute", "refuse"))


def call(name: str, malformed: str | None = None, id: str = "c") -> ToolCall:
    return ToolCall(id, name, {}, malformed)


@pytest.mark.parametrize(
    ("asked", "state", "says"),
    [
        (call("crm__find"), "requested", ""),
        (call("crm__delete"), "waiting", ""),
        (call("crm__drop"), "refused", "Denied here."),
        (call("crm__mute"), "refused", "not allowed here"),
        (call("crm__delete", "{oops"), "refused", "not a JSON object: {oops"),
        (call("crm__delete", ""), "refused", "cut off before the arguments"),
        (call("crm__find", "x" * 900), "refused", "x" * 200),
        (call("nothing"), "refused", "no tool named nothing"),
    ],
)
def test_policy_decides_and_refusals_say_why(asked: ToolCall, state: str, says: str) -> None:
    (decided,) = decide_calls([asked], TOOLS)
    assert decided.state == state
    if state == "refused":
        assert says in refusal(decided)
        assert len(refusal(decided)) < 300


RESULT = ToolResult("c", (Text("ok"),))


@pytest.mark.parametrize(
    ("state", "tool", "result", "becomes"),
    [
        ("finished", offered("find"), RESULT, "ok"),
        ("denied", offered("find"), None, DENIED),
        ("expired", offered("find"), None, EXPIRED),
        ("refused", offered("find"), None, REFUSED),
        ("waiting", offered("find", "ask"), None, "waiting"),
        ("approved", offered("find", "ask"), None, "runs"),
        ("requested", offered("find"), None, "runs"),
        ("requested", offered("find", "ask"), None, NOW_ASKS),
        ("approved", offered("find", "refuse", reason="Blocked."), None, "Blocked."),
        ("approved", None, None, "There is no tool named crm__find. Use one of the tools you were given."),
        ("dispatched", offered("find", repeatable=True), None, "runs"),
        ("dispatched", offered("find"), None, "unknown"),
        ("dispatched", None, None, "unknown"),
    ],
)
def test_a_pending_call_goes_where_it_belongs(state: Any, tool: Any, result: Any, becomes: str) -> None:
    turn = ToolTurn.resumed(
        plan(tools=(tool,) if tool else ()), [PendingCall(call("crm__find"), state, result=result, definition_hash="hash")]
    )
    assert turn.order == ["c"]
    assert (turn.waiting, turn.unknown, len(turn.runnable)) == (becomes == "waiting", becomes == "unknown", becomes == "runs")
    if turn.ready:
        assert turn.ready["c"].parts == (Text(becomes),)
        assert turn.ready["c"].is_error is (state != "finished")
        assert turn.unrecorded == ({"c"} if state != "finished" else set())


def test_an_approval_holds_for_the_definition_it_was_given_for() -> None:
    turn = ToolTurn.resumed(plan(tools=(offered("find", "ask"),)), [PendingCall(call("crm__find"), "approved", definition_hash="older")])
    assert not turn.runnable
    assert turn.ready["c"].parts == (Text(NOW_ASKS),)
