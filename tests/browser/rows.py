"""What the page shows of rows that are hard to come by: the API's answers, changed on their way to the browser."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page, Route


@contextmanager
def first_row(page: Page, path: str, **change: Any) -> Iterator[None]:
    """Inside, the list at `path` is shown with its first row changed."""

    def answer(route: Route) -> None:
        listed = route.fetch()
        body = listed.json()
        body["results"][0].update(change)
        route.fulfill(response=listed, json=body)

    page.route(path, answer)
    yield
    page.unroute_all(behavior="wait")
