"""A right that is taken away while the agent speaks or waits: it stops within a heartbeat, and keeps what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.models import Run
from agent.services.access import NO_CONFIG, NO_PERSON, NO_TOKEN
from agent.services.claims import sweep
from llmconfig.models import ApiToken, Membership, UserLLMConfig
from tests.agent.events import log_of
from tests.agent.worker.chat import data_of, model_at, types
from tests.agent.worker.conftest import wait_until
from tests.fakes.script import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from agent.models import Service
    from tests.agent.worker.chat import Chat
    from tests.fakes.anthropic import FakeAnthropic
    from tests.llmconfig.people import Person


def revoke_token(alice: Person) -> None:
    token = ApiToken.objects.get(user=alice.user)
    assert alice.client().delete(f"/api/tokens/{token.pk}").status_code == 204


def make_viewer(alice: Person) -> None:
    Membership.objects.filter(user=alice.user).update(role="viewer")


def disable_config(alice: Person) -> None:
    config = UserLLMConfig.objects.get(provider_type="anthropic")
    assert alice.client().patch(f"/api/user/llm-config/{config.pk}", {"is_enabled": False}).status_code == 200


@pytest.mark.parametrize(("take", "why"), [(revoke_token, NO_TOKEN), (make_viewer, NO_PERSON), (disable_config, NO_CONFIG)])
def test_promise_12_a_running_run_stops_within_a_heartbeat_and_keeps_what_was_said(
    take: Callable[[Person], None], why: str, chat: Chat, alice: Person, anthropic: FakeAnthropic, settings: SettingsWrapper
) -> None:
    settings.HEARTBEAT_S = 0.05
    anthropic.script(Answer(text="one two three four", hang_after=6))
    run_id = chat.say("Count", model_at(alice, anthropic))
    wait_until(lambda: "text.delta" in types(log_of(run_id)))
    take(alice)
    assert anthropic.wait_for(lambda fake: fake.calls[0].outcome == "left", 5)
    chat.worker.finish()
    run = Run.objects.get(id=run_id)
    assert (run.status, run.error_kind, run.error_detail) == ("failed", "access_revoked", why)
    said = run.messages.get(role="assistant")
    assert said.status == "partial"
    assert "one two three four".startswith(said.parts[0]["text"])
    assert run.steps.get().attempts.get().status == "cancelled"
    events = log_of(run_id)
    assert events[-1][1:] == ("run.failed", {"kind": "access_revoked", "detail": why})


def test_promise_12_a_run_that_waits_for_its_person_ends_with_the_next_sweep(chat: Chat, alice: Person, demo: Service) -> None:
    run_id = chat.say("Close ticket T-1031")
    chat.worker.finish()
    assert Run.objects.get(id=run_id).status == "waiting_approval"
    make_viewer(alice)
    sweep()
    chat.worker.finish()
    run = Run.objects.get(id=run_id)
    assert (run.status, run.error_kind, run.error_detail) == ("failed", "access_revoked", NO_PERSON)
    assert [call.status for step in run.steps.all() for call in step.tool_calls.all()][-1] == "expired"
    told: list[dict[str, Any]] = data_of(log_of(run_id), "run.failed")
    assert told == [{"kind": "access_revoked", "detail": NO_PERSON}]
