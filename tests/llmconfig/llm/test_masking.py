"""Known secrets are found however they are written, and nothing else is touched."""

from __future__ import annotations

import gc
import html
import json
import threading
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmconfig.llm import Credentials, Masker, Secret, mask_open, masking, watch
from llmconfig.llm.secret import MASK

KEY = 'sk-team&alice/0123456789+abcdef "é"'
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END PRIVATE KEY-----\n"
WRITTEN = {
    "raw": KEY,
    "JSON": json.dumps(KEY)[1:-1],
    "JSON, not ASCII": json.dumps(KEY, ensure_ascii=False)[1:-1],
    "JSON in JSON": json.dumps(json.dumps(KEY)[1:-1])[1:-1],
    "Python": repr(KEY)[1:-1],
    "URL": quote(KEY, safe=""),
    "path": quote(KEY),
    "form": quote_plus(KEY),
    "URL, lower case": quote(KEY, safe="").replace("%2F", "%2f").replace("%C3%A9", "%c3%a9").replace("%2B", "%2b"),
    "HTML": html.escape(KEY),
    "base64": b64encode(KEY.encode()).decode(),
    "base64, url-safe": urlsafe_b64encode(KEY.encode()).decode(),
    "base64, no padding": b64encode(KEY.encode()).decode().rstrip("="),
    "hex": KEY.encode().hex(),
}


@pytest.mark.parametrize("written", WRITTEN)
def test_every_spelling_is_masked_whole(written: str) -> None:
    assert Masker([Secret(KEY)]).mask(f"the key {WRITTEN[written]}\nis wrong").startswith(f"the key {MASK}")
    assert Masker([Secret(KEY)]).mask(f"the key {WRITTEN[written]}\nis wrong").endswith("\nis wrong")


@pytest.mark.parametrize("before", ["", "u", "us", "alice:", "Bearer "])
@pytest.mark.parametrize("after", ["", "x", ":more"])
def test_base64_of_a_longer_text_hides_none_of_it(before: str, after: str) -> None:
    """Basic authentication, a signed statement, a whole header: the key begins at any of three places."""
    key = "lemonade-stand-0123456789"
    masked = Masker([Secret(key)]).mask(b64encode(f"{before}{key}{after}".encode()).decode())
    assert MASK in masked
    assert len(masked) < len(before) + len(after) + 16


@pytest.mark.parametrize("size", [12, 20, len(KEY) - 1])
def test_a_beginning_of_twelve_characters_is_masked(size: int) -> None:
    assert Masker([Secret(KEY)]).mask(f"You sent {KEY[:size]}…") == f"You sent {MASK}…"


def test_what_shares_no_more_than_a_prefix_stays() -> None:
    said = "You sent sk-team&ali, and sk-…ef."
    assert Masker([Secret(KEY)]).mask(said) == said


@pytest.mark.parametrize("key", ["", "short"])
def test_a_word_is_no_secret(key: str) -> None:
    assert Masker([Secret(key)]).mask("a short word") == "a short word"


def test_a_secret_of_few_characters_is_masked_whole_alone() -> None:
    assert Masker([Secret("hunter22")]).mask("hunter22, hunter2") == f"{MASK}, hunter2"


def test_a_document_hides_its_key_and_leaves_the_rest() -> None:
    document = json.dumps({"type": "service_account", "project_id": "acme-project-123", "private_key": PEM, "client_email": "a@b.example"})
    masker = Masker([Secret(document)])
    assert (
        masker.mask('{"type": "server_error", "project": "acme-project-123"}') == '{"type": "server_error", "project": "acme-project-123"}'
    )
    for said in (document, PEM, json.dumps(PEM), " ".join(PEM.split()), PEM.split("\n")[1], f"…{PEM.split()[4]}"):
        assert "MIIEvQIBADAN" not in masker.mask(said)
        assert "BKcwggSjAgEA" not in masker.mask(said)
    assert Masker([Secret('{"broken')]).mask('{"broken') == MASK
    assert Masker([Secret("[1, 2, 3]")]).mask("[1, 2, 3] and [1, 2]") == f"{MASK} and [1, 2]"


def test_the_token_behind_its_scheme_is_a_secret_too() -> None:
    assert Masker([Secret("Bearer lemonade-stand-01")]).mask("token lemonade-stand-01") == f"token {MASK}"


def test_a_secret_that_repeats_itself_is_masked_once() -> None:
    assert Masker([Secret("ab" * 10)]).mask(f"x{'ab' * 10}x") == f"x{MASK}x"


def test_two_secrets_that_begin_alike_and_stand_side_by_side() -> None:
    one, other = "lemonade-stand-of-alice", "lemonade-stand-of-bob-and-more"
    assert Masker([Secret(one), Secret(other)]).mask(f"{one}{other} {other}{one}") == f"{MASK}{MASK} {MASK}{MASK}"


@given(st.text(max_size=40), st.text(alphabet="abcXYZ0189-_/+=", min_size=6, max_size=60), st.text(max_size=40))
def test_wherever_it_stands_it_is_gone(before: str, key: str, after: str) -> None:
    assert key not in Masker([Secret(key)]).mask(f"{before}{key}{after}").replace(MASK, "\0")


# What is open


def test_what_somebody_holds_is_masked_and_what_nobody_holds_is_forgotten() -> None:
    credentials = Credentials("https://api.example.com", {"api_key": Secret("watched-0123456789-abcdef")})
    said = "a line with watched-0123456789-abcdef in it"
    assert mask_open(said) == f"a line with {MASK} in it"
    assert mask_open(said) == f"a line with {MASK} in it"
    del credentials
    gc.collect()
    assert mask_open(said) == said
    assert masking._masker is None or not any("watched-0123" in begun for begun in masking._masker._begun)


def test_nothing_is_masked_where_nothing_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_watched", {})
    monkeypatch.setattr(masking, "_masker", None)
    watch(Secret(""))
    assert mask_open("sk-0123456789abcdef") == "sk-0123456789abcdef"


def test_no_more_are_watched_than_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_watched", {})
    monkeypatch.setattr(masking, "WATCHED", 3)
    secrets = [Secret(f"watched-{number}-0123456789") for number in range(5)]
    for secret in (*secrets, secrets[-1]):
        watch(secret)
    said = " ".join(secret.reveal() for secret in secrets)
    assert mask_open(said) == f"watched-0-0123456789 watched-1-0123456789 {MASK} {MASK} {MASK}"
    del secrets, secret
    gc.collect()
    assert mask_open(said) == said


def test_secrets_that_come_and_go_while_others_write() -> None:
    """Whoever writes has the ones that it holds itself masked, whatever other threads do."""
    wrong: list[str] = []

    def work(name: int) -> None:
        for round_ in range(100):
            secret = Secret(f"thread-{name}-round-{round_}-0123456789")
            watch(secret)
            if secret.reveal() in mask_open(f"line {secret.reveal()}"):
                wrong.append(secret.reveal())

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
