"""How the demo provider tells in Markdown what tools returned: tables of lists, lists of records, and errors as they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llmconfig.llm import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmconfig.llm import ToolResult

MAX_ROWS = 12
MAX_COLUMNS = 5
MAX_TEXT = 600


def report(results: Sequence[tuple[str, ToolResult]]) -> str:
    """results: (tool, result), in call order. Searches that only led to a later result are left out."""
    telling = [(tool, result) for tool, result in results if tool != "search_articles" or result.is_error] or results
    return "\n\n".join(_section(tool, result) for tool, result in telling)


def found_first(result: ToolResult, kind: str) -> str:
    """The id of the first record in a list of `kind`; empty where there is none."""
    value = _value(result)
    rows = value.get(kind) if isinstance(value, dict) and not result.is_error else None
    first = rows[0] if isinstance(rows, list) and rows else None
    return str(first.get("id", "")) if isinstance(first, dict) else ""


def _section(tool: str, result: ToolResult) -> str:
    if result.is_error:
        return f"**{tool}** did not do it: {_text(result) or 'it gave no reason.'}"
    value = _value(result)
    if isinstance(value, dict):
        listed = next(((key, rows) for key, rows in value.items() if isinstance(rows, list)), None)
        return _record(tool, value) if listed is None else _table(*listed)
    if isinstance(value, list):
        return _table("results", value)
    text = _text(result)
    if not text:
        return f"**{tool}** answered without text."
    return f"**{tool}** answered:\n\n{text[:MAX_TEXT]}{'…' if len(text) > MAX_TEXT else ''}"


def _table(kind: str, rows: Sequence[Any]) -> str:
    records = [row for row in rows if isinstance(row, dict)]
    if not rows:
        return f"I found no {kind}."
    headline = f"I found {len(rows)} {kind if len(rows) > 1 else kind.removesuffix('s')}:"
    if not records:
        return "\n".join((headline, "", *(f"- {_cell(row)}" for row in rows[:MAX_ROWS])))
    columns = [key for key, cell in records[0].items() if not isinstance(cell, (list, dict))][:MAX_COLUMNS]
    lines = [headline, "", _row(columns), _row(["---"] * len(columns))]
    lines += [_row([_cell(record.get(column)) for column in columns]) for record in records[:MAX_ROWS]]
    if len(records) > MAX_ROWS:
        lines += ["", f"… and {len(records) - MAX_ROWS} more."]
    return "\n".join(lines)


def _record(tool: str, record: Mapping[str, Any]) -> str:
    lines = [f"- **{key}**: {_cell(cell)}" for key, cell in record.items() if cell not in (None, "")]
    return "\n".join((f"**{tool}** answered:", "", *lines))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    return " ".join(text.split()).replace("|", "\\|")


def _value(result: ToolResult) -> Any:
    try:
        return json.loads(_text(result))
    except ValueError:
        return None


def _text(result: ToolResult) -> str:
    return "\n".join(part.text for part in result.parts if isinstance(part, Text))
