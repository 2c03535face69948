"""A provider's refusal, as one of the kernel's errors: by the codes and phrases in its body first, by HTTP status after.

The vendors' codes do not contradict each other, so that one table serves every wire and whatever server imitates one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from llmconfig.llm import (
    AuthenticationFailed,
    ContentFiltered,
    ContextTooLong,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    PermissionDenied,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
)
from llmconfig.wire.fault import Fault, read_fault
from llmconfig.wire.limits import limits_from

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmconfig.llm import RateLimits

ErrorClass: TypeAlias = type[ProviderError]

_CODES: Final[Mapping[str, ErrorClass]] = {
    "authentication_error": AuthenticationFailed,
    "invalid_api_key": AuthenticationFailed,
    "billing_error": QuotaExhausted,
    "insufficient_quota": QuotaExhausted,
    "billing_not_active": QuotaExhausted,
    "billing_hard_limit_reached": QuotaExhausted,
    "credit_balance_exhausted": QuotaExhausted,
    "organization_usage_limit_exceeded": QuotaExhausted,
    "organization_spend_limit_exceeded": QuotaExhausted,
    "project_spend_limit_exceeded": QuotaExhausted,
    "enforced_spend_limit_reached": QuotaExhausted,
    "contract_spend_limit_reached": QuotaExhausted,
    "linked_organization_spend_limit_reached": QuotaExhausted,
    "linked_organization_billing_unavailable": QuotaExhausted,
    "context_length_exceeded": ContextTooLong,
    "exceed_context_size_error": ContextTooLong,  # llama.cpp
    "request_too_large": ContextTooLong,
    "tokens_limit_reached": ContextTooLong,
    "model_not_found": ModelNotFound,
    "DeploymentNotFound": ModelNotFound,  # Azure
    "PermissionDenied": PermissionDenied,  # Azure's 401 for an application without its role
    "model_decommissioned": ModelNotFound,  # Groq
    "content_filter": ContentFiltered,
    "content_policy_violation": ContentFiltered,
    "invalid_prompt": ContentFiltered,
    "bio_policy": ContentFiltered,
    "misalignment_policy_violation": ContentFiltered,
    "image_content_policy_violation": ContentFiltered,
    # Google's reasons, then its statuses
    "API_KEY_INVALID": AuthenticationFailed,  # comes with 400
    "ACCESS_TOKEN_EXPIRED": AuthenticationFailed,
    "BILLING_DISABLED": QuotaExhausted,
    "UNAUTHENTICATED": AuthenticationFailed,
    "RESOURCE_EXHAUSTED": RateLimited,
    "NOT_FOUND": ModelNotFound,
    "DEADLINE_EXCEEDED": ProviderTimeout,
    "UNAVAILABLE": Overloaded,
    "INTERNAL": Overloaded,
    "UNKNOWN": Overloaded,
    "ABORTED": Overloaded,
    "CANCELLED": Overloaded,
}

# Google says “You exceeded your current quota” of what is full for a minute and for a day; the name of the quota tells which.
_SPENT_QUOTA: Final = re.compile(r"PerDay|PerMonth", re.IGNORECASE)
_SPENT_CREDIT: Final = re.compile(r"prepa(id|yment) credits|spend(ing)? (cap|limit)|\blimit: 0\b", re.IGNORECASE)

# Only where a vendor sends no code: Anthropic's 400 for a spent budget, the imitators' for a long prompt, xAI's 400 for a bad key.
_PHRASES: Final[tuple[tuple[re.Pattern[str], ErrorClass], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), error)
    for pattern, error in (
        (r"credit balance is too low|reached your specified (workspace )?api usage limits|exceeded your current quota", QuotaExhausted),
        (r"insufficient (balance|credits?)|billing hard limit", QuotaExhausted),
        (r"reached your \w+ usage limit", QuotaExhausted),  # ollama.com
        (
            r"prompt is too long|input is too long|exceed context limit|(maximum|model'?s|available) context (length|size|window)",
            ContextTooLong,
        ),
        (r"context (length|window|size) (of|exceeded|is only)|exceeds? the (model'?s )?(available |maximum )?context", ContextTooLong),
        (r"less than the context length|reduce the length of the (messages|input|prompt)", ContextTooLong),
        (r"prompt is longer than the context|exceed(s|ed) max(imum)? context length", ContextTooLong),  # Ollama
        (r"(incorrect|invalid) api[ -]?key|invalid x-api-key|api key not valid", AuthenticationFailed),
        (r"is not a valid model|model \S+ (does not exist|not found)|no such model", ModelNotFound),
        (r"content (filtering|management) policy", ContentFiltered),
        (r"input token count .{0,60}(exceeds|only supports)|payload size exceeds", ContextTooLong),  # Gemini, Vertex AI
        (r"api key (not found|expired)|(api )?key was reported as leaked", AuthenticationFailed),
        (r"location is not supported|not available in your country", PermissionDenied),
    )
)
_SEALS: Final = re.compile(
    r"encrypted[ _]content.{0,200}(could not be (verified|decrypted)|not match)"
    r"|thought[ _]?signature|signature.{0,40}thinking|thinking.{0,40}signature",
    re.IGNORECASE,
)
_PHRASED_STATUSES: Final = frozenset((None, 400, 403, 404, 413, 422, 429, 500))

_STATUSES: Final[Mapping[int, ErrorClass]] = {
    401: AuthenticationFailed,
    402: QuotaExhausted,
    403: PermissionDenied,
    404: ModelNotFound,
    408: ProviderTimeout,
    413: ContextTooLong,
    429: RateLimited,
}

# The type of an error event tells what its status would have been.
_TYPES: Final[Mapping[str, ErrorClass]] = {
    "permission_error": PermissionDenied,
    "PERMISSION_DENIED": PermissionDenied,
    "not_found_error": ModelNotFound,
    "rate_limit_error": RateLimited,
    "rate_limit_exceeded": RateLimited,
    "timeout_error": ProviderTimeout,
    "invalid_request_error": InvalidRequest,
    "INVALID_ARGUMENT": InvalidRequest,
    "FAILED_PRECONDITION": InvalidRequest,
    "invalid_image": InvalidRequest,
    "image_parse_error": InvalidRequest,
    "unsupported_image_media_type": InvalidRequest,
}

_SAYINGS: Final[Mapping[ErrorClass, str]] = {
    AuthenticationFailed: "{label} refused this key",
    PermissionDenied: "{label} does not allow this key to do that",
    ModelNotFound: "{label} found no such model, or no API at this address",
    InvalidRequest: "{label} refused the request",
    ContextTooLong: "{label} cannot read a conversation this long",
    ContentFiltered: "{label}'s content filter stopped this",
    RateLimited: "{label} asks to slow down",
    QuotaExhausted: "{label} has no credit or quota left for this key",
    Overloaded: "{label} is overloaded or failing",
    ProviderTimeout: "{label} gave up waiting",
    ProviderUnavailable: "{label}'s address only redirects, which routekit does not follow",
}


MAX_RETRY_AFTER_S: Final = 3600.0
"""The longest wait that a server is believed to mean."""


def error_from(status: int, body: bytes, headers: Mapping[str, str], *, label: str) -> ProviderError:
    """The error that an HTTP answer of status 300 and up means. label: the provider as people know it. The body may be anything."""
    fault = read_fault(body)
    error = _class_of(fault, status) or _by_status(status)
    asked = retry_after(headers)
    wait = fault.retry_after if asked is None else asked
    return _built(error, fault.message, label=label, status=status, retry_after=_believed(wait), limits=limits_from(headers))


def error_event(error: object, *, label: str) -> ProviderError:
    """The error that an event inside a stream of status 200 means."""
    fault = Fault.of(error)
    status = next((int(code) for code in fault.codes if re.fullmatch("[45][0-9]{2}", code)), None)
    found = _class_of(fault, status)
    if found is None:
        typed = (_TYPES[code] for code in fault.codes if code in _TYPES)
        found = next(typed, _by_status(status) if status else Overloaded)
    return _built(found, fault.message, label=label, status=None, retry_after=_believed(fault.retry_after), limits=None)


def refuses_seals(error: ProviderError) -> bool:
    """Whether a request was refused for reasoning that was sent back: what one account or region has sealed, another cannot open
    (openai/codex#9045, BerriAI/litellm#27703, google-gemini/gemini-cli#13467, anthropic-sdk-python#1598).
    """
    return isinstance(error, InvalidRequest) and _SEALS.search(error.detail) is not None


def retry_after(headers: Mapping[str, str], *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """Seconds to wait, at most an hour, from `retry-after-ms` or `retry-after` (seconds or a date); None when neither makes sense."""
    return _believed(_asked_for(headers, now))


def _believed(seconds: float | None) -> float | None:
    return None if seconds is None else min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _asked_for(headers: Mapping[str, str], now: Callable[[], datetime]) -> float | None:
    lower = {name.lower(): value for name, value in headers.items()}
    milliseconds = _seconds(lower.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = lower.get("retry-after", "")
    seconds = _seconds(text)
    if seconds is not None or not text:
        return seconds
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return (at.replace(tzinfo=at.tzinfo or UTC) - now()).total_seconds()


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value >= 0 else None  # NaN is not


def _class_of(fault: Fault, status: int | None) -> ErrorClass | None:
    if "RESOURCE_EXHAUSTED" in fault.codes and (_SPENT_CREDIT.search(fault.message) or any(map(_SPENT_QUOTA.search, fault.codes))):
        return QuotaExhausted
    for code in fault.codes:
        if code in _CODES:
            return _CODES[code]
    if status not in _PHRASED_STATUSES:
        return None
    found = next((error for phrase, error in _PHRASES if phrase.search(fault.message)), None)
    return None if status == 429 and found is not QuotaExhausted else found


def _by_status(status: int) -> ErrorClass:
    if 300 <= status < 400:
        return ProviderUnavailable
    return _STATUSES.get(status, Overloaded if status >= 500 else InvalidRequest)


def _built(
    error: ErrorClass, message: str, *, label: str, status: int | None, retry_after: float | None, limits: RateLimits | None
) -> ProviderError:
    said = _SAYINGS[error].format(label=label)
    numbered = f"{said} ({status})" if status else said
    detail = f"{numbered}: {message}" if message else numbered
    options: dict[str, Any] = {"status": status, "retry_after": retry_after, "limits": limits}
    return error(detail if detail.endswith((".", "!", "?", "…")) else f"{detail}.", **options)
