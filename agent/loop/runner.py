"""The agent loop: ask the model, run the tools it calls, and again, until it answers without a call.

Pure: it knows neither Django nor Celery nor Valkey. Everything it does goes through three ports (`Journal`, a `Provider`,
a `ToolCaller`), so that a test drives it with the demo provider and a list.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agent.loop import tokens
from agent.loop.answer import answer_problem, answers_so_far, complaint
from agent.loop.attempt import AttemptFailed, run_attempt
from agent.loop.context import Context, answer_limit
from agent.loop.intents import DispatchTools, EndRun, EndStep, EndTool, FenceLost, ReleaseRun, ToolSettled, WaitForPerson
from agent.loop.tools import ToolTurn
from llmconfig.llm import Message, Provider, ProviderError, ToolResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.loop.plan import RunPlan
    from agent.loop.ports import Journal, OpenProvider, Stop, ToolCaller

STOPPED_BY_DEADLINE = "The run took longer than this installation allows. Ask for less at once, or raise ROUTEKIT_RUN_TIMEOUT."
MISSED = "The answer does not fit the schema that was asked for, also after the model was told so. Ask again, or choose another model."
CUT = {
    "length": "The answer reached its limit of tokens before it was whole, and does not fit the schema. Raise the limit or ask for less.",
    "refusal": "The model refused, so that there is no answer by the schema. Rephrase the message.",
    "content_filter": "The provider's filter stopped the answer, so that it does not fit the schema. Rephrase the message.",
}
"""Why an answer that was cut does not fit: to ask for it again would cut it again."""
MAX_REPAIRS = 1


class Runner:
    """One claim of one run. `await run()` returns when the run has ended, waits for a person, or was given back."""

    def __init__(
        self, plan: RunPlan, *, journal: Journal, open_provider: OpenProvider, tools: ToolCaller, new_id: Callable[[], str], stop: Stop
    ) -> None:
        self.plan, self.journal, self.call_tool, self.new_id, self.stop = plan, journal, tools, new_id, stop
        self.open_provider = open_provider
        self.provider: Provider
        self.max_output_tokens, self.context = _context(plan)
        self.told_of_cuts = plan.resumed and not self.context.fit().is_whole
        self.answers = answers_so_far(plan.history)

    async def run(self) -> None:
        try:
            self._announce()
            self.provider = await self.open_provider()
            await self._loop()
        except AttemptFailed as failure:
            await self._end("failed", error_kind=failure.kind, error_detail=failure.detail)
        except ProviderError as error:
            await self._end("failed", error_kind=error.kind, error_detail=error.message)
        except asyncio.CancelledError:
            await self._stopped()
        except FenceLost:
            return

    def _announce(self) -> None:
        plan, emit = self.plan, self.journal.emit
        if plan.resumed:
            for pending in plan.pending:
                if not pending.announced:
                    decision = pending.state if pending.state in ("denied", "expired") else "approved"
                    emit("tool_call.decided", {"id": pending.call.id, "decision": decision, "by": pending.decided_by or None})
            emit("run.resumed", {})
        else:
            emit("run.started", {"run": plan.run, "conversation": plan.conversation, "target": dict(plan.target)})
        if plan.discard_after is not None:
            emit("step.restarted", {"index": plan.first_step, "discard_after": plan.discard_after})
        for message in plan.untold:
            emit("message.completed", {"message": dict(message)})
        for notice in plan.notices:
            emit("run.notice", {"detail": notice})

    async def _loop(self) -> None:
        step, pending = self.plan.first_step, self.plan.pending
        if self.plan.answered:
            if await self._concluded(self.plan.answered):
                return
        elif not pending and self.answers and self._said():  # lost while an answer was put right
            await self._sent_back()
        while True:
            if pending:
                turn = ToolTurn.resumed(self.plan, pending)
            else:
                if step > self.plan.max_steps:
                    await self._end("failed", error_kind="step_limit", error_detail=step_limit(self.plan.max_steps))
                    return
                answer = await run_attempt(self, step)
                self.context.append(answer.message)
                if not answer.decisions:
                    self.answers += 1
                    if await self._concluded(answer.finish):
                        return
                    step += 1
                    continue
                turn = ToolTurn(answer.decisions)
            if not await self._tools(step, turn):
                return
            step, pending = step + 1, ()

    async def _concluded(self, finish: str) -> bool:
        """End the run with the last answer, or send that back once, with what is wrong with it, when it does not meet the schema."""
        problem = await self._sent_back()
        if problem is None:
            await self._end("completed", finish_reason=finish)
            return True
        if finish in CUT:
            await self._end("failed", finish_reason=finish, error_kind="invalid_output", error_detail=CUT[finish])
            return True
        if self.answers > MAX_REPAIRS:
            await self._end("failed", finish_reason=finish, error_kind="invalid_output", error_detail=f"{MISSED} {problem}")
            return True
        return False

    async def _sent_back(self) -> str | None:
        """What is wrong with the last answer, which the model is then told; None where nothing is."""
        schema = self.plan.output_schema
        problem = None if schema is None else await asyncio.to_thread(answer_problem, self._said(), schema)
        if problem is not None:
            self.context.append(complaint(problem), begins_turn=False)
        return problem

    def _said(self) -> str:
        """The text of the answer that ends the conversation so far."""
        last = self.context.messages[-1]
        return last.text if last.role == "assistant" else ""

    async def _tools(self, step: int, turn: ToolTurn) -> bool:
        """Run what may run, in parallel. False when the run now waits for a person."""
        results = dict(turn.ready)
        for result in turn.ready.values():
            if result.tool_call_id in turn.unrecorded:
                results[result.tool_call_id] = await self._settle(EndTool(result.tool_call_id, result, "refused"))
        if turn.runnable:
            await self.journal.commit(DispatchTools(step, tuple(call.id for call, _ in turn.runnable)))
            done = await self._run_all(turn)
            results.update(done)
        if turn.waiting:
            await self._wait("tool")
            return False
        if turn.unknown:
            await self._wait("unknown_outcome")
            return False
        ordered = tuple(results[call_id] for call_id in turn.order)
        message = await self.journal.commit(EndStep(step, ordered))
        self.journal.emit("message.completed", {"message": message})
        self.context.append(Message("tool", ordered))
        return True

    async def _run_all(self, turn: ToolTurn) -> dict[str, ToolResult]:
        """All runnable calls at once; each result is made durable as it arrives."""
        loop = asyncio.get_running_loop()

        async def one(index: int) -> ToolResult:
            call, tool = turn.runnable[index]
            began = loop.time()
            result = await self.call_tool(tool, call.id, call.arguments)
            return await self._settle(EndTool(call.id, result, latency_ms=int((loop.time() - began) * 1000)))

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(index)) for index in range(len(turn.runnable))]
        except BaseExceptionGroup as raised:
            raise raised.exceptions[0] from None
        return {task.result().tool_call_id: task.result() for task in tasks}

    async def _settle(self, intent: EndTool) -> ToolResult:
        """Make a result durable and tell it; as it was stored, which is how the model and everyone else see it."""
        settled: ToolSettled = await self.journal.commit(intent)
        result = settled.result
        self.journal.emit("tool_call.finished", {"id": intent.call, "is_error": result.is_error, "parts": settled.parts})
        return result

    async def _wait(self, reason: str) -> None:
        """Tell the log first: once the row says `waiting`, the next claim writes to the log and ours must be complete."""
        self.journal.emit("run.waiting", {"reason": reason})
        await self.journal.flush()
        await self.journal.commit(WaitForPerson(reason))  # type: ignore[arg-type]

    async def _end(self, status: str, *, finish_reason: str = "", error_kind: str = "", error_detail: str = "") -> None:
        await self.journal.commit(EndRun(status, finish_reason, error_kind, error_detail))  # type: ignore[arg-type]
        data = {"kind": error_kind, "detail": error_detail} if status == "failed" else {}
        self.journal.emit(f"run.{status}", data)

    async def _stopped(self) -> None:
        """The task was cancelled: what that means for the run depends on who asked."""
        try:
            match self.stop.reason:
                case "user":
                    await self._end("cancelled")
                case "deadline":
                    await self._end("failed", error_kind="run_timeout", error_detail=STOPPED_BY_DEADLINE)
                case "revoked":
                    await self._end("failed", error_kind="access_revoked", error_detail=self.stop.detail)
                case "shutdown":
                    await self.journal.flush()
                    await self.journal.commit(ReleaseRun())
                case _:
                    return
        except FenceLost:
            return


def _context(plan: RunPlan) -> tuple[int | None, Context]:
    """The longest answer to ask for, and the history as far as it fits beside it."""
    ask, reserve = answer_limit(plan.max_output_tokens, limit=plan.output_limit, window=plan.context_window)
    fixed = tokens.of_text(plan.system) + tokens.of_tools(offered.tool for offered in plan.tools if offered.verdict != "refuse")
    context = Context(plan.history, window=plan.context_window, reserve=reserve, fixed=fixed, policy=plan.history_policy)
    if plan.measured is not None:
        context.measured_before(*plan.measured)
    return ask, context


def step_limit(steps: int) -> str:
    return f"The agent took {steps} steps without finishing. Ask it to go on, or raise ROUTEKIT_MAX_STEPS."
