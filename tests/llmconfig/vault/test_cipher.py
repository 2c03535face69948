"""The ciphertext: its frozen format, what it is bound to, and that opening what is not ours only ever fails."""

from __future__ import annotations

import base64
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmconfig.llm import Secret
from llmconfig.vault import Context, DataKey, Unreadable, fingerprint, key_id_of, new_data_key, open_sealed, seal
from llmconfig.vault.cipher import encrypt

KEY = DataKey("0123456789ab", bytes(range(32)))
CONTEXT = Context("llmconfig_userllmconfig", "api_key", "org-1", "alice", "row-1")
SECRET = Secret("sk-ant-api03-canary-0001")
# Sealed by the first release. If this stops opening, everyone's keys have.
FROZEN = (
    "v1.0123456789ab.gAAAAAAAAAAAlYj7khWGcHUHut02y4hHAGIHBYxiMgV2BwrHowJtdY"
    "1RLP0NMqM5J9-UuvX_40UFNQ_h3gK6aivyr_ceDynHkgZVLVrsZw8GmzTpVfqjqwI"
)


def test_the_format_of_the_first_release_still_opens() -> None:
    assert open_sealed(FROZEN, CONTEXT, KEY) == SECRET


def test_a_ciphertext_names_its_version_and_key_and_no_time() -> None:
    version, key_id, token = seal(SECRET, CONTEXT, KEY).split(".")
    assert (version, key_id) == ("v1", KEY.key_id)
    assert token.startswith("gAAAAAAAAAAA")  # 0x80 and eight zero bytes of time


def test_sealing_twice_gives_two_ciphertexts() -> None:
    assert seal(SECRET, CONTEXT, KEY) != seal(SECRET, CONTEXT, KEY)


@given(st.text(max_size=300))
def test_what_was_sealed_opens(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    assert open_sealed(seal(Secret(text), CONTEXT, KEY), CONTEXT, KEY).reveal() == text


def test_promise_1_no_swap_of_two_ciphertexts_opens() -> None:
    """security.md, promise 1: every pair of different places, far more than 500 swaps."""
    places = [
        (Context(table, field, organization, owner, row), key)
        for table, field, (organization, key), owner, row in product(
            ("llmconfig_userllmconfig", "agent_service"),
            ("api_key", "credentials"),
            (("org-1", KEY), ("org-2", new_data_key())),
            ("alice", "bob", ""),
            ("row-1", "row-2"),
        )
    ]
    sealed = [seal(Secret(f"secret of {number}"), context, key) for number, (context, key) in enumerate(places)]
    swaps = 0
    for number, (context, key) in enumerate(places):
        for other, text in enumerate(sealed):
            if other == number:
                continue
            with pytest.raises(Unreadable):
                open_sealed(text, context, key)
            # Even where a thief also forges the key id.
            forged = ".".join(["v1", key.key_id, text.rsplit(".", 1)[1]])
            with pytest.raises(Unreadable):
                open_sealed(forged, context, key)
            swaps += 1
    assert swaps >= 500


@given(st.data())
def test_no_changed_character_opens(data: st.DataObject) -> None:
    text = seal(SECRET, CONTEXT, KEY)
    position = data.draw(st.integers(0, len(text) - 2))  # the last character of base64 holds spare bits
    letter = data.draw(st.sampled_from("AZaz09-_."))
    if text[position] == letter:
        return
    with pytest.raises(Unreadable):
        open_sealed(text[:position] + letter + text[position + 1 :], CONTEXT, KEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sk-ant-plaintext",
        "v1",
        "v1.",
        "v1.0123456789ab.",
        "v2.0123456789ab.gAAAA",
        "v1.0123456789ab.!!",
        "v1.0123456789ab.gAAAA",
        "v1.a.b.c",
    ],
)
def test_what_is_no_ciphertext_never_comes_back(text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        open_sealed(text, CONTEXT, KEY)
    assert not text or text not in str(caught.value)


def test_two_keys_in_use_are_told_apart_by_id() -> None:
    old, new = new_data_key(), new_data_key()
    assert key_id_of(seal(SECRET, CONTEXT, old)) == old.key_id
    assert key_id_of(seal(SECRET, CONTEXT, new)) == new.key_id
    with pytest.raises(Unreadable):
        open_sealed(seal(SECRET, CONTEXT, old), CONTEXT, new)


@pytest.mark.parametrize("changed", [{"table": "a|b"}, {"row": ""}, {"organization": ""}, {"field": ""}])
def test_an_ambiguous_context_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="context"):
        seal(SECRET, replace(CONTEXT, **changed), KEY)


def test_a_fingerprint_is_keyed() -> None:
    assert fingerprint(SECRET, KEY) == fingerprint(Secret(SECRET.reveal()), KEY)
    assert fingerprint(SECRET, KEY) != fingerprint(SECRET, new_data_key())
    assert fingerprint(SECRET, KEY) != fingerprint(Secret("another"), KEY)
    assert len(fingerprint(SECRET, KEY)) == 16


@pytest.mark.parametrize(
    ("text", "hint"), [("", ""), ("short", ""), ("elevenchars", ""), ("twelve-chars", "…hars"), ("sk-0123456789wxyz", "…wxyz")]
)
def test_the_hint_shows_four_characters_of_a_long_key_and_none_of_a_short_one(text: str, hint: str) -> None:
    """security.md, promise 5."""
    assert Secret(text).hint() == hint


def test_a_sealed_value_that_is_no_text_is_unreadable() -> None:
    token = base64.urlsafe_b64encode(encrypt(KEY.material, CONTEXT.info(), b'{"not": "a text"}')).decode().rstrip("=")
    with pytest.raises(Unreadable):
        open_sealed(f"v1.{KEY.key_id}.{token}", CONTEXT, KEY)
