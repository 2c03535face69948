"""One attempt: one deployment asked once, its stream turned into live events and one durable answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agent.loop.codec import split_name
from agent.loop.fitting import fit, request_of, tell
from agent.loop.intents import AttemptSettled, BeginAttempt, CallDecision, EndAttempt
from agent.loop.tools import decide_calls
from llmconfig.llm import (
    Accumulator,
    ContextTooLong,
    FinishReason,
    Message,
    ProviderError,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
)

if TYPE_CHECKING:
    from agent.loop.context import Fitted
    from agent.loop.plan import Deployment
    from agent.loop.runner import Runner
    from llmconfig.llm import ModelRequest, RateLimits


_VISIBLE = (TextDelta, ThinkingDelta, ToolCallDelta)


class AttemptFailed(Exception):
    """The attempt failed and is settled; kind and detail go to the user."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind, self.detail = kind, detail


@dataclass(frozen=True, slots=True)
class Answer:
    message: Message
    decisions: tuple[CallDecision, ...]
    finish: str


async def run_attempt(runner: Runner, step: int) -> Answer:
    """Ask the model. A request that its provider finds too long although it seemed to fit is cut and sent once more.

    Raises AttemptFailed, or passes CancelledError on, after the attempt is settled; and ContextTooLong, with nothing sent, for a
    conversation that does not fit.
    """
    return await _try(runner, step, is_last=False) or cast("Answer", await _try(runner, step, is_last=True))


async def _try(runner: Runner, step: int, *, is_last: bool) -> Answer | None:
    """One attempt; None when it is to be made once more."""
    fitted = await fit(runner, must=not is_last)
    attempt = _Attempt(runner, step, fitted, is_retry=is_last)
    try:
        return await attempt.run()
    except ProviderError as error:
        again = isinstance(error, ContextTooLong) and not is_last and attempt.first is None and runner.context.tighten()
        await attempt.settle("failed", error.kind, error.detail, limits=error.limits)
        after = named(attempt.deployment) if again else None
        runner.journal.emit("attempt.failed", {"attempt": attempt.id, "kind": error.kind, "detail": error.message, "next": after})
        if not again:
            raise AttemptFailed(error.kind, error.message) from None
        return None
    except asyncio.CancelledError:
        if runner.stop.reason in ("user", "deadline", "revoked"):
            await attempt.settle("cancelled", "cancelled", "")
        raise


def named(deployment: Deployment) -> dict[str, str]:
    return {"provider": deployment.provider, "model": deployment.model, "config": deployment.config}


class _Attempt:
    def __init__(self, runner: Runner, step: int, fitted: Fitted, *, is_retry: bool) -> None:
        plan = runner.plan
        self.runner, self.step, self.id = runner, step, runner.new_id()
        self.fitted, self.is_retry = fitted, is_retry
        self.deployment = plan.deployment
        self.fold = Accumulator(provider=plan.deployment.provider, model=plan.deployment.model, new_id=runner.new_id)
        self.loop = asyncio.get_running_loop()
        self.began: float | None = None
        self.first: float | None = None
        self.settled = False

    async def run(self) -> Answer:
        runner, deployment = self.runner, self.deployment
        await runner.journal.commit(BeginAttempt(self.step, self.id, deployment))
        if not self.is_retry:
            runner.journal.emit("step.started", {"index": self.step})
        tell(runner, self.fitted)
        runner.journal.emit("attempt.started", {"attempt": self.id, **named(deployment)})
        runner.context.sent(self.fitted)
        self.began = self.loop.time()
        await self._stream(request_of(runner, self.fitted))
        runner.context.measured(self.fold.usage)
        return await self._answer()

    async def _stream(self, request: ModelRequest) -> None:
        """The hot path: every event of every stream passes here."""
        emit, add = self.runner.journal.emit, self.fold.add
        stream = self.runner.provider.stream(request)
        try:
            async for event in stream:
                add(event)
                if self.first is None and isinstance(event, _VISIBLE):
                    self.first = self.loop.time()
                if isinstance(event, TextDelta):
                    emit("text.delta", {"text": event.text})
                elif isinstance(event, ThinkingDelta):
                    emit("thinking.delta", {"text": event.text})
        finally:
            if (close := getattr(stream, "aclose", None)) is not None:
                await close()

    async def _answer(self) -> Answer:
        message = self.fold.message()
        decisions = decide_calls(message.tool_calls, self.runner.plan.tools)
        settled = await self.settle("completed", message=message, decisions=decisions)
        emit = self.runner.journal.emit
        for decision in decisions:
            emit("tool_call.requested", _call_data(decision))
        for decision in decisions:
            if decision.state == "waiting" and decision.tool is not None:
                extra = {"definition_hash": decision.tool.definition_hash, "expires_at": settled.expires_at}
                emit("tool_call.approval_required", _call_data(decision) | extra)
        reason = self.fold.finish.reason if self.fold.finish else FinishReason.OTHER
        return Answer(message, decisions, str(reason))

    async def settle(
        self,
        status: str,
        error_kind: str = "",
        error_detail: str = "",
        *,
        limits: RateLimits | None = None,
        message: Message | None = None,
        decisions: tuple[CallDecision, ...] = (),
    ) -> AttemptSettled:
        """Commit the end of the attempt, with the partial text of one that did not finish, and tell the log."""
        now = self.loop.time()
        if message is None:
            partial = self.fold.message(complete=False)
            message = partial if partial.text else None
        settled: AttemptSettled = await self.runner.journal.commit(
            EndAttempt(
                step=self.step,
                attempt=self.id,
                deployment=self.deployment,
                status=status,  # type: ignore[arg-type]
                usage=self.fold.usage,
                latency_ms=int((now - self.began) * 1000) if self.began is not None else 0,
                ttft_ms=int((self.first - self.began) * 1000) if self.first is not None and self.began is not None else None,
                message=message,
                finished=self.fold.finish,
                calls=decisions,
                error_kind=error_kind,
                error_detail=error_detail,
                limits=limits or self.fold.limits,
            )
        )
        if settled.message is not None:
            self.runner.journal.emit("message.completed", {"message": settled.message})
        usage = self.fold.usage
        self.runner.journal.emit(
            "usage.recorded",
            {
                "attempt": self.id,
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "cache_read_tokens": usage.cache_read_tokens,
                "cache_write_tokens": usage.cache_write_tokens,
                "reasoning_tokens": usage.reasoning_tokens,
                "cost": settled.cost,
                "currency": settled.currency,
                "evidence": settled.evidence,
            },
        )
        return settled


def _call_data(decision: CallDecision) -> dict[str, object]:
    call, tool = decision.call, decision.tool
    service, name = (tool.service, tool.name) if tool else split_name(call.name)
    return {"id": call.id, "name": name, "service": service, "arguments": dict(call.arguments)}
