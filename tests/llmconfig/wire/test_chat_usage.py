"""Usage in disjoint buckets, through the spellings of many servers."""

from __future__ import annotations

from typing import Any

import pytest

from llmconfig.llm import Usage
from llmconfig.wire.chat_usage import usage_of
from tests.llmconfig.wire.streams import CHAT_USAGE


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        pytest.param(CHAT_USAGE, Usage(200, 60, 300, None, None, 20), id="OpenAI; bug 9: cached input is counted once"),
        pytest.param({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}, Usage(5, 2), id="no details"),
        pytest.param({"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": None}, Usage(5, 2), id="null details"),
        pytest.param(
            {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3}},
            Usage(2, 2, 4, 3),
            id="cache writes",
        ),
        pytest.param({"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 4}, Usage(5, 2, 4), id="DeepSeek"),
        pytest.param(
            {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 41, "completion_tokens_details": {"reasoning_tokens": 30}},
            Usage(9, 32, reasoning_tokens=30),
            id="xAI: reasoning on top",
        ),
        pytest.param(
            {"completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 1}},
            Usage(None, 2, reasoning_tokens=1),
            id="no prompt",
        ),
        pytest.param(
            {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"audio_tokens": 7}},
            Usage(9, 2, audio_tokens=7),
            id="sound",
        ),
        pytest.param({"prompt_tokens": "5", "completion_tokens": -1}, Usage(), id="nonsense is unknown, not 0"),
        pytest.param({}, Usage(), id="empty"),
    ],
)
def test_bug_09_the_cache_is_counted_once_and_what_is_not_said_stays_unknown(counts: dict[str, Any], usage: Usage) -> None:
    assert usage_of(counts) == usage
