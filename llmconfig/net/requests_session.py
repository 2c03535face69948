"""A `requests` session for libraries that want one, whose every request is sent by the guarded client of `build_client`.

requests only carries the question and the answer: its own connections, proxies, cookies and redirects are never used.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import httpx2
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from llmconfig.llm import Timeouts
from llmconfig.net.client import build_client

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from llmconfig.net.policy import EgressPolicy

RequestFailed: Final = requests.RequestException
"""Of this and what `raise_for_status` raises."""
MAX_BYTES: Final = 1024 * 1024
DEADLINE_S: Final = 15.0


class ExchangeFailed(requests.ConnectionError):
    """No answer. The message says why, in words of our own."""


class _Guarded(BaseAdapter):
    """transport: for tests that put their own resolver and sockets under the guard."""

    def __init__(self, policy: EgressPolicy, transport: httpx2.AsyncBaseTransport | None) -> None:
        super().__init__()
        self._policy, self._transport = policy, transport

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Raises `ExchangeFailed`; a deadline of 15 s holds over the whole exchange."""
        try:
            return asyncio.run(asyncio.wait_for(self._exchange(request), DEADLINE_S))
        except httpx2.HTTPError as error:
            raise ExchangeFailed(str(error), request=request) from None
        except TimeoutError:
            raise ExchangeFailed(f"no answer within {DEADLINE_S:.0f} s", request=request) from None

    def close(self) -> None:
        """Nothing is kept open between requests."""

    async def _exchange(self, request: requests.PreparedRequest) -> requests.Response:
        # Encodings that requests would undo are not asked for: a small answer could otherwise grow without a bound.
        headers: Mapping[str, str] = {**{name: str(value) for name, value in request.headers.items()}, "Accept-Encoding": "identity"}
        body: Any = request.body
        async with (
            build_client(self._policy, timeouts=Timeouts(connect=5.0, idle=5.0), transport=self._transport) as client,
            client.stream(str(request.method), str(request.url), headers=headers, content=body) as answer,
        ):
            content = bytearray()
            async for chunk in answer.aiter_raw():
                content += chunk
                if len(content) > MAX_BYTES:
                    raise httpx2.ReadError(f"the answer is longer than {MAX_BYTES:,} bytes")
        response = requests.Response()
        response.status_code, response.reason = answer.status_code, answer.reason_phrase
        response.headers = CaseInsensitiveDict(answer.headers.items())
        response.url, response.request, response.encoding = str(request.url), request, "utf-8"
        response._content = bytes(content)
        return response


class GuardedSession(requests.Session):
    """Follows no redirect: where an answer sends one, credentials would go, too."""

    def __init__(self, policy: EgressPolicy, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        super().__init__()
        self.trust_env = False
        self.adapters.clear()
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Guarded(policy, transport))

    def resolve_redirects(self, *args: Any, **kwargs: Any) -> Generator[requests.Response, None, None]:
        yield from ()
