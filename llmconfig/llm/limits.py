"""What a provider's rate-limit headers said is left, kept for routing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Allowance:
    """limit and left: requests or tokens; reset_s: seconds, from when the answer came, until the limit is whole again. None: not said."""

    limit: int | None = None
    left: int | None = None
    reset_s: float | None = None


@dataclass(frozen=True, slots=True)
class RateLimits:
    """tokens: the tightest of a vendor's token limits. None where the headers say nothing."""

    requests: Allowance | None = None
    tokens: Allowance | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
