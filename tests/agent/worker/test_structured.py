"""Runs with a schema for their answer and a wish how much to think, through the real runtime."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.agent.worker.chat import model_at
from tests.fakes.script import Answer, Call

if TYPE_CHECKING:
    from agent.models import Service
    from tests.agent.worker.chat import Chat
    from tests.fakes.anthropic import FakeAnthropic
    from tests.fakes.openai import FakeOpenAI
    from tests.llmconfig.people import Person

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "open": {"type": "integer"}},
    "required": ["name", "open"],
    "additionalProperties": False,
}
GOOD = {"name": "Alice", "open": 3}


def test_the_demo_provider_calls_its_tools_and_answers_by_the_schema(chat: Chat, demo: Service) -> None:
    run = chat.ask("Show me the open tickets", output_schema=SCHEMA)
    assert (run["status"], len(run["steps"])) == ("completed", 2)
    assert json.loads(chat.texts[-1]) == {"name": "demo", "open": 0}
    chat.check_told()


def test_an_answer_that_misses_is_sent_back_to_the_model(chat: Chat, alice: Person, openai: FakeOpenAI) -> None:
    openai.script(Answer('{"name": "Alice"}'), Answer(json.dumps(GOOD)))
    run = chat.ask("Who?", model_at(alice, openai), output_schema=SCHEMA, reasoning={"effort": "high"})
    assert (run["status"], run["error"], len(run["steps"])) == ("completed", None, 2)
    assert [json.loads(text) for text in chat.texts] == [{"name": "Alice"}, GOOD]
    first, second = (call.body or {} for call in openai.calls)
    assert first["text"]["format"]["strict"] is True
    assert (first["reasoning"], first["prompt_cache_key"]) == ({"effort": "high"}, chat.id)
    assert "'open' is a required property" in second["input"][-1]["content"][0]["text"]
    chat.check_told()


def test_a_run_without_such_an_answer_fails(chat: Chat, alice: Person, openai: FakeOpenAI) -> None:
    openai.script(Answer("Sorry."), Answer("Sorry again."))
    run = chat.ask("Who?", model_at(alice, openai), output_schema=SCHEMA)
    assert (run["status"], run["error"]["kind"]) == ("failed", "invalid_output")
    chat.check_told()


def test_a_model_without_schemas_answers_by_a_tool_after_the_real_ones(
    chat: Chat, alice: Person, demo: Service, anthropic: FakeAnthropic
) -> None:
    anthropic.models = ["claude-3-7-sonnet-20250219"]
    anthropic.script(
        Answer("Let me look.", calls=(Call("demo__search_tickets", {"status": "open"}),)),
        Answer("Here it is.", calls=(Call("respond_with_answer", GOOD),)),
        Answer("And now in words."),
    )
    run = chat.ask("Who?", model_at(alice, anthropic), output_schema=SCHEMA, reasoning={"effort": "low"})
    assert (run["status"], run["finish_reason"]) == ("completed", "stop")
    assert [[call["name"] for call in step["tool_calls"]] for step in run["steps"]] == [["search_tickets"], []]
    assert json.loads(chat.texts[-1]) == GOOD
    chat.ask("And in words?")
    first, _, third = (call.body or {} for call in anthropic.calls)
    assert (first["thinking"]["budget_tokens"], first["tools"][-1]["name"]) == (2048, "respond_with_answer")
    assert "respond_with_answer" not in json.dumps(third)
    chat.check_told()
