"""What looks like a credential is masked, and what a log is read for is not."""

from __future__ import annotations

import pytest

from routekit.scrubbing import mask

CANARY = "c4n4ry-0123456789abcdef"
CREDENTIALS = [
    f"Authorization: Bearer {CANARY}",
    f"authorization: Basic {CANARY}==",
    f"'authorization': 'Bearer {CANARY}'",
    f"Headers({{'x-api-key': '{CANARY}', 'accept': '*/*'}})",
    f"[(b'x-goog-api-key', b'{CANARY}'), (b'accept', b'*/*')]",
    f"api-key: {CANARY}",
    f'{{"api_key": "{CANARY}"}}',
    f"api_key={CANARY}&model=x",
    f"GET https://host.example/v1/models?key={CANARY}&alt=sse",
    f"GET https://host.example/mcp?token={CANARY}",
    f"postgres://routekit:{CANARY}@db:5432/routekit",
    f"redis://:{CANARY}@valkey:6379/0",
    f"https://{CANARY}@host.example/",
    f"Cookie: routekit_session={CANARY}; theme=dark",
    f"Set-Cookie: csrftoken={CANARY}; Path=/",
    f"csrfmiddlewaretoken={CANARY}",
    f"sent Bearer {CANARY} and was refused",
    f"password={CANARY}",
    f"'client_secret': '{CANARY}'",
    f"refresh_token: {CANARY}",
    f"KEK='{CANARY}'",
    f"/accounts/callback/?code={CANARY}&state={CANARY}",
]
SHAPES = [
    "sk-ant-api03-AbCdEf0123456789",
    "sk-proj-AbCdEf0123456789",
    "sk-or-v1-0123456789abcdef",
    "gsk_AbCdEf0123456789",
    "xai-AbCdEf0123456789",
    "hf_AbCdEf0123456789",
    "ghp_AbCdEf0123456789",
    "github_pat_11AbCdEf0123456789",
    "AIzaSyAbCdEf0123456789-_xyz",
    "ya29.AbCdEf0123456789",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nBKcwggSj\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0\\nBKcw",
]
ORDINARY = [
    "run 01997b3e-1111-7222-8333-444455556666 finished in 12 s: 30 input tokens, 5 output tokens",
    "definition sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 changed",
    "config 01997b3e-1111-7222-8333-444455556666 has no key. Enter one under Settings, Providers.",
    "max_tokens=100000 max_output_tokens: 64000",
    "the bearer token is missing, or basic authentication failed",
    "task-01997b3e-1111 and disk-0123456789 and risk-free-0123456789",
    "https://api.example.com:443/v1/chat/completions?api-version=2024-10-21",
    "Task agent.tasks.run_conversation[5f0c1a52-9d0b-4f39-a1a4-8d3b1a7b9c11] received",
    "Key: missing",
    "model claude-sonnet-4-5-20250929 of anthropic",
    "'seen': ['tokens', 'keys'], 'key': 1",
    "secret: [] credentials: {}",
]


@pytest.mark.parametrize("said", CREDENTIALS)
def test_a_labelled_credential_is_masked(said: str) -> None:
    assert CANARY not in mask(said)
    assert "••••" in mask(said)


@pytest.mark.parametrize("said", SHAPES)
def test_a_credential_known_by_its_shape_is_masked(said: str) -> None:
    assert mask(f"it was {said}, they said") == "it was ••••, they said"


@pytest.mark.parametrize("said", ORDINARY)
def test_ids_hashes_and_words_stay(said: str) -> None:
    assert mask(said) == said
