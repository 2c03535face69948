"""The fifteen bugs that others had, by number, each on every wire that it could strike.

Named by the issue where it hurt: repository#number.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.llm import (
    Finished,
    FinishReason,
    Message,
    ModelRequest,
    ProviderData,
    StreamInterrupted,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from llmconfig.wire.history import NO_RESULT
from tests.fakes.script import Answer, Call, Tokens
from tests.llmconfig.vendors import ANTHROPIC, COMPATIBLE, EACH_VENDOR, OPENAI, VENDORS
from tests.llmconfig.wire.odd_calls import ROUTED, SAME_INDEX
from tests.llmconfig.wire.streams import TOOLS, drain, fold, unnamed, user

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmconfig.llm import Accumulator, ProviderError
    from tests.llmconfig.vendors import Vendor

THOUGHTFUL = Answer(
    "Let me see.", thinking="two look-ups", calls=[Call("tickets__find", {"query": "a"}), Call("tickets__find", {"query": "b"})]
)


def body_of(vendor: Vendor, *messages: Message) -> dict[str, Any]:
    """The request, after the vendor has looked at it."""
    body = vendor.encode(ModelRequest(vendor.model, messages, tools=TOOLS))
    assert vendor.objection(body) == ""
    return body


def read(vendor: Vendor, *frames: bytes) -> tuple[Accumulator, ProviderError | None]:
    decoder = vendor.provider.codec.Decoder(
        ModelRequest(vendor.model, (), tools=TOOLS), provider=vendor.provider.slug, label="The provider"
    )
    events, error = drain(decoder, frames)  # type: ignore[arg-type]
    return fold(events, provider=vendor.provider.slug, model=vendor.model), error


def results_of(message: Message) -> Message:
    return Message("tool", tuple(ToolResult(call.id, (Text(f"result of {call.id}"),)) for call in message.tool_calls))


def seals_of(message: Message) -> list[str]:
    kept = [part.provider_data.data for part in message.parts if not isinstance(part, ToolResult) and getattr(part, "provider_data", None)]  # type: ignore[union-attr]
    return [value for data in kept for key, value in data.items() if key != "id" and isinstance(value, str) and len(value) > 20]


def until(vendor: Vendor, answer: Answer, marker: bytes) -> tuple[bytes, ...]:
    """The stream up to the frame that holds `marker`, and that frame."""
    frames = vendor.stream(answer)
    return frames[: next(at for at, frame in enumerate(frames) if marker in frame) + 1]


SEALING = [vendor for vendor in VENDORS if seals_of(vendor.said(THOUGHTFUL))]
EACH_SEALING = pytest.mark.parametrize("vendor", SEALING, ids=lambda vendor: vendor.wire)


@EACH_VENDOR
@pytest.mark.parametrize("whose", ["another vendor's", "another model's"])
def test_bug_1_a_signature_of_another_vendor_or_model(vendor: Vendor, whose: str) -> None:
    """anthropics/anthropic-sdk-python#1598, pydantic/pydantic-ai#3757: refused with 400."""
    makers = [other for other in VENDORS if (other is not vendor) == (whose == "another vendor's")]
    for maker in makers:
        said = maker.said(THOUGHTFUL)
        slug, model = maker.provider.slug, maker.model if maker is not vendor else "an-older-model"
        retold = Message("assistant", tuple(_retagged(part, slug, model) for part in said.parts))
        sent = json.dumps(body_of(vendor, user("Who?"), retold, results_of(retold)))
        assert "Let me see." in sent
        assert "two look-ups" not in sent
        assert not [seal for seal in seals_of(said) if seal in sent]


def _retagged(part: Any, slug: str, model: str) -> Any:
    return part if part.provider_data is None else replace(part, provider_data=ProviderData(slug, model, part.provider_data.data))


@EACH_VENDOR
def test_bug_2_a_thought_that_broke_off_before_its_signature(vendor: Vendor) -> None:
    """pydantic/pydantic-ai#7597: `signature=""` was stored, and the conversation refused for ever."""
    partial, error = read(vendor, *until(vendor, THOUGHTFUL, b"look-ups"))
    assert type(error) is StreamInterrupted
    kept = partial.message(complete=False)
    assert not [part for part in kept.parts if isinstance(part, Thinking)]
    unsigned = {"signature": "", "encrypted_content": "", "thought_signature": ""}
    stored = Message("assistant", (Thinking("two look-ups", ProviderData(vendor.provider.slug, vendor.model, unsigned)), Text("Let")))
    sent = json.dumps(body_of(vendor, user("Who?"), kept, user("Go on."), stored, user("Go on.")))
    assert "two look-ups" not in sent


