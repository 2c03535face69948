"""One request from a run's history: fitted to the window, counted by the provider where it is close, refused where it is over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from agent.loop.intents import FindLarger
from llmconfig.llm import ContextTooLong, ModelRequest, ProviderError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.loop.context import Fitted
    from agent.loop.plan import HistoryPolicy
    from agent.loop.runner import Runner

COUNT_S: Final = 10.0
"""A count that takes longer is done without."""


async def fit(runner: Runner, *, must: bool) -> Fitted:
    """What the next request holds. must: raise ContextTooLong where it does not fit, before anything is sent."""
    context = runner.context
    fitted = context.fit()
    if context.wants_count:
        context.counted(fitted, await _count(runner, fitted))
        fitted = context.fit()
    if must and not fitted.fits:
        raise await _refusal(runner, fitted)
    return fitted


def request_of(runner: Runner, fitted: Fitted) -> ModelRequest:
    plan = runner.plan
    return ModelRequest(
        model=plan.deployment.model,
        messages=fitted.messages,
        system=plan.system,
        tools=tuple(offered.tool for offered in plan.tools if offered.verdict != "refuse"),
        max_output_tokens=runner.max_output_tokens,
        options=plan.options,
        reasoning=plan.reasoning,
        output_schema=plan.output_schema,
        native_schema=plan.native_schema,
        inputs=plan.inputs,
        cache_key=plan.conversation,
    )


def tell(runner: Runner, fitted: Fitted) -> None:
    """Once a run: that the model is not sent all of the conversation."""
    if fitted.is_whole or runner.told_of_cuts:
        return
    runner.told_of_cuts = True
    detail = describe(fitted, model=runner.plan.deployment.model, window=runner.context.window)
    runner.journal.emit("run.notice", {"detail": detail})


async def _count(runner: Runner, fitted: Fitted) -> int | None:
    try:
        async with asyncio.timeout(COUNT_S):
            return await runner.provider.count_tokens(request_of(runner, fitted))
    except (ProviderError, TimeoutError):
        return None  # the guess has to do; what is really wrong, the request itself will say


async def _refusal(runner: Runner, fitted: Fitted) -> ContextTooLong:
    context, plan = runner.context, runner.plan
    window = context.window or 0
    larger = await runner.journal.commit(FindLarger(window)) or ()
    told = too_long(fitted, model=plan.deployment.model, window=window, reserve=context.reserve, policy=plan.history_policy, larger=larger)
    return ContextTooLong(told)


def describe(fitted: Fitted, *, model: str, window: int | None) -> str:
    """What a person is told of a request that is not whole."""
    told: list[str] = []
    if fitted.left_out:
        told.append("the oldest message was left out" if fitted.left_out == 1 else f"the {fitted.left_out} oldest messages were left out")
    if fitted.shortened:
        told.append("1 tool result was shortened" if fitted.shortened == 1 else f"{fitted.shortened} tool results were shortened")
    reads = f" ({window:,} tokens)" if window else ""
    return f"This conversation is longer than {model} reads{reads}: {' and '.join(told)} in what it was sent. Nothing was deleted."


def too_long(fitted: Fitted, *, model: str, window: int, reserve: int, policy: HistoryPolicy, larger: Sequence[str]) -> str:
    """Why a request was not sent, with numbers, and which models would read it."""
    what = "This conversation takes" if policy == "refuse" else "Even without its older turns this conversation takes"
    why = f"{what} about {fitted.tokens:,} tokens; {model} reads {window:,}, of which {reserve:,} are kept for the answer."
    named = ", ".join(larger[:3])
    return f"{why} Larger windows have: {named}." if named else why
