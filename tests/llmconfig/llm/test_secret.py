"""A secret never shows itself."""

from __future__ import annotations

import copy
import json
import pickle
import traceback

import pytest

from llmconfig.llm import Credentials, Secret
from llmconfig.llm.secret import MASK

KEY = "sk-ant-api03-wxyz"


def test_it_is_masked_wherever_it_is_written() -> None:
    secret = Secret(KEY)
    shown = (
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>30}",
        f"{secret} {secret!r}",
        repr([secret]),
        repr(Credentials("u", {"api_key": secret})),
    )
    assert all(MASK in text and KEY not in text for text in shown)
    assert secret.reveal() == KEY


def test_it_is_never_serialised() -> None:
    for serialise in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never pickled"):
            serialise(Secret(KEY))
    with pytest.raises(TypeError):
        json.dumps(Secret(KEY))


def test_a_traceback_that_names_it_does_not_show_it() -> None:
    def fail(secret: Secret) -> None:
        raise ValueError(secret)

    with pytest.raises(ValueError, match=MASK) as caught:
        fail(Secret(KEY))
    captured = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert KEY not in "".join(captured.format())


def test_it_compares_by_its_text_and_is_no_cache_key() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert Secret(KEY) != Secret("other")
    assert Secret(KEY) != KEY
    with pytest.raises(TypeError):
        hash(Secret(KEY))


def test_length_and_truth() -> None:
    assert len(Secret(KEY)) == len(KEY)
    assert Secret(KEY)
    assert not Secret("")


@pytest.mark.parametrize(("key", "hint"), [(KEY, "…wxyz"), ("123456789012", "…9012"), ("12345678901", ""), ("", "")])
def test_promise_5_the_hint_is_the_last_four_of_a_long_key(key: str, hint: str) -> None:
    assert Secret(key).hint() == hint
