"""The demo provider: its rules, its reports, and that it behaves like any provider."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from llmconfig.llm import (
    Accumulator,
    Credentials,
    Finished,
    FinishReason,
    Message,
    ModelNotFound,
    ModelRequest,
    Reasoning,
    Text,
    TextDelta,
    ThinkingDelta,
    Tool,
    ToolCall,
    ToolResult,
    UsageReported,
)
from llmconfig.providers.demo import DemoProvider
from llmconfig.providers.demo_wishes import DEMO_TOOLS

DEMO = tuple(Tool(f"desk__{name}", "A tool of the demo service", {"type": "object"}) for name in sorted(DEMO_TOOLS))
OTHER = (Tool("calendar__add_event", "", {}), Tool("weather__today", "", {}))


def asking(text: str, tools: tuple[Tool, ...] = DEMO) -> ModelRequest:
    return ModelRequest("demo-1", (Message("user", (Text(text),)),), tools=tools, options={"pace_ms": 0})


def answered(text: str, *results: tuple[str, Any, bool], tools: tuple[Tool, ...] = DEMO) -> ModelRequest:
    """The conversation after the tools named in `results` returned: (name, value, is_error)."""
    calls = tuple(ToolCall(str(number), name, {}) for number, (name, _, _) in enumerate(results))
    returned = tuple(
        ToolResult(str(number), (Text(value if isinstance(value, str) else json.dumps(value)),), is_error)
        for number, (_, value, is_error) in enumerate(results)
    )
    request = asking(text, tools)
    return ModelRequest(
        "demo-1", (*request.messages, Message("assistant", calls), Message("tool", returned)), tools=tools, options=request.options
    )


async def answer(request: ModelRequest) -> Accumulator:
    numbers = iter(range(100))
    accumulator = Accumulator(provider="demo", model="demo-1", new_id=lambda: str(next(numbers)))
    async for event in DemoProvider(Credentials("demo:")).stream(request):
        accumulator.add(event)
    return accumulator


async def calls_of(request: ModelRequest) -> list[tuple[str, dict[str, Any]]]:
    return [(call.name, dict(call.arguments)) for call in (await answer(request)).message().tool_calls]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("Show me the open tickets", [("search_tickets", {"status": "open"})]),
        ("Are there tickets about export?", [("search_tickets", {"query": "export"})]),
        ("Give me an overview", [("search_tickets", {}), ("find_customers", {})]),
        ("List tickets and customers", [("search_tickets", {}), ("find_customers", {})]),
        ("Find the customer Tallgrass", [("find_customers", {"query": "tallgrass"})]),
        ("Close ticket t-1042", [("close_ticket", {"id": "T-1042", "resolution": "Closed at the user's request."})]),
        ("Close ticket T-1042 because it was paid", [("close_ticket", {"id": "T-1042", "resolution": "it was paid"})]),
        ("Delete customer C-209", [("delete_customer", {"id": "C-209"})]),
        ("Delete the customer Bluebell", [("find_customers", {"query": "bluebell"})]),
        (
            "Open an urgent ticket for C-203: No sign-in",
            [("create_ticket", {"title": "No sign-in", "customer_id": "C-203", "priority": "urgent"})],
        ),
        ("What is T-1031 about?", [("get_ticket", {"id": "T-1031"})]),
        ("Compare T-1031 and T-1032", [("get_ticket", {"id": "T-1031"}), ("get_ticket", {"id": "T-1032"})]),
        ("Who is C-201?", [("get_customer", {"id": "C-201"})]),
        ("What is our refund policy?", [("search_articles", {"query": "refund"})]),
        ("How do I invite guests?", [("search_articles", {"query": "invite"})]),
        ('search_tickets {"query": "saml"}', [("search_tickets", {"query": "saml"})]),
    ],
)
async def test_demo_tools_are_known_whatever_the_service_is_called(asked: str, expected: list[tuple[str, dict[str, Any]]]) -> None:
    made = await answer(asking(asked))
    assert [(call.name, dict(call.arguments)) for call in made.message().tool_calls] == [
        (f"desk__{name}", given) for name, given in expected
    ]
    assert made.finish == Finished(FinishReason.TOOL_CALLS, "demo")


async def test_other_tools_are_called_when_they_are_named() -> None:
    assert await calls_of(asking("weather__today, please", OTHER)) == [("weather__today", {})]
    assert await calls_of(asking('Please add event {"title": "Lunch"} now', OTHER)) == [("calendar__add_event", {"title": "Lunch"})]
    both = 'add_event {"title": "Lunch"} and weather__today {"city": "Oslo"}'
    assert await calls_of(asking(both, OTHER)) == [("calendar__add_event", {"title": "Lunch"}), ("weather__today", {"city": "Oslo"})]
    assert await calls_of(asking("add event {broken", OTHER)) == [("calendar__add_event", {})]


async def test_a_tool_that_is_not_offered_is_not_called() -> None:
    assert await calls_of(asking("Show me the open tickets", OTHER)) == []


@pytest.mark.parametrize(("tools", "word"), [(DEMO, "overview of tickets"), ((), "no tools")])
async def test_anything_else_gets_an_introduction_that_says_demo(tools: tuple[Tool, ...], word: str) -> None:
    text = (await answer(asking("Sing!", tools))).message().text
    assert "demo provider" in text
    assert "no language model" in text
    assert word in text


async def test_lists_become_a_table() -> None:
    tickets = {"count": 2, "tickets": [{"id": "T-1", "title": "a|b"}, {"id": "T-2", "title": "c\nd"}]}
    text = (await answer(answered("tickets", ("desk__search_tickets", tickets, False)))).message().text
    assert text == "I found 2 tickets:\n\n| id | title |\n| --- | --- |\n| T-1 | a\\|b |\n| T-2 | c d |"


async def test_long_lists_are_cut_and_say_so() -> None:
    rows = {"customers": [{"id": f"C-{number}"} for number in range(20)]}
    assert "… and 8 more." in (await answer(answered("customers", ("desk__find_customers", rows, False)))).message().text


async def test_errors_and_denials_are_told_as_they_are() -> None:
    denied = "The user denied this call. Do not repeat it; ask what to do instead."
    text = (await answer(answered("Close T-1", ("desk__close_ticket", denied, True)))).message().text
    assert text == f"**close_ticket** did not do it: {denied}"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"id": "C-1", "plan": "team", "notes": ""}, "- **plan**: team"),
        ({"tickets": []}, "I found no tickets."),
        (["a", "b"], "- a\n- b"),
        ("plain words", "plain words"),
        ("x" * 1000, "…"),
        ("", "without text"),
        ("42", "42"),
    ],
)
async def test_results_of_any_shape(value: Any, said: str) -> None:
    assert said in (await answer(answered("?", ("weather__today", value, False), tools=OTHER))).message().text


async def test_the_best_article_is_read_before_answering() -> None:
    hits = {"count": 1, "articles": [{"id": "A-2", "title": "Refunds"}]}
    search = ("desk__search_articles", hits, False)
    assert await calls_of(answered("refund policy", search)) == [("desk__get_article", {"id": "A-2"})]
    read = ("desk__get_article", {"id": "A-2", "text": "Within five days."}, False)
    done = await answer(answered("refund policy", search, read))
    assert done.message().tool_calls == ()
    assert "Within five days." in done.message().text
    assert "I found" not in done.message().text


async def test_only_results_since_the_last_question_count() -> None:
    before = answered("tickets", ("desk__search_tickets", {"tickets": []}, False))
    again = ModelRequest("demo-1", (*before.messages, Message("user", (Text("Who is C-201?"),))), tools=DEMO, options={"pace_ms": 0})
    assert await calls_of(again) == [("desk__get_customer", {"id": "C-201"})]


async def test_it_thinks_first_streams_in_pieces_and_counts_words() -> None:
    events = [event async for event in DemoProvider(Credentials("demo:")).stream(asking("Show me the open tickets"))]
    assert isinstance(events[0], UsageReported)
    assert events[0].usage.input_tokens == 5 + 6 * len(DEMO)
    kinds = [type(event) for event in events[1:-2]]
    assert kinds.index(ThinkingDelta) < kinds.index(TextDelta)
    assert kinds.count(TextDelta) > 3
    assert isinstance(events[-2], UsageReported)
    assert events[-2].usage.is_known
    assert isinstance(events[-1], Finished)


async def test_it_does_not_think_where_nobody_wants_it() -> None:
    request = replace(asking("Show me the open tickets"), reasoning=Reasoning("none"))
    kinds = {type(event) async for event in DemoProvider(Credentials("demo:")).stream(request)}
    assert ThinkingDelta not in kinds
    assert TextDelta in kinds


async def test_it_answers_by_a_schema_once_its_tools_have_answered() -> None:
    schema = {"type": "object", "properties": {"open": {"type": "integer"}}, "required": ["open"]}
    first = replace(asking("Show me the open tickets"), output_schema=schema)
    assert await calls_of(first)
    second = replace(answered("tickets", ("desk__search_tickets", {"tickets": []}, False)), output_schema=schema)
    assert (await answer(second)).message().text == '{"open": 0}'


async def test_the_same_question_has_the_same_answer() -> None:
    first, second = [[event async for event in DemoProvider(Credentials("demo:")).stream(asking("Overview"))] for _ in range(2)]
    assert first == second


async def test_the_pace_is_an_option_of_the_config_and_of_the_request() -> None:
    slow = DemoProvider(Credentials("demo:", options={"pace_ms": 60_000}))
    request = ModelRequest("demo-1", asking("Hi").messages)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            _ = [event async for event in slow.stream(request)]
    async with asyncio.timeout(5):
        assert [event async for event in slow.stream(asking("Hi"))]


async def test_its_only_model() -> None:
    provider = DemoProvider(Credentials("demo:"))
    assert [info.id for info in await provider.check("demo-1")] == ["demo-1"]
    with pytest.raises(ModelNotFound):
        await provider.check("gpt-5.4")
    with pytest.raises(ModelNotFound):
        await anext(provider.stream(ModelRequest("gpt-5.4", ())))
    assert DemoProvider.is_demo
    assert DemoProvider.label == "Demo provider"
