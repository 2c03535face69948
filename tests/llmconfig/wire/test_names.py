"""Tool names and call ids as providers accept them, and back."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from llmconfig.llm import Message, ModelRequest, ProviderData, Tool, ToolCall
from llmconfig.wire import names as names_module
from llmconfig.wire.names import ToolNames, call_ids
from tests.llmconfig.wire.streams import user

ACCEPTED = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


def naming(*names: str, called: tuple[str, ...] = ()) -> ToolNames:
    calls = Message("assistant", tuple(ToolCall(f"c{i}", name, {}) for i, name in enumerate(called)))
    return ToolNames(ModelRequest("m", (user("hi"), calls), tools=tuple(Tool(name, "", {}) for name in names)))


NAMES = st.lists(st.one_of(st.text(max_size=90), st.from_regex(r"[a-c]{1,3}__[a-c._]{1,4}", fullmatch=True)), unique=True, max_size=30)


@settings(deadline=None)
@given(NAMES, NAMES)
def test_every_name_round_trips_to_an_accepted_and_unshared_one(tools: list[str], called: list[str]) -> None:
    naming_ = naming(*tools, called=tuple(called))
    wires = {name: naming_.to_wire(name) for name in {*tools, *called}}
    assert len(set(wires.values())) == len(wires)
    for name, wire in wires.items():
        assert ACCEPTED.fullmatch(wire)
        assert naming_.to_neutral(wire) == name


def test_a_safe_name_stays_and_an_unsafe_one_stays_readable() -> None:
    names = naming("tickets__find", "crm__customer.get", "7zip", "grüße", "x" * 80, "")
    assert names.to_wire("tickets__find") == "tickets__find"
    assert names.to_wire("crm__customer.get").startswith("crm__customer_get_")
    assert names.to_wire("7zip").startswith("_7zip_")
    assert len(names.to_wire("x" * 80)) == 64
    assert ACCEPTED.fullmatch(names.to_wire(""))


def test_a_name_does_not_depend_on_the_other_tools() -> None:
    assert naming("a.b").to_wire("a.b") == naming("a_b", "x", "a.b", "a-b", "a/b").to_wire("a.b")


def test_a_tool_that_is_called_like_a_rewritten_name_keeps_its_own() -> None:
    squatter = naming("a.b").to_wire("a.b")
    names = naming("a.b", squatter)
    assert names.to_wire(squatter) == squatter
    assert names.to_wire("a.b") != squatter
    assert names.to_neutral(names.to_wire("a.b")) == "a.b"


def test_equal_digests_are_kept_apart(monkeypatch) -> None:
    monkeypatch.setattr(names_module, "_digest", lambda text, length: f"{len(text.partition('|')[0]):0{length}d}")
    names = naming("a.b", "a/b", "a:b")
    assert {names.to_neutral(names.to_wire(name)) for name in ("a.b", "a/b", "a:b")} == {"a.b", "a/b", "a:b"}


def test_a_name_that_the_model_made_up_stays_as_it_is() -> None:
    assert naming("a.b").to_neutral("rm -rf") == "rm -rf"


def calls(*pairs: tuple[str, object]) -> dict[str, str]:
    parts = tuple(ToolCall(own, "t", {}, None, ProviderData("p", "m", {"id": raw}) if raw is not None else None) for own, raw in pairs)
    return call_ids([Message("assistant", parts)])


def test_the_raw_id_is_used_where_it_is_well_formed() -> None:
    assert calls(("own", "toolu_01-A")) == {"own": "toolu_01-A"}


def test_bug_05_ids_that_another_provider_would_refuse_are_replaced_by_ours() -> None:
    assert calls(("own", "x" * 65), ("own2", "call:1|fc"), ("own3", 7), ("own4", None)) == {
        "own": "own",
        "own2": "own2",
        "own3": "own3",
        "own4": "own4",
    }
    assert re.fullmatch(r"call_[0-9a-f]{24}", calls(("not a valid id", None))["not a valid id"])


def test_a_raw_id_that_a_server_uses_again_in_each_answer_is_used_once() -> None:
    assert calls(("own", "call_0"), ("own2", "call_0")) == {"own": "call_0", "own2": "own2"}
