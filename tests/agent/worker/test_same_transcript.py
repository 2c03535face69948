"""The same task is the same conversation whatever vendor does it: two tools at once, one that fails, a question that follows."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from llmconfig.llm import Secret
from llmconfig.services import create_config
from tests.agent.worker.chat import Chat, types
from tests.fakes.script import Answer, Call
from tests.llmconfig.vendors import KEY, VENDORS

if TYPE_CHECKING:
    from agent.models import Service
    from tests.agent.worker.conftest import Worker
    from tests.fakes.server import FakeVendor
    from tests.llmconfig.people import Person
    from tests.llmconfig.vendors import Vendor

ANSWERS = (
    Answer(
        "I look in both places. 🔎",
        thinking="Tickets and the customer.",
        calls=[Call("demo__search_tickets", {"status": "open", "query": "Größe"}), Call("demo__get_customer", {"id": "C-201"})],
    ),
    Answer("", thinking="And the other one.", calls=[Call("demo__get_customer", {"id": "C-000"})]),
    Answer("C-201 is Harbour & Pine Studio; there is no C-000.", thinking="That is all."),
    Answer("You are welcome."),
)
IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIMES = re.compile(r'"\d{4}-\d\d-\d\dT[^"]*"')


def transcript(person: Person, worker: Worker, vendor: Vendor, fake: FakeVendor) -> dict[str, Any]:
    """The conversation as the API shows it, ids in the order in which they appear, and the runs in short.

    `finish_raw` is left out: it is the vendor's own word by intent.
    """
    config = create_config(
        caller=person.caller, provider_type=vendor.provider.slug, api_key=Secret(KEY), base_url=fake.base_url, name=vendor.provider.slug
    )
    chat = Chat(person, worker)
    fake.script(*ANSWERS)
    runs = [chat.ask(text, f"{config.id}/{vendor.model}") for text in ("Who are C-201 and C-000, and what is open?", "Thank you!")]
    logs = chat.check_told()
    shown = {
        "messages": [{key: value for key, value in message.items() if key != "finish_raw"} for message in chat.messages],
        "runs": [(run["status"], run["finish_reason"], run["error"], [_calls(step) for step in run["steps"]]) for run in runs],
        "events": [
            [type for type in types(events) if not type.endswith(".delta") and type != "tool_call.finished"] for events in logs.values()
        ],
    }
    return _without_names(shown, vendor, config.id)


def _calls(step: dict[str, Any]) -> list[tuple[str, str, bool]]:
    return [(call["name"], call["status"], call["is_error"]) for call in step["tool_calls"]]


def _without_names(shown: dict[str, Any], vendor: Vendor, config: Any) -> dict[str, Any]:
    text = (
        json.dumps(shown).replace(str(config), "CONFIG").replace(vendor.model, "MODEL").replace(f'"{vendor.provider.slug}"', '"PROVIDER"')
    )
    numbers: dict[str, str] = {}
    text = IDS.sub(lambda found: numbers.setdefault(found[0], f"id-{len(numbers)}"), text)
    anonymous: dict[str, Any] = json.loads(TIMES.sub('"TIME"', text))
    return anonymous


def test_all_vendors_have_the_same_conversation(worker: Worker, alice: Person, demo: Service) -> None:
    told: dict[str, dict[str, Any]] = {}
    for vendor in VENDORS:
        with vendor.fake() as fake:
            told[vendor.wire] = transcript(alice, worker, vendor, fake)
            assert len(fake.calls) == len(ANSWERS)
    one = told[VENDORS[0].wire]
    assert [message["role"] for message in one["messages"]] == [
        *("user", "assistant", "tool", "assistant", "tool", "assistant"),
        *("user", "assistant"),
    ]
    assert [[part["type"] for part in message["parts"]] for message in one["messages"]] == [
        *(["text"], ["thinking", "text", "tool_call", "tool_call"], ["tool_result"] * 2),
        *(["thinking", "tool_call"], ["tool_result"], ["thinking", "text"]),
        *(["text"], ["text"]),
    ]
    first, second = one["runs"]
    assert first == [
        "completed",
        "stop",
        None,
        [[["search_tickets", "finished", False], ["get_customer", "finished", False]], [["get_customer", "finished", True]], []],
    ]
    assert second == ["completed", "stop", None, [[]]]
    for wire, other in told.items():
        assert other == one, wire
