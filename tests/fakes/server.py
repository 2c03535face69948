"""What the fake vendors share: a loopback server in its own thread, a queue of scripted answers, and a record of requests."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import threading
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from tests.fakes.script import Answer, Failure, Recorded, Scripted, Silence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Self


class FakeVendor(ABC):
    """Use as a context manager. `base_url` is what a config of this vendor would carry.

    key: the only key accepted; None accepts any key that does not contain "wrong".
    default: the answer when nothing is scripted; None decides by the request (tools first, then text).
    """

    prefix: ClassVar[str] = ""
    default_models: ClassVar[Sequence[str]] = ()
    content_type: ClassVar[str] = "text/event-stream; charset=utf-8"
    """Of an answer's stream."""

    def __init__(self, *, port: int = 0, key: str | None = None, default: Answer | None = None) -> None:
        self.requests: list[Recorded] = []
        self.models = list(self.default_models)
        self.aliases: dict[str, str] = {}
        self.key, self.default, self.port = key, default, port
        self.pace = 0.0
        self.files: dict[str, tuple[dict[str, str], bytes]] = {}  # uploads by id: the form's other fields, the bytes
        self.uploads = 0
        self.listing: Failure | None = None  # sent in place of the list of models
        self.storing: Failure | None = None  # sent in place of an upload's id
        self._queue: deque[Scripted] = deque()
        self._changed = threading.Condition()
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    # What a test calls

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    @property
    def host(self) -> str:
        """For EgressPolicy.private_hosts."""
        return f"127.0.0.1:{self.port}"

    def script(self, *answers: Scripted) -> None:
        self._queue.extend(answers)

    @property
    def calls(self) -> list[Recorded]:
        """The requests for an answer; model lists left out."""
        return [request for request in self.requests if request.method == "POST"]

    def wait_for(self, condition: Callable[[Self], bool], timeout: float = 5.0) -> bool:
        """Block until `condition(self)` holds, looking again whenever a request comes, moves or ends."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), timeout)

    async def until(self, condition: Callable[[Self], bool], timeout: float = 5.0) -> bool:  # noqa: ASYNC109  the condition's own
        return await asyncio.to_thread(self.wait_for, condition, timeout)

    def start(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # What a vendor fills in

    @abstractmethod
    def routes(self) -> Iterable[web.RouteDef]: ...

    @abstractmethod
    def error_body(self, status: int, message: str) -> dict[str, Any]: ...

    @abstractmethod
    def frames(self, answer: Answer, recorded: Recorded) -> Iterator[bytes]:
        """The events of the answer's stream, each as its bytes."""

    @abstractmethod
    def unscripted(self, body: dict[str, Any]) -> Answer: ...

    def missing(self, model: str) -> str:
        """What the vendor says of a model that it does not have."""
        return f"The model `{model}` does not exist"

    def objection(self, recorded: Recorded) -> str:
        """What the vendor would refuse the request for, in its own words; see `tests.fakes.strict`."""
        return ""

    # The server

    async def answer(self, request: web.Request) -> web.StreamResponse:
        recorded = await self._record(request)
        refused = self._refusal(request, recorded.body)
        if refused is not None:
            return refused
        if objection := self.objection(recorded):
            return self.failure(Failure(400, self.error_body(400, objection)))
        scripted = self._queue.popleft() if self._queue else self.default or self.unscripted(recorded.body or {})
        match scripted:
            case Failure():
                return self.failure(scripted)
            case Silence():
                return await self._silence(recorded)
            case Answer():
                return await self._stream(request, scripted, recorded)

    async def listed(self, request: web.Request) -> web.Response | None:
        """Record a request for the models; a response only where it is refused or scripted."""
        await self._record(request)
        return self._refusal(request, None) or (self.failure(self.listing) if self.listing else None)

    async def stored(self, request: web.Request, *, named: str) -> tuple[str, dict[str, str]] | web.Response:
        """A form with a file in it: its new id and its other fields, or what refuses it."""
        fields: dict[str, str] = {}
        content = b""
        async for part in await request.multipart():
            if part.name == "file":
                fields |= {"filename": part.filename, "content-type": part.headers["Content-Type"]}
                content = bytes(await part.read())
            else:
                fields[part.name] = (await part.read()).decode()
        recorded = Recorded("UPLOAD", request.path_qs, dict(request.headers), None)
        self.requests.append(recorded)
        self._note(recorded)
        refused = self._refusal(request, None) or (self.failure(self.storing) if self.storing else None)
        if refused is not None:
            return refused
        self.uploads += 1
        name = f"{named}{self.uploads}"
        self.files[name] = (fields, content)
        return name, fields

    async def removed(self, request: web.Request) -> web.Response:
        await self._record(request)
        known = self.files.pop(request.match_info["id"], None)
        if known is None:
            return web.json_response(self.error_body(404, "No such file"), status=404)
        return web.json_response({"id": request.match_info["id"], "deleted": True})

    def missing_file(self, body: object) -> str | None:
        """The first file id in a body that was never uploaded here, or was deleted."""
        if isinstance(body, dict):
            if isinstance(body.get("file_id"), str) and body["file_id"] not in self.files:
                return body["file_id"]
            body = list(body.values())
        found = (self.missing_file(item) for item in body) if isinstance(body, list) else iter(())
        return next((name for name in found if name), None)

    async def count(self, request: web.Request, *, taken: frozenset[str], kind: dict[str, Any]) -> web.Response:
        """Count the input of a request: a token for four bytes of its body. A field that is not `taken` is refused, as vendors do."""
        recorded = await self._record(request)
        body = recorded.body or {}
        refused = self._refusal(request, body)
        if refused is None and (extra := body.keys() - taken):
            message = f"{min(extra)}: Extra inputs are not permitted"
            refused = self.failure(Failure(400, self.error_body(400, message)))
        return refused or web.json_response({**kind, "input_tokens": len(json.dumps(body)) // 4})

    def failure(self, failure: Failure) -> web.Response:
        body = self.error_body(failure.status, "scripted") if failure.body is None else failure.body
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=failure.status, text=text, content_type="application/json", headers=dict(failure.headers))

    async def _stream(self, request: web.Request, answer: Answer, recorded: Recorded) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": self.content_type, "cache-control": "no-cache", **answer.headers})
        response.enable_chunked_encoding()
        try:
            await response.prepare(request)
            pace = answer.pace or self.pace
            for frame in self.frames(answer, recorded):
                if await self._disturbed(request, answer, recorded):
                    return response
                await response.write(frame)
                self._note(recorded, sent=1)
                if pace:
                    await asyncio.sleep(pace)
            if await self._disturbed(request, answer, recorded):
                return response
        except asyncio.CancelledError:
            self._note(recorded, outcome="left")
            raise
        except ConnectionError:
            self._note(recorded, outcome="left")
            return response
        self._note(recorded, outcome="finished")
        return response

    async def _disturbed(self, request: web.Request, answer: Answer, recorded: Recorded) -> bool:
        sent = recorded.events_sent
        if sent == answer.hang_after:
            await self._stopping.wait()
        if sent == answer.cut_after:
            assert request.transport is not None
            # Let what was written leave first: an abort drops the send buffer.
            await asyncio.sleep(0.01)
            request.transport.abort()
            self._note(recorded, outcome="cut")
        return sent in (answer.cut_after, answer.end_after)

    async def _silence(self, recorded: Recorded) -> web.Response:
        try:
            await self._stopping.wait()
        except asyncio.CancelledError:
            self._note(recorded, outcome="left")
            raise
        return web.Response(status=503)

    async def _record(self, request: web.Request) -> Recorded:
        raw = await request.read()
        recorded = Recorded(request.method, request.path_qs, dict(request.headers), json.loads(raw) if raw else None)
        self.requests.append(recorded)
        self._note(recorded)
        return recorded

    def _refusal(self, request: web.Request, body: dict[str, Any] | None) -> web.Response | None:
        sent = request.headers.get("authorization", "").removeprefix("Bearer ") or request.headers.get("x-api-key", "")
        if ("wrong" in sent) if self.key is None else (sent != self.key):
            return self.failure(Failure(401, self.error_body(401, f"Incorrect API key provided: {sent}")))
        model = (body or {}).get("model")
        if model is not None and self.aliases.get(model, model) not in self.models:
            return self.failure(Failure(404, self.error_body(404, self.missing(model))))
        if lost := self.missing_file(body):
            return self.failure(Failure(404, self.error_body(404, f"File not found: {lost}")))
        return None

    def _note(self, recorded: Recorded, *, sent: int = 0, outcome: str = "") -> None:
        with self._changed:
            recorded.events_sent += sent
            recorded.outcome = outcome or recorded.outcome
            self._changed.notify_all()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self.serve())
        self._loop.close()

    async def serve(self) -> None:
        app = web.Application(client_max_size=256 * 1024 * 1024)
        app.add_routes(self.routes())
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, backlog=1024)
        await site.start()
        self.port = runner.addresses[0][1]
        self._started.set()
        await self._stopping.wait()
        await runner.cleanup()

    def run_forever(self) -> None:
        """Serve in this thread until SIGINT or SIGTERM, printing the URL once it answers."""

        async def announce() -> None:
            await asyncio.to_thread(self._started.wait)
            print(self.base_url, flush=True)  # noqa: T201  the one line that callers read

        async def both() -> None:
            await asyncio.gather(self.serve(), announce())

        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._stopping.set)
        self._loop.run_until_complete(both())


def main(vendor: type[FakeVendor]) -> None:
    parser = argparse.ArgumentParser(description=vendor.__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--pace", type=float, default=0.0, help="seconds between events")
    parser.add_argument("--chunks", type=int, default=0, help="answer everything with so many text deltas; 0 answers by the request")
    options = parser.parse_args()
    default = Answer(text=[f"word{number} " for number in range(options.chunks)]) if options.chunks else None
    fake = vendor(port=options.port, default=default)
    fake.pace = options.pace
    fake.run_forever()
