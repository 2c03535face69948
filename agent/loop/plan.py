"""What a run is given: plain values, read from the database before the loop begins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmconfig.llm import JSONObject, MediaKind, Message, Reasoning, TokenPrices, Tool, ToolCall, ToolResult

Verdict = Literal["run", "ask", "refuse"]
HistoryPolicy = Literal["trim", "refuse"]


@dataclass(frozen=True, slots=True)
class Deployment:
    """Config and model, as events name it.

    base_url: who an OpenAI-compatible server is, for its prices. priced_as: the vendor's name of the model, where it is another.
    prices: an admin's, which outweigh the list; as they were when the run was claimed. secret_version: of the config's key then.
    """

    config: str
    provider: str
    model: str
    base_url: str = ""
    priced_as: str = ""
    prices: TokenPrices | None = None
    secret_version: int = 0


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool the model may call, with what policy says of it.

    tool.name is the qualified neutral name, `service__tool`; `name` is the tool's own name at its service.
    verdict: run at once, ask the user first, or refuse; `reason` tells the model (and the user) why it is refused.
    repeatable: running it twice does no harm, so a call whose outcome was lost may simply run again.
    """

    tool: Tool
    service: str
    name: str
    endpoint: str
    verdict: Verdict
    definition_hash: str
    timeout_s: float = 120.0
    reason: str = ""
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class PendingCall:
    """A call of the last assistant message that has no result yet, with what became of its question.

    state: `waiting` for a person · `approved` may run · `denied` and `expired` may not · `requested` was never dispatched ·
    `dispatched` was in flight when a worker was lost, so its outcome is unknown · `refused` may not run, which the model was not told yet.
    definition_hash: of the tool as it was when the call was asked for, to which an approval is bound.
    """

    call: ToolCall
    state: Literal["waiting", "approved", "denied", "expired", "requested", "dispatched", "finished", "refused"]
    decided_by: str = ""
    announced: bool = True
    result: ToolResult | None = None
    definition_hash: str = ""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """One claim of a run. first_step is the index of the step to do next (or to finish, when calls are pending).

    untold: messages that were stored but whose `message.completed` a lost worker no longer wrote. answered: the finish reason of
    an answer that only lacks the run's end. inputs, context_window, output_limit, native_schema: what is known of the model, None where
    nobody knows. output_schema: what the text of the final answer shall meet; `agent.loop.answer` has judged that it can be asked for.
    measured: how many of the messages an earlier request to this very model held, and how many input tokens it was measured to take.
    """

    run: str
    conversation: str
    target: Mapping[str, Any]
    deployment: Deployment
    history: tuple[Message, ...]
    system: str = ""
    tools: tuple[OfferedTool, ...] = ()
    pending: tuple[PendingCall, ...] = ()
    first_step: int = 1
    max_steps: int = 25
    max_output_tokens: int | None = None
    options: JSONObject = field(default_factory=dict[str, Any])
    notices: tuple[str, ...] = ()
    resumed: bool = False
    discard_after: int | None = None
    untold: tuple[Mapping[str, Any], ...] = ()
    answered: str = ""
    inputs: frozenset[MediaKind] | None = None
    context_window: int | None = None
    output_limit: int | None = None
    reasoning: Reasoning | None = None
    output_schema: JSONObject | None = None
    native_schema: bool | None = None
    history_policy: HistoryPolicy = "trim"
    measured: tuple[int, int] | None = None
