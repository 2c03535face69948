"""No cell begins a formula, however it is dressed; what is none stays as it is."""

from __future__ import annotations

import pytest

from llmconfig.tenancy.rest.spreadsheets import as_text


@pytest.mark.parametrize(
    "cell",
    [
        '=HYPERLINK("http://x")',
        "+1",
        "-1",
        "@SUM(A1)",
        "\tx",
        "\rx",
        "\nx",
        "  =1",
        '"=1',
        "'=1",
        "\u00a0=1",
        "\u200b=1",
        "\ufeff=1",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff201",
        "\ufe661",
        "\u22121",
        "\u201c=1",
        "\uff02=1",
        "|x",
    ],
)
def test_promise_34_a_formula_cell_is_text(cell: str) -> None:
    assert as_text(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "   ", "alice", "1", "a=b", "config.created", "{}", '{"a": "=1"}', "ä"])
def test_other_text_stays(cell: str) -> None:
    assert as_text(cell) == cell
