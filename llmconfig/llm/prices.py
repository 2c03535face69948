"""What tokens cost where a person has said so: prices for a million of each kind, over the disjoint buckets of a usage."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from llmconfig.llm.usage import Usage

_MILLION: Final = 1_000_000
_SMALLEST: Final = Decimal("1e-10")


def rounded(amount: Decimal) -> Decimal:
    """As finely as the ledger keeps money."""
    return amount.quantize(_SMALLEST, ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """For a million tokens, in `currency`. Cache reads and writes without a price of their own are billed as input.

    Writes for an hour without a price of their own are billed as the other writes.

    version: who said so and when; it is frozen into the ledger with the cost.
    """

    input_per_mtok: Decimal
    output_per_mtok: Decimal
    cache_read_per_mtok: Decimal | None = None
    cache_write_per_mtok: Decimal | None = None
    currency: str = "USD"
    version: str = ""
    cache_write_1h_per_mtok: Decimal | None = None

    def cost(self, usage: Usage) -> Decimal | None:
        """None where input or output are unknown. Reasoning is part of the output."""
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        read = self.input_per_mtok if self.cache_read_per_mtok is None else self.cache_read_per_mtok
        write = self.input_per_mtok if self.cache_write_per_mtok is None else self.cache_write_per_mtok
        write_1h = write if self.cache_write_1h_per_mtok is None else self.cache_write_1h_per_mtok
        writes = usage.cache_write_tokens or 0
        writes_1h = min(usage.cache_write_1h_tokens or 0, writes)
        buckets = (
            (usage.input_tokens, self.input_per_mtok),
            (usage.output_tokens, self.output_per_mtok),
            (usage.cache_read_tokens or 0, read),
            (writes - writes_1h, write),
            (writes_1h, write_1h),
        )
        return rounded(sum((tokens * price for tokens, price in buckets), Decimal(0)) / _MILLION)
