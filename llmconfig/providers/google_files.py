"""Gemini's store of files: a resumable upload, then the wait until Google has read the file. What lies there expires after two days.

https://ai.google.dev/api/files
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from llmconfig.llm import InvalidRequest, ProviderTimeout
from llmconfig.net import EgressPolicy, UrlForbidden, check_url
from llmconfig.wire.decoding import optional_object, text_of
from llmconfig.wire.fault import clean
from llmconfig.wire.gemini import sent_as

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    import httpx2

    from llmconfig.llm import Media, ProviderError

LIFETIME_S: Final = 48 * 3600
CHUNK: Final = 8 * 1024 * 1024
_START: Final = "/upload/v1beta/files"
PAUSE_S: Final = 2.0
"""Between two looks at a file."""
_READ_S: Final = 180.0
"""A video of an hour is read in about a minute."""


@dataclass(frozen=True, slots=True)
class GoogleFiles:
    """send: one request to the API's own address, or (a whole URL) to where an upload goes, the key left out there.

    json: a request to the API for a document. strange: for an answer that is none of this API.
    """

    base_url: str
    label: str
    send: Callable[[str, Mapping[str, str], Mapping[str, Any] | bytes], Awaitable[httpx2.Response]]
    json: Callable[[str, str], Awaitable[dict[str, Any]]]
    read: Callable[[httpx2.Response], Awaitable[object]]
    strange: Callable[[], ProviderError]

    async def upload(self, part: Media) -> str:
        """The URI that a request names it by. Raises a `ProviderError`."""
        address = await self._begun(part)
        file: dict[str, Any] = {}
        for at in range(0, max(len(part.data), 1), CHUNK):
            last = at + CHUNK >= len(part.data)
            headers = {"X-Goog-Upload-Offset": str(at), "X-Goog-Upload-Command": "upload, finalize" if last else "upload"}
            answer = await self.read(await self.send(address, headers, part.data[at : at + CHUNK]))
            file = optional_object(optional_object(answer).get("file"))
        return await self._once_read(part, file)

    async def remove(self, uri: str) -> None:
        """Raises a `ProviderError`."""
        await self.json("DELETE", f"/v1beta/files/{quote(uri.rpartition('/')[2], safe='')}")

    async def _begun(self, part: Media) -> str:
        """Where the bytes go."""
        headers = {
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(len(part.data)),
            "X-Goog-Upload-Header-Content-Type": sent_as(part),
        }
        named = {"displayName": part.name[:512]} if part.name else {}
        response = await self.send(_START, headers, {"file": named})
        await response.aclose()
        address: str = response.headers.get("x-goog-upload-url", "")
        if not address.startswith(f"{_origin(self.base_url)}/") and not _may_be_elsewhere(address):
            raise self.strange()
        return address

    async def _once_read(self, part: Media, file: dict[str, Any]) -> str:
        try:
            async with asyncio.timeout(_READ_S):
                while file.get("state") == "PROCESSING":
                    await asyncio.sleep(PAUSE_S)
                    file = await self.json("GET", f"/v1beta/files/{quote(text_of(file.get('name')).removeprefix('files/'), safe='')}")
        except TimeoutError:
            raise ProviderTimeout(f"{self.label} has not finished reading {_title(part)} after {_READ_S:g} s.") from None
        if file.get("state") == "FAILED":
            said = clean(text_of(optional_object(file.get("error")).get("message")))
            raise InvalidRequest(f"{self.label} could not read {_title(part)}{f': {said}' if said else ''}.")
        uri = text_of(file.get("uri"))
        if not uri:
            raise self.strange()
        return uri


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _may_be_elsewhere(address: str) -> bool:
    """Encrypted, and nowhere private: what the operator listed is for who configures it, and not for who answers."""
    try:
        check_url(address, EgressPolicy())
    except UrlForbidden:
        return False
    return address.startswith("https://")


def _title(part: Media) -> str:
    return f"the {part.kind} “{part.name}”" if part.name else f"the {part.kind}"
