"""What a person's price makes of a usage: disjoint buckets, each billed once, in exact decimals."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmconfig.llm import TokenPrices, Usage

D = Decimal
PLAIN = TokenPrices(D("1"), D("2"))
WHOLE = TokenPrices(D("1"), D("2"), D("0.1"), D("1.25"), "EUR", "v")


@pytest.mark.parametrize(
    ("prices", "usage", "cost"),
    [
        (PLAIN, Usage(1_000_000, 0), "1"),
        (PLAIN, Usage(0, 1_000_000), "2"),
        (PLAIN, Usage(10, 10, 1_000_000, 1_000_000), "2.00003"),  # neither has a price of its own: both are input
        (WHOLE, Usage(10, 10, 1_000_000, 1_000_000), "1.35003"),
        (WHOLE, Usage(0, 0, 0, 1_000_000, 1_000_000), "1.25"),  # an hour's writes are writes
        (WHOLE, Usage(0, 100, reasoning_tokens=90), "0.0002"),  # reasoning is output
        (TokenPrices(D(0), D(0)), Usage(5, 5), "0"),
        (TokenPrices(D("0.000001"), D(0)), Usage(1, 0), "0"),  # below what the ledger keeps
    ],
)
def test_cost(prices: TokenPrices, usage: Usage, cost: str) -> None:
    assert prices.cost(usage) == D(cost)


@pytest.mark.parametrize("usage", [Usage(), Usage(1), Usage(None, 1)])
def test_unknown_usage_costs_nobody_knows_what(usage: Usage) -> None:
    assert PLAIN.cost(usage) is None


TOKENS = st.integers(0, 2**31 - 1)
PRICE = st.decimals(0, 999_999, places=6)


@given(TOKENS, TOKENS, TOKENS, TOKENS, PRICE, PRICE, st.none() | PRICE, st.none() | PRICE)
def test_every_cost_fits_the_ledger(a: int, b: int, c: int, d: int, p: Decimal, q: Decimal, r: Decimal | None, s: Decimal | None) -> None:
    cost = TokenPrices(p, q, r, s).cost(Usage(a, b, c, d))
    assert cost is not None
    assert 0 <= cost < 10**10
    assert cost == cost.quantize(D("1e-10"))
