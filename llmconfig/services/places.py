"""Who waits for someone else's server holds one of the web's threads: few may at once, so that the others go on being answered.

One person gets half of the places at most: whoever tests twenty dead servers leaves room for the rest.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.conf import settings

from llmconfig.tenancy.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALL = max(1, settings.WEB_THREADS // 2)
_EACH = max(1, _ALL // 2)
_places = threading.BoundedSemaphore(_ALL)
_held: Counter[str] = Counter()
_lock = threading.Lock()


@contextmanager
def waiting_place(who: str = "") -> Iterator[None]:
    """One of the process's places. who: whose request waits, "" for nobody in particular. Raises `Unavailable` at once when all are
    taken, or this person's.
    """
    with _lock:
        if who and _held[who] >= _EACH:
            raise Unavailable("You are testing too many connections at once. Try again in a moment.", retry_after=5)
        if not _places.acquire(blocking=False):
            raise Unavailable("Too many connections are being tested at once. Try again in a moment.", retry_after=5)
        _held[who] += 1
    try:
        yield
    finally:
        with _lock:
            _held[who] -= 1
            if not _held[who]:
                del _held[who]
        _places.release()
