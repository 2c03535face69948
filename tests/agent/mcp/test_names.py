"""agent.mcp.names"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.mcp.names import qualify, split

SLUGS = st.from_regex(r"[a-z0-9]+([_-][a-z0-9]+)*", fullmatch=True)
TOOLS = st.text(alphabet="abc_.-/", min_size=1, max_size=12)


@given(SLUGS, TOOLS)
def test_a_name_comes_apart_as_it_was_put_together(slug: str, tool: str) -> None:
    assert split(qualify(slug, tool)) == (slug, tool)


@pytest.mark.parametrize("slug", ["", "a__b", "a_", "_a", "a b", "-a"])
def test_a_slug_that_would_be_ambiguous_is_refused(slug: str) -> None:
    with pytest.raises(ValueError, match="slug"):
        qualify(slug, "tool")


def test_a_tool_has_a_name() -> None:
    with pytest.raises(ValueError, match="name"):
        qualify("demo", "")


@pytest.mark.parametrize("name", ["", "demo", "demo__", "__tool", "demo_tool", "a b__tool"])
def test_other_texts_are_no_tool_names(name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        split(name)
