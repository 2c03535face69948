"""A person's answer to a tool call that asked: approve, deny, or settle one whose outcome nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from django.db import transaction
from django.utils import timezone

from agent.loop.codec import part_to_json
from agent.models import Run, ServiceTool, ToolCall, ToolGrant
from agent.services.calls import canonical_hash
from agent.services.claims import requeue_if_decided
from agent.services.doorbell import nudge
from agent.services.recorded import note_call, note_grant
from llmconfig.llm import Text, ToolResult
from llmconfig.tenancy.audit import Actor
from llmconfig.tenancy.errors import Conflict

if TYPE_CHECKING:
    from uuid import UUID

    from llmconfig.tenancy.caller import Caller

Remember = Literal["run", "always"]
EXPIRED = "The time to decide on this call is over."
RAN = "The user says that this call ran; its result was lost."


def decide_call(*, caller: Caller, call_id: UUID, approve: bool, remember: Remember | None = None) -> ToolCall:
    """Bound to the run, its owner, the definition and the arguments as they were asked; single use.

    Raises Conflict once the call is decided, expired, or its tool's definition has changed.
    """
    with transaction.atomic():
        call = _locked(caller, call_id)
        if call.status != ToolCall.Status.WAITING:
            raise Conflict(f"This call is already {call.get_status_display().lower()}.", code="already_decided")
        if call.expires_at is not None and call.expires_at < timezone.now():
            raise Conflict(EXPIRED, code="approval_expired")
        if approve:
            _require_unchanged(call)
        changes: dict[str, Any] = {"decided_at": timezone.now(), "decided_by": caller.user, "is_decision_announced": False}
        changes["status"] = ToolCall.Status.APPROVED if approve else ToolCall.Status.DENIED
        if not ToolCall.objects.filter(id=call.id, status=ToolCall.Status.WAITING).update(**changes):
            raise Conflict(EXPIRED, code="approval_expired")  # the sweeper was quicker
        call.refresh_from_db()
        granted = _grant(caller, call, remember) if approve and remember is not None and call.service_id is not None else None
        _go_on(call)
        note_call(
            "tool_call.approved" if approve else "tool_call.denied", Actor.of(caller), call, **({"remember": remember} if approve else {})
        )
        if granted is not None:
            note_grant("grant.created", Actor.of(caller), granted)
    return call


def resolve_call(*, caller: Caller, call_id: UUID, outcome: Literal["ran", "run_again", "skip"]) -> ToolCall:
    """Settle a call whose worker was lost while it was in flight. Raises Conflict when its outcome is not unknown."""
    with transaction.atomic():
        call = _locked(caller, call_id)
        if call.status != ToolCall.Status.UNKNOWN or call.step.run.status not in Run.ACTIVE:
            raise Conflict("The outcome of this call is not in doubt.", code="already_decided")
        changes: dict[str, Any] = {"decided_by": caller.user, "decided_at": timezone.now()}
        match outcome:
            case "ran":
                result = part_to_json(ToolResult(str(call.id), (Text(RAN),)))
                changes |= {"status": ToolCall.Status.FINISHED, "result": result, "is_error": False}
            case "run_again":
                changes |= {"status": ToolCall.Status.APPROVED}
            case "skip":
                changes |= {"status": ToolCall.Status.DENIED, "is_decision_announced": False}
        ToolCall.objects.filter(id=call.id).update(**changes)
        call.refresh_from_db()
        _go_on(call)
        note_call("tool_call.resolved", Actor.of(caller), call, outcome=outcome)
    return call


def _locked(caller: Caller, call_id: UUID) -> ToolCall:
    """The call, with its run locked: a worker that is just pausing, and a second answer, wait for this one."""
    mine = ToolCall.objects.filter(step__run__organization=caller.organization, step__run__user=caller.user)
    run_id = mine.values_list("step__run_id", flat=True).get(id=call_id)
    Run.objects.select_for_update().get(id=run_id)
    return mine.select_related("step__run").get(id=call_id)


def _require_unchanged(call: ToolCall) -> None:
    if call.arguments_hash != canonical_hash(call.arguments):
        raise Conflict("The arguments are not those that were asked about.", code="edited")
    tool = ServiceTool.objects.filter(service=call.service_id, name=call.name).first()
    if tool is None or tool.definition_hash != call.definition_hash or tool.state != ServiceTool.State.APPROVED:
        raise Conflict("The tool's definition has changed since. Review it under Settings, Services.", code="definition_changed")


def _grant(caller: Caller, call: ToolCall, remember: Remember) -> ToolGrant | None:
    """None when it stands already."""
    grant, is_new = ToolGrant.objects.get_or_create(
        user=caller.user,
        service=call.service,
        tool_name=call.name,
        definition_hash=call.definition_hash,
        run=call.step.run if remember == "run" else None,
    )
    return grant if is_new else None


def _go_on(call: ToolCall) -> None:
    """Queue the run again once nothing of it is open. A run still in its worker's hands goes on by itself."""
    if requeue_if_decided(call.step.run_id):
        nudge(call.step.run_id)
