"""Access tokens that a config's own credentials are exchanged for: fetched as they are needed, and kept until they nearly expire.

Where they come from may be any address that a person typed. It is judged before a secret goes there, and so is what it answers.
"""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

from llmconfig.llm import AuthenticationFailed, Overloaded, ProviderUnavailable, RateLimited, Secret, watch
from llmconfig.net import UrlForbidden, check_url
from llmconfig.providers.bodies import read_document
from llmconfig.providers.failures import describe
from llmconfig.wire.decoding import optional_object, text_of
from llmconfig.wire.errors import retry_after
from llmconfig.wire.fault import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from llmconfig.llm import ProviderError
    from llmconfig.net import EgressPolicy

_EARLY_S: Final = 60.0
_LONGEST_S: Final = 24 * 3600
_TOKEN: Final = re.compile(r"[!-~]{1,16384}")
"""What can stand in a header, and is not longer than servers take."""
_SECONDS: Final = re.compile(r"\d{1,9}")


class AccessTokens(ABC):
    """For one client; belongs to its event loop. url: where they come from."""

    label: ClassVar[str]
    """Who hands them out, as people know it."""
    address: ClassVar[str]
    """What the config calls the place of `url`."""
    refuses: ClassVar[str]
    """What was wrong with the config when the exchange is refused."""

    def __init__(self, http: httpx2.AsyncClient, *, url: str, egress: EgressPolicy) -> None:
        self._http, self._url, self._egress = http, url, egress
        self._token, self._expires = Secret(""), 0.0
        self._exchange = asyncio.Lock()

    @abstractmethod
    async def _form(self) -> Mapping[str, str]:
        """What the exchange asks with. Raises a `ProviderError`."""

    async def token(self) -> Secret:
        """One that is good for a minute at least. Raises a `ProviderError`; whoever waits for the same exchange tries anew after it."""
        async with self._exchange:
            if not self._token or asyncio.get_running_loop().time() >= self._expires - _EARLY_S:
                self._token, self._expires = await self._fetched()
            return self._token

    def forget(self, token: Secret) -> None:
        """It was refused; the next one is fetched, unless that has happened already."""
        if token == self._token:
            self._token = Secret("")

    async def _fetched(self) -> tuple[Secret, float]:
        self._check_address()
        asked = asyncio.get_running_loop().time()
        status, headers, body = await self._answer(self._http.build_request("POST", self._url, data=dict(await self._form())))
        if status >= 300:
            raise self._refusal(status, headers, body)
        token, lifetime = text_of(body.get("access_token")), _lifetime(body.get("expires_in"))
        if not _TOKEN.fullmatch(token) or lifetime is None:
            raise ProviderUnavailable(f"{self._host} answered, but not as {self.label} does.")
        fetched = Secret(token)
        watch(fetched)
        return fetched, asked + lifetime

    async def _answer(self, request: httpx2.Request) -> tuple[int, Any, dict[str, Any]]:
        try:
            response = await self._http.send(request, stream=True)
            body = optional_object(await read_document(response))
        except Exception as error:
            failure = describe(error, host=self._host, label=self.label)
            if failure is None:
                raise
        else:
            return response.status_code, response.headers, body
        # Raised here, and not where it was caught: the exception carries the request, and the request the secret.
        raise failure

    def _check_address(self) -> None:
        """https, or a host that the operator listed."""
        problem = ""
        try:
            check_url(self._url, self._egress)
        except UrlForbidden as error:
            problem = str(error)
        else:
            parts = urlsplit(self._url)
            if parts.scheme != "https" and not self._egress.lists(parts.hostname or "", parts.port or 80):
                problem = "It must begin with https://."
        if problem:
            raise AuthenticationFailed(f"The {self.address} cannot be used. {problem}")

    def _refusal(self, status: int, headers: Any, body: Mapping[str, Any]) -> ProviderError:
        if status == 429:
            return RateLimited(f"{self.label} asks to slow down ({status}).", status=status, retry_after=retry_after(headers))
        if status >= 500:
            return Overloaded(f"{self.label} is overloaded or failing ({status}).", status=status, retry_after=retry_after(headers))
        said = self._said(text_of(body.get("error_description"))) or clean(text_of(body.get("error")))
        detail = f"{self.refuses} ({status})"
        return AuthenticationFailed(f"{detail}: {said.rstrip('.')}." if said else f"{detail}.", status=status)

    def _said(self, description: str) -> str:
        return clean(description)

    @property
    def _host(self) -> str:
        return urlsplit(self._url).netloc


def _lifetime(value: object) -> int | None:
    """Seconds, which some write as a text; None for what is none."""
    seconds = int(value) if isinstance(value, str) and _SECONDS.fullmatch(value) else value
    return min(seconds, _LONGEST_S) if type(seconds) is int and seconds >= 0 else None
