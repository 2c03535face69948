"""Google's Gemini API and Vertex AI, on loopback: answers, models, counts, files, tokens. `python -m tests.fakes.gemini` runs it alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aiohttp import web

from tests.fakes.script import Answer, Failure, Recorded, plausible_calls, split
from tests.fakes.server import FakeVendor, main
from tests.fakes.strict import gemini, seal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.fakes.script import Tokens

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_TYPE = "type.googleapis.com/google.rpc"


def daily_quota(id_: str = "GenerateRequestsPerDayPerProjectPerModel-FreeTier") -> Failure:
    """What the free tier answers once a quota is used up."""
    message = "You exceeded your current quota, please check your plan and billing details. Please retry in 34.07s."
    details = [
        {
            "@type": f"{_TYPE}.QuotaFailure",
            "violations": [
                {
                    "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
                    "quotaId": id_,
                    "quotaDimensions": {"location": "global", "model": "gemini-2.5-flash"},
                    "quotaValue": "250",
                }
            ],
        },
        {"@type": f"{_TYPE}.Help", "links": [{"description": "Learn more", "url": "https://ai.google.dev/gemini-api/docs/rate-limits"}]},
        {"@type": f"{_TYPE}.RetryInfo", "retryDelay": "34s"},
    ]
    return Failure(429, {"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": details}})


class FakeGemini(FakeVendor):
    """A fake of Google's Gemini API and of Vertex AI on loopback."""

    default_models = ("gemini-3-flash-preview", "gemini-2.5-flash")
    others = ("gemini-embedding-001",)
    """Listed, too, but unable to generate."""
    looks = 1
    """How often a file is asked for before it is ready."""
    end_state = "ACTIVE"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.stored_files: dict[str, dict[str, Any]] = {}
        self.exchanges: list[dict[str, str]] = []
        self.exchange: Failure | None = None
        self.token_lifetime = 3599

    @property
    def calls(self) -> list[Recorded]:
        return [request for request in self.requests if ":streamGenerateContent" in request.path]

    def routes(self) -> Iterable[web.RouteDef]:
        vertex = "/v1{place:(?:/projects/[^/]+/locations/[^/]+)?}/{kind:publishers/google/models|endpoints}/{id:[^:]+}"
        return (
            web.get("/v1beta/models", self.list_models),
            web.get("/v1beta/{kind:models|tunedModels}/{id}", self.get_model),
            web.post("/v1beta/{kind:models|tunedModels}/{id:[^:]+}:streamGenerateContent", self.answer),
            web.post("/v1beta/{kind:models|tunedModels}/{id:[^:]+}:countTokens", self.count),
            web.post("/upload/v1beta/files", self.begin_upload),
            web.post("/upload/{id}", self.receive),
            web.get("/v1beta/files/{id}", self.get_file),
            web.delete("/v1beta/files/{id}", self.delete_file),
            web.get("/v1beta1/publishers/google/models", self.list_published),
            web.post(f"{vertex}:streamGenerateContent", self.answer),
            web.post(f"{vertex}:countTokens", self.count),
            web.post("/token", self.token),
        )

    def error_body(self, status: int, message: str) -> dict[str, Any]:
        return {
            "error": {
                "code": status,
                "message": message,
                "status": _STATUSES.get(status, "UNKNOWN" if status >= 500 else "FAILED_PRECONDITION"),
            }
        }

    def _refusal(self, request: web.Request, body: dict[str, Any] | None) -> web.Response | None:
        sent = request.headers.get("x-goog-api-key", "") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if ("wrong" in sent) if self.key is None else (sent != self.key):
            reason = {"@type": f"{_TYPE}.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
            refused = self.error_body(400, f"API key not valid: {sent}. Please pass a valid API key.")
            refused["error"]["details"] = [reason]
            return self.failure(Failure(400, refused))
        if "id" in request.match_info and request.method == "POST":
            return self._unknown(request.match_info["id"]) or self._missing_file(body)
        return None

    def _unknown(self, name: str) -> web.Response | None:
        name = unquote(name)
        if self.aliases.get(name, name) in self.models:
            return None
        message = f"models/{name} is not found for API version v1beta, or is not supported for generateContent."
        return self.failure(Failure(404, self.error_body(404, message)))

    def _missing_file(self, body: dict[str, Any] | None) -> web.Response | None:
        parts = [part for content in (body or {}).get("contents", ()) for part in content["parts"]]
        named = [part["fileData"]["fileUri"].rpartition("/")[2] for part in parts if "fileData" in part]
        lost = next((name for name in named if name not in self.stored_files), None)
        if lost is None:
            return None
        message = f"You do not have permission to access the File {lost} or it may not exist."
        return self.failure(Failure(403, self.error_body(403, message)))

    # Models

    async def list_models(self, request: web.Request) -> web.Response:
        refused = await self.listed(request)
        if refused is not None:
            return refused
        size, start = int(request.query.get("pageSize", 50)), int(request.query.get("pageToken", 0))
        names = [*self.models, *self.others]
        more = {"nextPageToken": str(start + size)} if start + size < len(names) else {}
        return web.json_response({"models": [self._row(name) for name in names[start : start + size]], **more})

    async def get_model(self, request: web.Request) -> web.Response:
        refused = await self.listed(request)
        if refused is not None:
            return refused
        return self._unknown(request.match_info["id"]) or web.json_response(self._row(request.match_info["id"]))

    async def list_published(self, request: web.Request) -> web.Response:
        refused = await self.listed(request)
        if refused is not None:
            return refused
        rows = [
            {"name": f"publishers/google/models/{name}", "versionId": "default", "launchStage": "GA"} for name in (*self.models, "imagen-4")
        ]
        return web.json_response({"publisherModels": rows})

    def _row(self, name: str) -> dict[str, Any]:
        methods = ["embedContent"] if name in self.others else ["generateContent", "countTokens", "createCachedContent"]
        return {
            "name": f"models/{name}",
            "version": "001",
            "displayName": name.replace("-", " ").title(),
            "description": "A model of the fake",
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": methods,
            "temperature": 1,
            "topP": 0.95,
            "topK": 64,
            "maxTemperature": 2,
            **({} if name in self.others else {"thinking": True}),
        }

    # Answers

    async def count(self, request: web.Request) -> web.Response:
        recorded = await self._record(request)
        refused = self._refusal(request, None)
        if refused is not None:
            return refused
        body = recorded.body or {}
        contents = body.get("generateContentRequest", body)["contents"]
        total = len(json.dumps(contents)) // 4
        return web.json_response({"totalTokens": total, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": total}]})

    def unscripted(self, body: dict[str, Any]) -> Answer:
        last = body["contents"][-1]
        results = [part for part in last["parts"] if "functionResponse" in part]
        declared = [each for tool in body.get("tools", ()) for each in tool.get("functionDeclarations", ())]
        if results:
            return Answer(text=f"The tools answered: {len(results)} results arrived.")
        if declared:
            tools = [(each["name"], each.get("parametersJsonSchema", {})) for each in declared]
            return Answer(text="Let me look that up.", calls=plausible_calls(tools))
        return Answer(text="Hello! This is a scripted answer of a fake Gemini server.")

    def objection(self, recorded: Recorded) -> str:
        return gemini.objection({**(recorded.body or {}), "model": _model(recorded)})

    def frames(self, answer: Answer, recorded: Recorded) -> Iterator[bytes]:
        model = _model(recorded)
        head = {"modelVersion": model, "responseId": f"fake{len(self.requests)}"}

        def chunk(parts: list[dict[str, Any]], finish: str = "", **usage: int) -> bytes:
            candidate = {"content": {"parts": parts, "role": "model"}, **({"finishReason": finish} if finish else {}), "index": 0}
            return _data({"candidates": [candidate], "usageMetadata": {**_prompt(answer.tokens), **usage}, **head})

        for piece in split(answer.thinking):
            yield chunk([{"text": piece, "thought": True}])
        for piece in answer.deltas:
            yield chunk([{"text": piece}])
        if answer.calls:
            yield chunk(_calls(answer, model, number=len(self.requests)))
        if answer.error is not None:
            yield _data({"error": dict(answer.error)})
            return
        signed = {"thoughtSignature": seal("gemini", model, "".join(answer.deltas))} if answer.thinking and not answer.calls else {}
        yield chunk([{"text": "", **signed}], answer.finish or "STOP", **_output(answer.tokens))

    # Files

    async def begin_upload(self, request: web.Request) -> web.Response:
        refused = await self.listed(request)
        if refused is not None:
            return refused
        sent = request.headers
        assert (sent["X-Goog-Upload-Protocol"], sent["X-Goog-Upload-Command"]) == ("resumable", "start")
        name = f"file{len(self.stored_files) + 1}"
        self.stored_files[name] = {
            "name": f"files/{name}",
            **self.requests[-1].body["file"],  # type: ignore[index]
            "mimeType": sent["X-Goog-Upload-Header-Content-Type"],
            "sizeBytes": sent["X-Goog-Upload-Header-Content-Length"],
            "createTime": "2026-01-01T00:00:00.000000Z",
            "updateTime": "2026-01-01T00:00:00.000000Z",
            "expirationTime": "2026-01-03T00:00:00.000000Z",
            "uri": f"{self.base_url}/v1beta/files/{name}",
            "source": "UPLOADED",
            "state": "PROCESSING",
            "bytes": b"",
            "looks": 0,
        }
        address = f"{self.base_url}/upload/{name}?upload_id=ABC&upload_protocol=resumable"
        return web.Response(headers={"X-Goog-Upload-URL": address, "X-Goog-Upload-Status": "active"})

    async def receive(self, request: web.Request) -> web.Response:
        file = self.stored_files[request.match_info["id"]]
        content = await request.read()
        self.requests.append(Recorded("UPLOAD", request.path_qs, dict(request.headers), None))
        self._note(self.requests[-1])
        assert int(request.headers["X-Goog-Upload-Offset"]) == len(file["bytes"])
        file["bytes"] += content
        if "finalize" not in request.headers["X-Goog-Upload-Command"]:
            return web.Response(headers={"X-Goog-Upload-Status": "active"})
        assert len(file["bytes"]) == int(file["sizeBytes"])
        return web.json_response({"file": self._file(file)}, headers={"X-Goog-Upload-Status": "final"})

    async def get_file(self, request: web.Request) -> web.Response:
        refused = await self.listed(request)
        if refused is not None:
            return refused
        file = self.stored_files[request.match_info["id"]]
        file["looks"] += 1
        return web.json_response(self._file(file))

    async def delete_file(self, request: web.Request) -> web.Response:
        refused = await self.listed(request)
        if refused is not None:
            return refused
        del self.stored_files[request.match_info["id"]]
        return web.json_response({})

    def _file(self, file: dict[str, Any]) -> dict[str, Any]:
        if file["looks"] >= self.looks:
            file["state"] = self.end_state
            if self.end_state == "FAILED":
                file["error"] = {"code": 3, "message": "The video is damaged"}
        return {key: value for key, value in file.items() if key not in {"bytes", "looks"}}

    # Google's sign-in

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.exchanges.append({name: str(value) for name, value in form.items()})
        if self.exchange is not None:
            return self.failure(self.exchange)
        return web.json_response(
            {"access_token": f"ya29.c.fake-token-{len(self.exchanges)}", "expires_in": self.token_lifetime, "token_type": "Bearer"}
        )


def _model(recorded: Recorded) -> str:
    return unquote(recorded.path.partition("models/")[2].partition(":")[0])


def _calls(answer: Answer, model: str, number: int) -> list[dict[str, Any]]:
    """All in one chunk, the first of them signed."""
    made = [
        {"functionCall": {"name": call.name, "args": dict(call.arguments), "id": call.id or f"fc{number:04}_{index}"}}
        for index, call in enumerate(answer.calls)
    ]
    return [{**made[0], "thoughtSignature": seal("gemini", model, answer.calls[0].name)}, *made[1:]]


def _prompt(tokens: Tokens) -> dict[str, Any]:
    total = tokens.input + tokens.cache_read
    cached = {"cachedContentTokenCount": tokens.cache_read} if tokens.cache_read else {}
    return {
        "promptTokenCount": total,
        **cached,
        "totalTokenCount": total,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": total}],
    }


def _output(tokens: Tokens) -> dict[str, int]:
    thoughts = {"thoughtsTokenCount": tokens.reasoning} if tokens.reasoning else {}
    total = tokens.input + tokens.cache_read + tokens.output
    return {"candidatesTokenCount": tokens.output - tokens.reasoning, **thoughts, "totalTokenCount": total}


def _data(payload: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(payload, ensure_ascii=False, separators=(',', ':'))}\r\n\r\n".encode()


if __name__ == "__main__":
    main(FakeGemini)
