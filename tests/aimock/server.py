"""One aimock on loopback, which answers by the fixtures of `fixtures.json` and by no others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.aimock.install import FOLDER, PROGRAM, install, node
from tests.servers import Server

FIXTURES = FOLDER / "fixtures.json"
_LISTENS = re.compile(r"listening on (http://\S+)")


class Aimock(Server):
    """url: where it listens, on a port that the system chose."""

    url = ""

    def __init__(self) -> None:
        super().__init__("aimock")

    def run(self, *options: str) -> None:
        install()
        self.start([str(node()), str(PROGRAM), "--port", "0", "--fixtures", str(FIXTURES), "--validate-on-load", *options], self._listens)

    def _listens(self) -> bool:
        said = _LISTENS.search(Path(self.folder, "log").read_text())
        self.url = said[1] if said else ""
        return bool(said)


def fixture(user_message: str) -> dict[str, Any]:
    """The response that the fixtures hold for what the user said."""
    rows = json.loads(FIXTURES.read_text())["fixtures"]
    return next(row["response"] for row in rows if row["match"].get("userMessage") == user_message)
