"""Which of the calls a model asked for may run now, must ask, or are refused with a reason the model can use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.loop.intents import CallDecision
from agent.loop.plan import OfferedTool, PendingCall, RunPlan
from llmconfig.llm import Text, ToolCall, ToolResult

if TYPE_CHECKING:
    from collections.abc import Sequence

DENIED = "The user denied this call. Do not repeat it; ask what to do instead."
REFUSED = "This call was refused: its arguments were no JSON object, or the tool may not be used here."
CUT_OFF = "Your answer was cut off before the arguments of this call, so it did not run."
NOW_ASKS = "This tool has come to need the user's approval. Call it again to ask for it."
CHANGED = "This tool changed its definition and is blocked until someone approves it under Settings, Services."
EXPIRED = "Nobody decided on this call in time, so it did not run. Ask the user before trying it again."

_MAY_NOT_RUN = {"denied": DENIED, "expired": EXPIRED, "refused": REFUSED}


def decide_calls(calls: Sequence[ToolCall], tools: Sequence[OfferedTool]) -> tuple[CallDecision, ...]:
    by_name = {offered.tool.name: offered for offered in tools}
    return tuple(_decide(call, by_name.get(call.name)) for call in calls)


def _decide(call: ToolCall, tool: OfferedTool | None) -> CallDecision:
    if tool is None or tool.verdict == "refuse" or call.malformed is not None:
        return CallDecision(call, tool, "refused")
    return CallDecision(call, tool, "waiting" if tool.verdict == "ask" else "requested")


def refusal(decision: CallDecision) -> str:
    """Why a call was refused, in words for the model."""
    call, tool = decision.call, decision.tool
    if tool is None:
        return f"There is no tool named {call.name}. Use one of the tools you were given."
    if call.malformed == "":
        return CUT_OFF
    if call.malformed is not None:
        return f"The arguments were not a JSON object: {call.malformed[:200]}"
    return tool.reason or "This tool is not allowed here."


@dataclass(slots=True)
class ToolTurn:
    """The calls of one step, sorted by what happens to them now.

    ready: results already known (refused, denied, or finished before a worker was lost); unrecorded names those not yet stored.
    """

    decisions: Sequence[CallDecision] = ()
    runnable: list[tuple[ToolCall, OfferedTool]] = field(default_factory=list[tuple[ToolCall, OfferedTool]])
    ready: dict[str, ToolResult] = field(default_factory=dict[str, ToolResult])
    unrecorded: set[str] = field(default_factory=set[str])
    order: list[str] = field(default_factory=list[str])
    waiting: bool = False
    unknown: bool = False

    def __post_init__(self) -> None:
        for decision in self.decisions:
            self.order.append(decision.call.id)
            if decision.state == "waiting":
                self.waiting = True
            elif decision.state == "refused" or decision.tool is None:
                self._answer(decision.call.id, refusal(decision))
            else:
                self.runnable.append((decision.call, decision.tool))

    @classmethod
    def resumed(cls, plan: RunPlan, pending: Sequence[PendingCall]) -> ToolTurn:
        """The turn of a run that goes on after a person decided, or after its worker was lost."""
        by_name = {offered.tool.name: offered for offered in plan.tools}
        turn = cls()
        for item in pending:
            turn.order.append(item.call.id)
            turn._resume(item, by_name.get(item.call.name))
        return turn

    def _resume(self, item: PendingCall, tool: OfferedTool | None) -> None:
        call = item.call
        if item.state == "finished" and item.result is not None:
            self.ready[call.id] = item.result
        elif item.state in _MAY_NOT_RUN:
            self._answer(call.id, _MAY_NOT_RUN[item.state])
        elif item.state == "waiting":
            self.waiting = True
        elif item.state == "dispatched" and not (tool and tool.repeatable):
            self.unknown = True
        elif tool is None or tool.verdict == "refuse":
            self._answer(call.id, refusal(CallDecision(call, tool, "refused")))
        elif (item.state == "requested" and tool.verdict == "ask") or (
            item.state == "approved" and item.definition_hash != tool.definition_hash
        ):
            self._answer(call.id, NOW_ASKS)
        else:
            self.runnable.append((call, tool))

    def _answer(self, call_id: str, text: str) -> None:
        self.ready[call_id] = ToolResult(call_id, (Text(text),), is_error=True)
        self.unrecorded.add(call_id)
