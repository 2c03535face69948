"""The error table: what vendors answer, as the kernel's errors, in words for people."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from llmconfig.wire import anthropic_messages, openai_chat, openai_responses
from llmconfig.wire.errors import error_event, error_from, refuses_seals, retry_after


def anthropic(type_: str, message: str, **details: str) -> dict[str, object]:
    return {"type": "error", "error": {"type": type_, "message": message, "details": details or None}, "request_id": "req_1"}


def openai(code: str | None, message: str, type_: str = "invalid_request_error") -> dict[str, object]:
    return {"error": {"message": message, "type": type_, "param": None, "code": code}}


def google(code: int, status: str, message: str, *details: dict[str, object]) -> dict[str, object]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def reason(word: str) -> dict[str, object]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": word, "domain": "googleapis.com"}


def quota(id_: str) -> dict[str, object]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaMetric": "requests", "quotaId": id_}]}


QUOTA = "You exceeded your current quota, please check your plan and billing details."
TABLE = [
    (
        400,
        google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", reason("API_KEY_INVALID")),
        AuthenticationFailed,
    ),
    (400, [google(400, "INVALID_ARGUMENT", "API Key not found. Please pass a valid API key.")], AuthenticationFailed),
    (401, google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."), AuthenticationFailed),
    (403, google(403, "PERMISSION_DENIED", "Your API key was reported as leaked. Please use another API key."), AuthenticationFailed),
    (403, google(403, "PERMISSION_DENIED", "Vertex AI API has not been used.", reason("SERVICE_DISABLED")), PermissionDenied),
    (403, google(403, "PERMISSION_DENIED", "This API method requires billing.", reason("BILLING_DISABLED")), QuotaExhausted),
    (400, google(400, "FAILED_PRECONDITION", "User location is not supported for the API use."), PermissionDenied),
    (400, google(400, "FAILED_PRECONDITION", "Some precondition failed."), InvalidRequest),
    (404, google(404, "NOT_FOUND", "models/x is not found for API version v1beta."), ModelNotFound),
    (400, google(400, "INVALID_ARGUMENT", "* GenerateContentRequest.contents: contents is not specified"), InvalidRequest),
    (
        400,
        google(400, "INVALID_ARGUMENT", "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
        ContextTooLong,
    ),
    (
        400,
        google(400, "INVALID_ARGUMENT", "The input token count is 1200000 but model only supports up to 1048576."),
        ContextTooLong,
    ),
    (400, google(400, "INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes."), ContextTooLong),
    (429, google(429, "RESOURCE_EXHAUSTED", QUOTA, quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")), RateLimited),
    (429, google(429, "RESOURCE_EXHAUSTED", QUOTA, quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")), QuotaExhausted),
    (429, google(429, "RESOURCE_EXHAUSTED", "Quota exceeded for metric: free_tier_requests, limit: 0"), QuotaExhausted),
    (429, google(429, "RESOURCE_EXHAUSTED", "Your project has exceeded its monthly spending cap."), QuotaExhausted),
    (429, google(429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later."), RateLimited),
    (499, google(499, "CANCELLED", "The operation was cancelled."), Overloaded),
    (500, google(500, "INTERNAL", "An internal error has occurred."), Overloaded),
    (503, google(503, "UNAVAILABLE", "The model is overloaded."), Overloaded),
    (504, google(504, "DEADLINE_EXCEEDED", "The request timed out."), ProviderTimeout),
    (401, anthropic("authentication_error", "invalid x-api-key"), AuthenticationFailed),
    (401, openai("invalid_api_key", "Incorrect API key provided: sk-abc."), AuthenticationFailed),
    (401, "<html>401</html>", AuthenticationFailed),
    (400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***yz."}, AuthenticationFailed),
    (402, anthropic("billing_error", "Your payment failed."), QuotaExhausted),
    (402, {"error": {"message": "Insufficient credits", "code": 402}}, QuotaExhausted),
    (400, anthropic("invalid_request_error", "Your credit balance is too low to access the Anthropic API."), QuotaExhausted),
    (
        400,
        anthropic("invalid_request_error", "You have reached your specified API usage limits. Access returns on Friday."),
        QuotaExhausted,
    ),
    (400, anthropic("invalid_request_error", "You have reached your specified workspace API usage limits."), QuotaExhausted),
    (403, anthropic("permission_error", "Your key may not use this."), PermissionDenied),
    (403, openai("unsupported_country_region_territory", "Country not supported"), PermissionDenied),
    (404, anthropic("not_found_error", "model: claude-9"), ModelNotFound),
    (404, openai("model_not_found", "The model `gpt-9` does not exist or you do not have access to it."), ModelNotFound),
    (404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}}, ModelNotFound),
    (404, "404 page not found", ModelNotFound),
    (400, {"error": {"message": "gpt-9 is not a valid model ID", "code": 400}}, ModelNotFound),
    (400, openai("model_decommissioned", "The model has been decommissioned"), ModelNotFound),
    (400, anthropic("invalid_request_error", "max_tokens: must be at least 1"), InvalidRequest),
    (422, {"detail": [{"msg": "field required"}]}, InvalidRequest),
    (409, anthropic("conflict_error", "conflict"), InvalidRequest),
    (301, "", ProviderUnavailable),
    (400, anthropic("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"), ContextTooLong),
    (
        400,
        anthropic("invalid_request_error", "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000"),
        ContextTooLong,
    ),
    (400, openai("context_length_exceeded", "This model's maximum context length is 128000 tokens."), ContextTooLong),
    (400, openai("context_length_exceeded", "Your input exceeds the context window of this model."), ContextTooLong),
    (
        400,
        {
            "object": "error",
            "type": "BadRequestError",
            "code": 400,
            "message": "You passed 1015 input tokens. However, the model's context length is only 1024 tokens.",
        },
        ContextTooLong,
    ),
    (
        400,
        {"error": {"code": 400, "message": "the request exceeds the available context size", "type": "exceed_context_size_error"}},
        ContextTooLong,
    ),
    (403, {"error": "Input token count + max_tokens parameter must be less than the context length of the model"}, ContextTooLong),
    (413, anthropic("request_too_large", "Request exceeds the maximum allowed number of bytes."), ContextTooLong),
    (413, "<html>413 Request Entity Too Large</html>", ContextTooLong),
    (429, anthropic("rate_limit_error", "This request would exceed your rate limit of 30,000 input tokens per minute"), RateLimited),
    (429, openai("rate_limit_exceeded", "Rate limit reached for gpt-4o on tokens per min (TPM)", "tokens"), RateLimited),
    (429, openai(None, "Request too large: reduce the length of the messages and wait a minute"), RateLimited),
    (429, "", RateLimited),
    (429, openai("insufficient_quota", "You exceeded your current quota, please check your plan.", "insufficient_quota"), QuotaExhausted),
    (429, openai("credit_balance_exhausted", "No credit", "insufficient_quota"), QuotaExhausted),
    (429, openai("project_spend_limit_exceeded", "Spent"), QuotaExhausted),
    (429, {"error": {"message": "You exceeded your current quota"}}, QuotaExhausted),
    (
        429,
        anthropic("rate_limit_error", "Your organization reached its monthly cap", error_code="enforced_spend_limit_reached"),
        QuotaExhausted,
    ),
    (400, openai("content_policy_violation", "Your request was rejected by the safety system"), ContentFiltered),
    (400, {"error": {"code": "content_filter", "message": "The response was filtered", "status": 400}}, ContentFiltered),
    (400, anthropic("invalid_request_error", "Output blocked by content filtering policy"), ContentFiltered),
    (408, "", ProviderTimeout),
    (500, anthropic("api_error", "Internal server error"), Overloaded),
    (502, "<html><h1>502 Bad Gateway</h1></html>", Overloaded),
    (503, openai(None, "That model is currently overloaded"), Overloaded),
    (504, "upstream request timeout", Overloaded),
    (529, anthropic("overloaded_error", "Overloaded"), Overloaded),
]


@pytest.mark.parametrize(("status", "body", "error"), TABLE)
def test_the_table(status: int, body: object, error: type[ProviderError]) -> None:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    got = error_from(status, raw, {}, label="Anthropic")
    assert type(got) is error
    assert got.status == status
    assert f"({status})" in got.detail
    assert got.detail.startswith("Anthropic")
    assert got.detail.endswith((".", "…"))
    assert "<" not in got.detail
    assert "sk-" not in got.detail


def test_a_wrong_key_reads_as_promised() -> None:
    body = json.dumps(anthropic("authentication_error", "invalid x-api-key")).encode()
    got = anthropic_messages.error_from(401, body, {}, label="Anthropic")
    assert got.detail == "Anthropic refused this key (401): invalid x-api-key."
    assert got.message == f"{got.detail} {AuthenticationFailed.advice}"
    assert openai_chat.error_from(401, b"", {}, label="OpenAI").detail == "OpenAI refused this key (401)."
    assert openai_responses.error_from is error_from


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Sat, 22 Nov 2025 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sat, 22 Nov 2025 12:00:30 -0000"}, 30.0),
        ({"retry-after": "Sat, 22 Nov 2025 11:00:00 GMT"}, 0.0),
        ({"retry-after": "in a while"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "-inf"}, None),
        ({"retry-after": "inf"}, 3600.0),
        ({"retry-after": "1e999"}, 3600.0),
        ({"retry-after": "3601"}, 3600.0),
        ({"retry-after": "3600"}, 3600.0),
        ({"retry-after-ms": "86400000"}, 3600.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 3600.0),
        ({"retry-after": "Sat, 22 Nov 99999999999999999999 12:00:30 GMT"}, None),
        ({"retry-after-ms": "nan", "retry-after": "nan"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=lambda: datetime(2025, 11, 22, 12, 0, 0, tzinfo=UTC)) == seconds


def test_retry_after_reaches_the_error() -> None:
    got = error_from(429, b"", {"Retry-After": "7"}, label="OpenAI")
    assert isinstance(got, RateLimited)
    assert got.retry_after == 7.0
    late = error_from(503, b"", {"Retry-After": "Sat, 22 Nov 2025 12:00:30 GMT"}, label="OpenAI")
    assert late.retry_after == 0.0


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (anthropic("overloaded_error", "Overloaded"), Overloaded),
        (anthropic("rate_limit_error", "slow down"), RateLimited),
        (anthropic("invalid_request_error", "bad"), InvalidRequest),
        (anthropic("invalid_request_error", "prompt is too long"), ContextTooLong),
        (anthropic("timeout_error", "timed out"), ProviderTimeout),
        (anthropic("api_error", "oops"), Overloaded),
        ({"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": None}, RateLimited),
        ({"code": "server_error", "message": "oops"}, Overloaded),
        ({"code": "invalid_prompt", "message": "flagged"}, ContentFiltered),
        ({"error": {"code": 429, "message": "upstream"}}, RateLimited),
        ({"error": {"code": 502, "message": "upstream"}}, Overloaded),
        ({"error": {"code": "insufficient_quota", "message": "spent"}}, QuotaExhausted),
        ({"error": "model crashed"}, Overloaded),
        (None, Overloaded),
    ],
)
def test_an_error_inside_the_stream_maps_to_the_same_tree(event: object, error: type[ProviderError]) -> None:
    got = error_event(event, label="Anthropic")
    assert type(got) is error
    assert got.status is None
    assert got.detail.startswith("Anthropic")


@settings(deadline=None)
@given(
    st.integers(300, 599), st.one_of(st.binary(max_size=200), st.text(max_size=50).map(lambda text: json.dumps({"error": text}).encode()))
)
def test_any_answer_is_an_error_of_the_tree(status: int, body: bytes) -> None:
    got = error_from(status, body, {}, label="Anthropic")
    assert isinstance(got, ProviderError)
    assert got.detail


@pytest.mark.parametrize(("delay", "headers", "seconds"), [("34.07s", {}, 34.07), ("90000s", {}, 3600), ("34s", {"retry-after": "7"}, 7)])
def test_the_wait_that_a_body_asks_for(delay: str, headers: dict[str, str], seconds: float) -> None:
    body = google(429, "RESOURCE_EXHAUSTED", QUOTA, quota("PerMinute"), {"@type": "google.rpc.RetryInfo", "retryDelay": delay})
    error = error_from(429, json.dumps(body).encode(), headers, label="Google Gemini")
    assert (type(error), error.retry_after) == (RateLimited, seconds)


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached for gpt-5.4 in organization org-1. Please try again in 11.054s. Visit https://platform.openai.com", 11.054),
        ("Rate limit reached for model `qwen3`. Please try again in 7m12.5s.", 432.5),
        ("Please try again in 864ms.", 0.864),
        ("Requests have exceeded the token rate limit. Please retry after 26 seconds.", 26),
        ("You exceeded your current quota. Please retry in 34.07s.", 34.07),
        ("Try again in 2 hours", 3600),
        ("Please try again in a moment.", None),
    ],
)
def test_the_wait_that_words_ask_for(message: str, seconds: float | None) -> None:
    """An error within a stream has no headers; where there are some, they count."""
    for event in ({"type": "error", "code": "rate_limit_exceeded", "message": message}, {"error": {"code": 429, "message": message}}):
        assert error_event(event, label="OpenAI").retry_after == seconds
    told = error_from(429, json.dumps(openai(None, message)).encode(), {"retry-after": "7"}, label="OpenAI")
    assert told.retry_after == 7


@pytest.mark.parametrize(
    ("message", "about_seals"),
    [
        ("messages.1.content.0: Invalid `signature` in `thinking` block", True),
        ("messages.369.content.0.thinking.signature: Field required", True),
        ("Invalid value at 'contents[1].parts[0].thought_signature' (TYPE_BYTES), Base64 decoding failed", True),
        ("Function call is missing a thought_signature in functionCall parts.", True),
        ("The encrypted content gAAA...c90= could not be verified.", True),
        ("thinking: Input tag 'adaptive' found using 'type' does not match", False),
        ("Encrypted content is not supported with this model.", False),
    ],
)
def test_a_refusal_for_what_another_account_has_sealed(message: str, about_seals: bool) -> None:
    body = json.dumps(openai(None, message)).encode()
    assert refuses_seals(error_from(400, body, {}, label="Anthropic")) is about_seals
    assert not refuses_seals(error_from(500, body, {}, label="Anthropic"))
