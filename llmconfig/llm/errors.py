"""What can go wrong between us and a provider, as one tree.

ProviderError
├── AuthenticationFailed     the key was refused (401)
├── PermissionDenied         the key may not do this (403)
├── ModelNotFound            no such model for this key (404)
├── InvalidRequest           the provider refuses the request as it stands (400, 422)
│   └── ContextTooLong       the conversation is longer than the model reads
├── ContentFiltered          the provider's filter stopped prompt or answer
├── RateLimited              too fast; `retry_after` seconds when the provider said so (429)
├── QuotaExhausted           no credit or quota left; retrying does not help (402, fatal 429)
├── Overloaded               the provider is overloaded or failing (5xx, 529)
├── ProviderTimeout          a deadline passed: connecting, first token, between tokens, or whole
├── StreamInterrupted        the stream ended without its terminal event
└── ProviderUnavailable      no connection: refused, DNS, TLS, or an address that policy forbids
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from llmconfig.llm.limits import RateLimits

_MOMENT_S: Final = 90.0
_HOURS_FROM_MIN: Final = 120


class ProviderError(Exception):
    """detail: what happened, for people, free of credentials. status: HTTP status, or None where none came.

    retry_after: seconds. limits: what the answer's headers said is left. advice: what to do next, where the cause asks for
    something else than its kind does.
    """

    kind: ClassVar[str] = "provider_error"
    advice: str = "Try again, or choose another model."
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        limits: RateLimits | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(detail)
        self.detail, self.status, self.retry_after, self.limits = detail, status, retry_after, limits
        self.advice = advice or type(self).advice

    def reworded(self, detail: str) -> ProviderError:
        """The same error with other words."""
        return type(self)(detail, status=self.status, retry_after=self.retry_after, limits=self.limits, advice=self.advice)

    @property
    def message(self) -> str:
        """What happened, then what to do next."""
        return f"{self.detail} {self.advice}"


class AuthenticationFailed(ProviderError):
    kind = "authentication_failed"
    advice = "Check that the key was copied whole and is still active, then save it again."


class PermissionDenied(ProviderError):
    kind = "permission_denied"
    advice = "Give the key access at the provider, or use another key."


class ModelNotFound(ProviderError):
    kind = "model_not_found"
    advice = "Pick one of the models that the provider lists for this key."


class InvalidRequest(ProviderError):
    kind = "invalid_request"
    advice = "Change the request or the model's options."


class ContextTooLong(InvalidRequest):
    kind = "context_too_long"
    advice = "Start a new conversation, or choose a model with a larger context window."


class ContentFiltered(ProviderError):
    kind = "content_filtered"
    advice = "Rephrase the message."


class RateLimited(ProviderError):
    kind = "rate_limited"
    advice = "Wait a moment and try again."
    retryable = True

    @property
    def message(self) -> str:
        """A wait that is no moment is named."""
        if self.retry_after is None or self.retry_after < _MOMENT_S:
            return super().message
        minutes = ceil(self.retry_after / 60)
        wait = f"{minutes} minutes" if minutes < _HOURS_FROM_MIN else f"{ceil(minutes / 60)} hours"
        return f"{self.detail} It asks to wait {wait}: try again then, or choose another model."


class QuotaExhausted(ProviderError):
    kind = "quota_exhausted"
    advice = "Add credit or raise the quota at the provider, then test the key again."


class Overloaded(ProviderError):
    kind = "overloaded"
    advice = "Try again in a moment, or choose another model."
    retryable = True


class ProviderTimeout(ProviderError):
    kind = "timeout"
    advice = "Try again; if it goes on, check the provider's status."
    retryable = True


class StreamInterrupted(ProviderError):
    kind = "stream_interrupted"
    advice = "What arrived is kept; send the message again to go on."
    retryable = True


class ProviderUnavailable(ProviderError):
    kind = "provider_unavailable"
    advice = "Check the base URL and that the server is running."
    retryable = True