@EACH_SEALING
def test_bug_3_a_signature_that_came_with_the_stream(vendor: Vendor) -> None:
    """BerriAI/litellm#16893, pydantic/pydantic-ai#3647: Gemini's was lost on the way, and the next request refused."""
    said = vendor.said(THOUGHTFUL)
    sent = json.dumps(body_of(vendor, user("Who?"), said, results_of(said)))
    assert seals_of(said)
    assert all(seal in sent for seal in seals_of(said))


@EACH_VENDOR
def test_bug_4_a_thought_without_what_followed_it(vendor: Vendor) -> None:
    """vercel/ai#7099: "reasoning was provided without its required following item"."""
    said = vendor.said(Answer("Let me see.", thinking="two look-ups"))
    alone = Message("assistant", tuple(part for part in said.parts if isinstance(part, Thinking)))
    assert alone.parts
    assert "two look-ups" not in json.dumps(body_of(vendor, user("Who?"), alone, user("And now?")))


@EACH_VENDOR
@pytest.mark.parametrize("raw", ["call:1", "x" * 80, "functions.find:0", "", "toolu_01|fc_1"])
def test_bug_5_ids_that_another_vendor_gave(vendor: Vendor, raw: str) -> None:
    """vercel/ai#5171: invalid or too long after a switch. Those that it gave itself it may read again, where it has no rule for them."""
    for slug, model in ((vendor.provider.slug, vendor.model), ("elsewhere", "m")):
        call = ToolCall("0190-own", "tickets__find", {}, provider_data=ProviderData(slug, model, {"id": raw}))
        said = Message("assistant", (call,))
        sent = json.dumps(body_of(vendor, user("Who?"), said, results_of(said)))
        assert slug != "elsewhere" or not raw or raw not in sent


@EACH_VENDOR
def test_bug_6_calls_without_results_and_results_without_calls(vendor: Vendor) -> None:
    """vercel/ai#17400: after a cancel, or when the history was cut."""
    said = vendor.said(THOUGHTFUL)
    first, second = results_of(said).parts
    for results, missing in (((), 2), ((first,), 1), ((second, first, second), 0), ((first, ToolResult("gone", (Text("x"),))), 1)):
        for said_next in ((Message("tool", results), user("And now?")), (user("And now?"), Message("tool", results), user("Well?"))):
            assert json.dumps(body_of(vendor, user("Who?"), said, *said_next)).count(NO_RESULT) == missing
    assert NO_RESULT not in json.dumps(body_of(vendor, Message("tool", (first,)), user("And now?")))


@pytest.mark.parametrize("vendor", [vendor for vendor in VENDORS if vendor.wire in SAME_INDEX], ids=lambda vendor: vendor.wire)
def test_bug_7_every_call_has_the_index_0(vendor: Vendor) -> None:
    """ollama/ollama#15457: parallel calls were merged to one."""
    answer, error = read(vendor, *SAME_INDEX[vendor.wire])
    assert error is None
    assert [dict(call.arguments) for call in answer.message().tool_calls] == [{"query": "a"}, {"query": "b"}]


@pytest.mark.parametrize(("vendor", "frames", "made"), ROUTED)
def test_bug_8_arguments_go_to_their_own_call(vendor: Vendor, frames: Sequence[bytes], made: list[dict[str, Any]]) -> None:
    """mozilla-ai/any-llm#1305, vercel/ai#16838, #14760: to the wrong one, parsed while partial, or under a name that came too late."""
    answer, error = read(vendor, *frames)
    assert error is None
    assert [(call.name, dict(call.arguments), call.malformed) for call in answer.message().tool_calls] == [
        ("tickets__find", arguments, None) for arguments in made
    ]


@EACH_VENDOR
def test_bug_9_cached_tokens_are_counted_once(vendor: Vendor) -> None:
    """BerriAI/litellm#9812 and #14849, mozilla-ai/any-llm#622: as cache and as input."""
    answer, _ = read(vendor, *vendor.stream(Answer("Hi", tokens=Tokens(input=30, output=12, cache_read=7))))
    usage = answer.usage
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (30, 7, 12)
    assert not usage.cache_write_tokens


