"""agent.mcp.policy"""

from __future__ import annotations

from itertools import product

import pytest

from agent.mcp.definitions import define
from agent.mcp.policy import decide, default_policy, is_read_only

BOTH = (False, True)


def test_what_reads_runs_by_itself_and_the_rest_asks() -> None:
    assert default_policy(read_only=True) == "auto"
    assert default_policy(read_only=False) == "ask"


@pytest.mark.parametrize(("policy", "read_only", "granted", "decision"), [
    ("auto", True, False, "run"),
    ("auto", False, False, "ask"),
    ("auto", False, True, "run"),
    ("auto", True, True, "run"),
    ("ask", True, False, "ask"),
    ("ask", False, False, "ask"),
    ("ask", True, True, "run"),
    ("ask", False, True, "run"),
])  # fmt: skip
def test_an_approved_tool(policy, read_only, granted, decision) -> None:
    assert decide(policy, read_only=read_only, state="approved", granted=granted) == decision


@pytest.mark.parametrize(("read_only", "granted", "state"), [*product(BOTH, BOTH, ("approved", "new", "changed"))])
def test_deny_always_refuses(read_only, granted, state) -> None:
    assert decide("deny", read_only=read_only, state=state, granted=granted) == "refuse"


@pytest.mark.parametrize(("policy", "read_only", "granted", "state"), [*product(("auto", "ask"), BOTH, BOTH, ("new", "changed"))])
def test_a_definition_nobody_approved_is_refused(policy, read_only, granted, state) -> None:
    assert decide(policy, read_only=read_only, state=state, granted=granted) == "refuse"


@pytest.mark.parametrize(("annotations", "read_only"), [
    ({}, True),
    ({"readOnlyHint": True}, True),
    ({"readOnlyHint": False}, False),
    ({"destructiveHint": True}, False),
    ({"readOnlyHint": True, "destructiveHint": True}, False),
    ({"destructiveHint": False}, True),
])  # fmt: skip
def test_annotations_take_a_classification_back_but_never_grant_one(annotations, read_only) -> None:
    definition, _ = define("t", "", {}, annotations)
    assert is_read_only(definition, classified=True) is read_only
    assert is_read_only(definition, classified=False) is False
