"""Promise 13 through every sink: whatever is written where an address is taken, no socket is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmconfig.tenancy.rest import throttling
from tests.llmconfig.net.vectors import URLS
from tests.routekit.egress.sinks import SINKS, Attack

if TYPE_CHECKING:
    from tests.llmconfig.net.stage import Seam
    from tests.llmconfig.people import Person


@pytest.mark.parametrize("sink", SINKS)
def test_promise_13_no_socket_is_opened_through(sink: str, alice: Person, seam: Seam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(throttling.LIMITS, "connections", len(URLS) + 1)
    attack = Attack(alice)
    for url in URLS:
        SINKS[sink](attack, url)
        assert seam.dialled == [], (sink, url)