@EACH_VENDOR
def test_bug_10_a_stream_that_was_left_has_what_it_told_counted(vendor: Vendor) -> None:
    """openai/openai-agents-js#995: nothing was. What a vendor tells only at the end is unknown until then, and never 0."""
    whole, _ = read(vendor, *vendor.stream(Answer("one two", tokens=Tokens(input=41, output=12))))
    left, error = read(vendor, *until(vendor, Answer("one two", tokens=Tokens(input=41, output=12)), b"one"))
    assert type(error) is StreamInterrupted
    assert whole.usage.input_tokens == 41
    assert left.usage.input_tokens in ((41,) if vendor is ANTHROPIC else (41, None))
    assert left.usage.output_tokens != 0


@EACH_VENDOR
@pytest.mark.parametrize("answer", [THOUGHTFUL, Answer("one two")], ids=["calls", "text"])
def test_bug_11_a_stream_without_its_end_is_no_success(vendor: Vendor, answer: Answer) -> None:
    """vercel/ai#19169, Portkey-AI/gateway#1797."""
    frames = vendor.stream(answer)
    cut, error = read(vendor, *until(vendor, answer, b"two"))
    assert type(error) is StreamInterrupted
    assert cut.finish is None
    whole, error = read(vendor, *frames)
    assert error is None
    assert isinstance(whole.finish, Finished)


@EACH_VENDOR
def test_bug_12_empty_messages_and_those_of_thoughts_alone(vendor: Vendor) -> None:
    """pydantic/pydantic-ai#5300: sent, and refused."""
    own = ProviderData(vendor.provider.slug, vendor.model, {"signature": "x", "encrypted_content": "x", "summary": []})
    for parts in ((), (Text(""),), (Text(" \n"),), (Thinking("hm"),), (Thinking("", own),), (Thinking("hm", own), Text(""))):
        said = body_of(vendor, user("Who?"), Message("assistant", parts), user("And now?"))
        assert said == body_of(vendor, user("Who?"), user("And now?"))
    said = body_of(vendor, user("Who?"), Message("user", ()), Message("user", (Text(""),)), Message("tool", ()))
    assert said == body_of(vendor, user("Who?"))


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": None},
        {"choices": []},
        {"choices": [{"index": 0, "finish_reason": None, "content_filter_results": {}, "content_filter_offsets": {"start_offset": 44}}]},
        {"choices": [{"index": 0, "delta": None, "finish_reason": None}]},
        {"choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False}}}]},
    ],
    ids=["null", "empty", "azure-asynchronous", "no-delta", "azure-prompt"],
)
def test_bug_13_chunks_without_a_choice_or_a_delta(odd: dict[str, Any]) -> None:
    """pydantic/pydantic-ai#5170: Azure's filters send them before, between and behind."""
    first, *rest = COMPATIBLE.stream(Answer("Hello"))
    answer, error = read(COMPATIBLE, unnamed(odd), first, unnamed(odd), *rest[:-1], unnamed(odd), rest[-1])
    assert error is None
    assert answer.message().text == "Hello"
    assert answer.finish == Finished(FinishReason.STOP, "stop")


@pytest.mark.parametrize("vendor", [ANTHROPIC, OPENAI], ids=lambda vendor: vendor.wire)
def test_bug_14_a_second_answer_within_the_stream(vendor: Vendor) -> None:
    """vercel/ai#18402: a gateway that tried again behind the scenes; the two were merged to one."""
    answer, error = read(vendor, *until(vendor, Answer("one two"), b"one"), *vendor.stream(Answer("three")))
    assert type(error) is StreamInterrupted
    assert answer.message(complete=False).text == "one"


@EACH_VENDOR
def test_bug_15_results_are_sent_in_the_order_of_their_calls(vendor: Vendor) -> None:
    """vercel/ai#16578: in the order in which they ended, so that no cached beginning ever fitted."""
    said = vendor.said(THOUGHTFUL)
    first, second = results_of(said).parts
    body = body_of(vendor, user("Who?"), said, Message("tool", (first, second)))
    assert body == body_of(vendor, user("Who?"), said, Message("tool", (second, first)))
    sent = json.dumps(body)
    assert sent.index(f"result of {said.tool_calls[0].id}") < sent.index(f"result of {said.tool_calls[1].id}")


def test_each_bug_has_its_test() -> None:
    numbers = [int(found[1]) for name in globals() if (found := re.match(r"test_bug_(\d+)_", name))]
    assert numbers == list(range(1, 16))
