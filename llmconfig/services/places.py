"""Who waits for someone else's server holds one of the web's threads: few may at once, so that the others go on being answered."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.conf import settings

from llmconfig.tenancy.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_places = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 2))


@contextmanager
def waiting_place() -> Iterator[None]:
    """One of the process's places. Raises `Unavailable` at once when all are taken."""
    if not _places.acquire(blocking=False):
        raise Unavailable("Too many connections are being tested at once. Try again in a moment.", retry_after=5)
    try:
        yield
    finally:
        _places.release()
