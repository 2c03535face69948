"""People of two organizations, and every guarded client of the process on a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.llmconfig.net.stage import Seam
from tests.llmconfig.net.vectors import ANSWERS

if TYPE_CHECKING:
    from tests.llmconfig.people import Person


@pytest.fixture
def alice(db: None) -> Person:
    from tests.llmconfig.people import person

    return person("alice")


@pytest.fixture
def seam(monkeypatch: pytest.MonkeyPatch) -> Seam:
    seam = Seam(monkeypatch)
    for name, answers in ANSWERS.items():
        seam.resolver.always(name, answers)
    return seam
