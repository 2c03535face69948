"""Reading a provider's complaint: every shape, never a key."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmconfig.wire.fault import MAX_MESSAGE, Fault, clean, read_fault


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"type": "error", "error": {"type": "not_found_error", "message": "no model"}}, Fault("no model", ("not_found_error", "error"))),
        (
            {"error": {"type": "rate_limit_error", "message": "spent", "details": {"error_code": "enforced_spend_limit_reached"}}},
            Fault("spent", ("enforced_spend_limit_reached", "rate_limit_error")),
        ),
        (
            {"error": {"code": "content_filter", "message": "no", "status": 400, "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
            Fault("no", ("ResponsibleAIPolicyViolation", "content_filter", "400")),
        ),
        ([{"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}], Fault("bad", ("400", "INVALID_ARGUMENT"))),
        (
            {
                "error": {
                    "code": 429,
                    "message": "full",
                    "status": "RESOURCE_EXHAUSTED",
                    "details": [
                        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "PerDay-FreeTier"}, {}]},
                        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED"},
                        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"},
                    ],
                }
            },
            Fault("full", ("PerDay-FreeTier", "RATE_LIMIT_EXCEEDED", "429", "RESOURCE_EXHAUSTED"), 34.5),
        ),
        ({"error": {"message": "full", "details": [{"retryDelay": "soon"}, {"retryDelay": {"seconds": 3}}]}}, Fault("full")),
        ({"object": "error", "message": "too long", "type": "BadRequestError", "code": 400}, Fault("too long", ("400", "BadRequestError"))),
        ({"error": "model 'x' not found"}, Fault("model 'x' not found")),
        ({"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]}, Fault("Authentication error")),
        ({"code": 1001, "msg": "no such model"}, Fault("no such model", ("1001",))),
        ({"type": "about:blank", "title": "Bad Request", "status": 400}, Fault("Bad Request", ("about:blank", "400"))),
        ({"detail": "Not Found"}, Fault("Not Found")),
        ({"detail": [{"loc": ["body"], "msg": "field required"}, {"msg": "bad value"}, "odd"]}, Fault("field required; bad value")),
        ({"error": {"message": None, "code": None, "type": ""}}, Fault("")),
        ({"object": "error", "message": {"detail": [{"msg": "extra"}]}, "type": "invalid"}, Fault("extra", ("invalid",))),  # Mistral
        (
            {
                "error": {
                    "message": "Provider returned error",
                    "code": 400,
                    "metadata": {"raw": '{"error": {"message": "long", "code": "c"}}'},
                }
            },
            Fault("Provider returned error: long", ("c", "400")),
        ),
        ({"error": {"message": "no", "metadata": {"raw": {"x": 1}}}}, Fault("no")),
        ("just a string", Fault("just a string")),
        ([], Fault("")),
        (7, Fault("")),
    ],
)
def test_every_vendors_shape(body: object, fault: Fault) -> None:
    assert read_fault(json.dumps(body).encode()) == fault


@pytest.mark.parametrize("body", [b"", b"  ", b"<html><title>502</title></html>", b"\n<!DOCTYPE html>", b"[" * 100_000, b"null"])
def test_a_body_that_says_nothing_to_people(body: bytes) -> None:
    assert read_fault(body) == Fault()


def test_plain_text_and_broken_utf8_are_read() -> None:
    assert read_fault(b"upstream\r\n  timed out \xff").message == "upstream timed out \ufffd"


KEYS = (
    "ya29.c.b0AXv0zTPQ-abc_DEF",
    "AQ.Ab8RN6Kabc-def_ghi",
    "-----BEGIN PRIVATE KEY----- MIIEvQIBADANBg kqhkiG9w0B= -----END PRIVATE KEY-----",
    "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWxYz_0123456789",
    "sk-proj-abc123XYZ",
    "sk-ab***********wxyz",
    "gsk_1234567890abcdefghij",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "xai-0123456789abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "0123456789abcdef0123456789abcdef",
    "Ab1" * 28,
)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "said", ["Incorrect API key provided: {}.", "key {} refused", "Bearer {}", '{{"authorization": "Bearer {}"}}', "?key={}&a=b"]
)
def test_keys_never_come_through(said: str, key: str) -> None:
    assert key not in clean(said.format(key))
    assert "[key]" in clean(said.format(key))
    assert key[:12] not in clean("x " * 245 + key)


@pytest.mark.parametrize("key", ["sk-team/ab+cd=ef~gh.end9", "0123456789abcdef0123456789abcdef-wxyz.end9", r"sk-ab\\/cd%2Fend9"])
def test_nothing_is_left_of_a_key_behind_an_odd_character(key: str) -> None:
    assert clean(f"bad key {key} here") == "bad key [key] here"


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        ("api_key=hunter22", "hunter22"),
        ('{"password": "hunter22"}', "hunter22"),
        ("Authorization: Basic aHVudGVyOnR3bzIyMg==", "aHVudGVyOnR3bzIyMg"),
        ("Authorization: Bearer abcdefgh", "abcdefgh"),
        ("Bearer abcdefgh", "abcdefgh"),
        ("GET /v1?token=hunter22&a=b", "hunter22"),
        ("GET /v1?a=b&access_token=hunter22", "hunter22"),
        ("token=hunter22", "hunter22"),
        ("refresh_token=hunter22", "hunter22"),
        ("https://alice:hunter22@llm.example.com/v1", "hunter22"),
        ("http://alice:hunt@er22@llm.example.com", "er22"),
        ("wss://hunter22@llm.example.com", "hunter22"),
    ],
)
def test_what_is_labelled_as_a_secret_never_comes_through(said: str, secret: str) -> None:
    assert secret not in clean(f"You sent {said} here")


@pytest.mark.parametrize(
    "text",
    [
        "invalid x-api-key",
        "The model `claude-sonnet-4-20250514` does not exist (request_id: req_011CSHoEeqs5C35K2UUqR7Fy)",
        "meta-llama/Meta-Llama-3.1-8B-Instruct-AWQ-INT4 is not available",
        "max_tokens: 64000 > 8192, which is the maximum allowed number of output tokens",
        "unexpected token: 'import' at max_tokens=64000 with token count: 12345",
        "see https://llm.example.com/@alice or https://llm.example.com?to=alice@example.com",
    ],
)
def test_what_people_need_stays_readable(text: str) -> None:
    assert clean(text) == text


def test_a_long_message_is_cut_and_the_cut_shown() -> None:
    assert clean("word " * 300).endswith("…")
    assert len(clean("word " * 300)) == MAX_MESSAGE
    assert clean("x" * MAX_MESSAGE) == "x" * MAX_MESSAGE


def test_half_a_key_is_not_left_where_a_huge_message_is_cut() -> None:
    key = "0123456789abcdef0123456789abcdef"
    long_keys = ("sk-" + "a1" * 200 + " ") * 9
    said = long_keys + "x " * ((3980 - len(long_keys)) // 2) + key
    assert len(clean(said)) < MAX_MESSAGE
    assert key[:8] not in clean(said)


HOSTILE = (
    *("a", "1", "a1 ", "a b", "٣", "a٣", "+", "/a", "a-", "a.", "é"),
    *(
        "sk-",
        "sk-a ",
        "eyJ.",
        "eyJaaaaaaaa.",
        "bearer a ",
        "basic A ",
        "api key ",
        "access token ",
        "token=",
        "&token= ",
        "?key=",
        "secret provided ",
    ),
    *("://", "a://", "http://a ", "a://a:", "@", "a@", "=", ": "),
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_hostile_message_costs_little(piece: str) -> None:
    assert cost(piece * (4000 // len(piece))) < 0.005
    assert cost("a" * 1999 + " " + piece * (2000 // len(piece))) < 0.005
    assert len(clean(piece * 20_000)) <= MAX_MESSAGE


def cost(text: str) -> float:
    """Seconds of CPU, the least of a few tries."""

    def once() -> float:
        started = time.process_time()
        clean(text)
        return time.process_time() - started

    return min(once() for _ in range(5))


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_body_reads_as_a_short_storable_line(body: bytes) -> None:
    message = read_fault(body).message
    assert len(message) <= MAX_MESSAGE
    assert "\0" not in message
    message.encode()
