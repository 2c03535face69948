"""Counts in disjoint buckets; unknown is not 0."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from llmconfig.llm import Usage

COUNTS = st.none() | st.integers(0, 10**6)
USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)


def test_a_later_report_wins_where_it_says_something() -> None:
    assert Usage(10, 1, 5).updated(Usage(output_tokens=9, cache_read_tokens=0)) == Usage(10, 9, 0)


def test_a_sum_keeps_unknown_apart_from_0() -> None:
    assert Usage(1, None, None, 4) + Usage(2, 3, None, None) == Usage(3, 3, None, 4)


def test_it_is_known_with_input_and_output() -> None:
    assert Usage(0, 0).is_known
    assert not Usage(1).is_known
    assert not Usage(output_tokens=1).is_known


@settings(deadline=None)
@given(USAGES, USAGES, USAGES)
def test_sums_do_not_depend_on_their_order(a: Usage, b: Usage, c: Usage) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + Usage() == a.updated(Usage()) == Usage().updated(a) == a
