"""What the page makes of a tool call that its run left open: the page's own modules, in its own browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.test_main_job import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.xdist_group("stack")]

SHOW = """async ([events, messages, row]) => {
    const chat = "/static/js/chat";
    const [{ fold }, { turnOf, withRun }, { startTurn }, { toolRow }] = await Promise.all(
        ["fold", "stored", "turn", "tool-row"].map((name) => import(`${chat}/${name}.js`)));
    const shown = (turn) => turn.blocks.filter(({ kind }) => kind === "tool").map((tool) => toolRow(tool).node.textContent);
    const live = events.reduce((turn, [type, data], at) => fold(turn, { seq: at + 1, type, data, at: null }), startTurn("r"));
    const stored = turnOf("r", messages, row.status);
    return { live: shown(live), stored: shown(stored), read: shown(withRun(stored, row)), after: shown(withRun(live, row)) };
}"""
CALLS = [{"id": name, "name": name, "service": "crm", "arguments": {}} for name in ("sent", "asked")]


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_a_call_without_an_answer_is_of_unknown_outcome_once_its_run_is_over(page: Page, status: str) -> None:
    sign_in(page)
    events: list[tuple[str, dict[str, Any]]] = [
        ("step.started", {"index": 1}),
        *(("tool_call.requested", call) for call in CALLS),
        ("tool_call.approval_required", CALLS[1]),
        (f"run.{status}", {"kind": "run_timeout", "detail": "It took too long."}),
    ]
    said = {"id": "m", "role": "assistant", "parts": [{"type": "tool_call"} | call for call in CALLS], "status": "completed"}
    rows = [CALLS[0] | {"status": "unknown", "is_error": None}, CALLS[1] | {"status": "expired", "is_error": None}]
    row = {"id": "r", "status": status, "steps": [{"index": 1, "attempts": [], "tool_calls": rows}]}
    shown = page.evaluate(SHOW, [events, [said], row])
    assert [words(text) for text in shown["live"]] == ["Outcome unknown", "Not finished"]
    assert [words(text) for text in shown["stored"]] == ["Not finished", "Not finished"]
    assert [words(text) for text in shown["read"]] == [words(text) for text in shown["after"]] == ["Outcome unknown", "Expired"]
    assert "It may have run." in shown["read"][0]


def words(text: str) -> str:
    return next(word for word in ("Outcome unknown", "Not finished", "Expired", "Running") if word in text)
