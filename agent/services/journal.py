"""Makes the loop's intents durable: each in one transaction that first proves, by the fence, that the run is still ours."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from agent.loop.codec import part_to_json, public
from agent.loop.intents import (
    AttemptSettled,
    BeginAttempt,
    BlockTool,
    DispatchTools,
    EndAttempt,
    EndRun,
    EndStep,
    EndTool,
    FenceLost,
    FindLarger,
    Intent,
    NoteTools,
    ReleaseRun,
    RevealKey,
    RevealService,
    ToolSettled,
    WaitForPerson,
)
from agent.models import Attempt, Conversation, Message, Run, Step, ToolCall
from agent.services.calls import call_row, services_of
from agent.services.claims import Claim, requeue_if_decided
from agent.services.doorbell import nudge
from agent.services.listing import block_tool, note_tools
from agent.services.presentation import message_json, money, when
from agent.services.revealing import reveal_key, reveal_service
from agent.services.toolmedia import ReceivedResult, receive_result
from agent.services.units import unit_of_work
from llmconfig.services import USES, larger_models, note_outcome, price_attempt
from llmconfig.tenancy.caller import caller_for
from llmconfig.tenancy.errors import Forbidden

if TYPE_CHECKING:
    from collections.abc import Callable


def commit_intent(claim: Claim, intent: Intent, *, seq: int) -> Any:
    """Commit one intent with the claim's fence. seq: the last event number given out so far.

    Raises FenceLost when the run is no longer this claim's.
    """
    if isinstance(intent, EndTool):
        return _commit_result(claim, intent, seq)
    with unit_of_work():
        _hold(claim, seq)
        return _COMMITS[type(intent)](claim, intent, seq)


def _commit_result(claim: Claim, intent: EndTool, seq: int) -> ToolSettled:
    """What a tool returned may hold media, whose bytes are written before the transaction and taken back should it fail."""
    received = receive_result(claim.run, intent.result)
    try:
        with unit_of_work():
            _hold(claim, seq)
            return _end_tool(claim, intent, received)
    except BaseException:
        received.discard()
        raise


def _hold(claim: Claim, seq: int) -> None:
    held = Run.objects.filter(id=claim.run, fence=claim.fence, status=Run.Status.RUNNING)
    lease = timezone.now() + timedelta(seconds=settings.LEASE_S)
    if not held.update(event_seq=seq, lease_expires_at=lease):
        raise FenceLost


def _begin_attempt(claim: Claim, intent: BeginAttempt, seq: int) -> None:
    step = Step.objects.filter(run_id=claim.run, index=intent.step).first()
    if step is None:
        step = Step.objects.create(run_id=claim.run, index=intent.step, first_seq=seq)
    else:
        step.attempts.filter(status=Attempt.Status.DISPATCHED).update(status=Attempt.Status.LOST)
    deployment = intent.deployment
    config, user = Run.objects.values_list("config_id", "user_id").get(id=claim.run)  # null once they were deleted under the run
    if config is not None:
        transaction.on_commit(lambda: USES.note(config, user))
    Attempt.objects.create(
        id=intent.attempt,
        step=step,
        config_id=config,
        provider=deployment.provider,
        model=deployment.model,
        created_at=timezone.now(),
    )


def _end_attempt(claim: Claim, intent: EndAttempt, seq: int) -> AttemptSettled:
    deployment, usage, now = intent.deployment, intent.usage, timezone.now()
    cost = price_attempt(
        provider_type=deployment.provider,
        model=deployment.priced_as or deployment.model,
        usage=usage,
        at=now,
        base_url=deployment.base_url,
        prices=deployment.prices,
    )
    # The counts of what did not end are those of its beginning (Anthropic's say one token of output): a floor, and no measure.
    evidence = cost.evidence if cost.amount is None or intent.status == "completed" else "estimated"
    Attempt.objects.filter(id=intent.attempt).update(
        status=intent.status,
        error_kind=intent.error_kind,
        error_detail=intent.error_detail[:2000],
        latency_ms=intent.latency_ms,
        ttft_ms=intent.ttft_ms,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cost=cost.amount,
        currency=cost.currency,
        evidence=evidence,
        price_version=cost.version,
        rate_limits=intent.limits.as_dict() if intent.limits else None,
    )
    if intent.status != "cancelled":
        note_outcome(
            config=UUID(deployment.config),
            secret_version=deployment.secret_version,
            error_kind=intent.error_kind,
            detail=intent.error_detail,
        )
    message = _store_answer(claim, intent, seq) if intent.message is not None else None
    expires_at = now + timedelta(seconds=settings.APPROVAL_TTL_S)
    if intent.calls:
        step = Step.objects.get(run_id=claim.run, index=intent.step)
        services = services_of(intent.calls)
        rows = [call_row(step, index, decision, services) for index, decision in enumerate(intent.calls)]
        for row in rows:
            row.expires_at = expires_at if row.status == ToolCall.Status.WAITING else None
        ToolCall.objects.bulk_create(rows)
    elif intent.status == "completed":
        Step.objects.filter(run_id=claim.run, index=intent.step).update(is_finished=True)
    return AttemptSettled(
        message=message_json(message) if message else None,
        cost=money(cost.amount),
        currency=cost.currency,
        evidence=evidence,
        expires_at=when(expires_at) if intent.calls else None,
    )


def _store_answer(claim: Claim, intent: EndAttempt, seq: int) -> Message:
    assert intent.message is not None  # noqa: S101  # for the type checker
    finished = intent.finished if intent.status == "completed" else None
    return _append_message(
        claim,
        seq,
        role=Message.Role.ASSISTANT,
        parts=[part_to_json(part) for part in intent.message.parts],
        provider=intent.deployment.provider,
        model=intent.deployment.model,
        finish_reason=str(finished.reason) if finished else "other",
        finish_raw=finished.raw[:60] if finished else intent.status,
        status=Message.Status.COMPLETED if intent.status == "completed" else Message.Status.PARTIAL,
    )


def _append_message(claim: Claim, seq: int, **fields: Any) -> Message:
    conversation = Run.objects.values_list("conversation_id", flat=True).get(id=claim.run)
    last = Message.objects.filter(conversation_id=conversation).aggregate(last=Max("position"))["last"]
    now = timezone.now()
    Conversation.objects.filter(id=conversation).update(updated_at=now)
    return Message.objects.create(
        conversation_id=conversation, run_id=claim.run, position=(last or 0) + 1, after_seq=seq, created_at=now, **fields
    )


def _dispatch_tools(claim: Claim, intent: DispatchTools, seq: int) -> None:
    ready = [ToolCall.Status.REQUESTED, ToolCall.Status.APPROVED, ToolCall.Status.DISPATCHED]
    calls = ToolCall.objects.filter(id__in=intent.calls, step__run_id=claim.run, status__in=ready)
    if calls.update(status=ToolCall.Status.DISPATCHED) != len(intent.calls):
        raise FenceLost


def _block_tool(claim: Claim, intent: BlockTool, seq: int) -> bool | None:
    return block_tool(service_id=UUID(intent.endpoint), definition=intent.definition)


def _note_tools(claim: Claim, intent: NoteTools, seq: int) -> None:
    note_tools(service_id=UUID(intent.endpoint), definitions=intent.definitions)


def _find_larger(claim: Claim, intent: FindLarger, seq: int) -> tuple[str, ...]:
    run = Run.objects.select_related("user", "organization").get(id=claim.run)
    if run.user is None:
        return ()
    try:
        return tuple(larger_models(caller_for(run.user, run.organization), intent.window))
    except Forbidden:  # no member any more
        return ()


def _end_tool(claim: Claim, intent: EndTool, received: ReceivedResult) -> ToolSettled:
    result = received.keep(claim.run)
    kept = [ToolCall.Status.DENIED, ToolCall.Status.EXPIRED, ToolCall.Status.REFUSED]
    calls = ToolCall.objects.filter(id=intent.call, step__run_id=claim.run)
    calls.update(result=result, is_error=intent.result.is_error, latency_ms=intent.latency_ms, is_decision_announced=True)
    if intent.status == "finished":
        calls.update(status=ToolCall.Status.FINISHED)
    else:
        calls.exclude(status__in=kept).update(status=ToolCall.Status.REFUSED)
    return ToolSettled(received.result, public(result["parts"]))


def _end_step(claim: Claim, intent: EndStep, seq: int) -> dict[str, Any]:
    Step.objects.filter(run_id=claim.run, index=intent.step).update(is_finished=True)
    stored = dict(ToolCall.objects.filter(step__run_id=claim.run, step__index=intent.step).values_list("id", "result"))
    parts = [stored.get(UUID(result.tool_call_id)) or part_to_json(result) for result in intent.results]
    return message_json(_append_message(claim, seq, role=Message.Role.TOOL, parts=parts))


def _wait_for_person(claim: Claim, intent: WaitForPerson, seq: int) -> None:
    """Pause. A person may have been quicker than we were: then the run is queued again at once."""
    Run.objects.filter(id=claim.run).update(status=Run.Status.WAITING_APPROVAL, lease_owner="", lease_expires_at=None)
    if intent.reason == "unknown_outcome":
        dispatched = ToolCall.objects.filter(step__run_id=claim.run, status=ToolCall.Status.DISPATCHED)
        dispatched.update(status=ToolCall.Status.UNKNOWN)
    if requeue_if_decided(claim.run):
        nudge(claim.run)


def _end_run(claim: Claim, intent: EndRun, seq: int) -> None:
    calls = ToolCall.objects.filter(step__run_id=claim.run)
    calls.filter(status=ToolCall.Status.DISPATCHED).update(status=ToolCall.Status.UNKNOWN)
    calls.filter(status=ToolCall.Status.WAITING).update(status=ToolCall.Status.EXPIRED)
    run = Run.objects.filter(id=claim.run)
    run.update(
        status=intent.status,
        finish_reason=intent.finish_reason,
        error_kind=intent.error_kind,
        error_detail=intent.error_detail[:2000],
        finished_at=timezone.now(),
        lease_owner="",
        lease_expires_at=None,
    )


def _release_run(claim: Claim, intent: ReleaseRun, seq: int) -> None:
    Run.objects.filter(id=claim.run).update(status=Run.Status.QUEUED, lease_owner="", lease_expires_at=None)
    nudge(claim.run)


_COMMITS: dict[type[Any], Callable[[Claim, Any, int], Any]] = {
    RevealKey: reveal_key,
    RevealService: reveal_service,
    BeginAttempt: _begin_attempt,
    EndAttempt: _end_attempt,
    DispatchTools: _dispatch_tools,
    BlockTool: _block_tool,
    NoteTools: _note_tools,
    FindLarger: _find_larger,
    EndStep: _end_step,
    WaitForPerson: _wait_for_person,
    EndRun: _end_run,
    ReleaseRun: _release_run,
}
