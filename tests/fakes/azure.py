"""Azure OpenAI on loopback: both API styles of a resource, and Entra ID's token endpoint beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from aiohttp import web

from tests.fakes.openai import FakeOpenAI
from tests.fakes.script import Failure, Recorded

if TYPE_CHECKING:
    from collections.abc import Iterable

TOKEN = "entra-token-0123456789abcdef"
SECRET = "client-secret~0123456789abc"
_WRONG_SECRET = (
    "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the "
    "client secret ID, for a secret added to app 'client-1'. Trace ID: 0f8e Correlation ID: 11aa Timestamp: 2026-10-01 10:00:00Z"
)


class FakeAzure(FakeOpenAI):
    """`models` are the names of its deployments. Error bodies are Azure's own."""

    prefix = ""
    default_models = ("chat-large", "chat-small")
    expires_in = 3599
    exchange: Failure | None = None  # sent in place of a token

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.exchanges: list[Recorded] = []
        self.tokens = 0

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post("/openai/v1/responses", self.answer),
            web.post("/openai/v1/chat/completions", self.answer),
            web.post("/openai/deployments/{deployment}/chat/completions", self.answer),
            web.post("/{tenant}/oauth2/v2.0/token", self.token),
        )

    async def token(self, request: web.Request) -> web.Response:
        form = {name: values[0] for name, values in parse_qs((await request.read()).decode()).items()}
        self.exchanges.append(Recorded("POST", request.path_qs, dict(request.headers), form))
        if self.exchange is not None:
            return self.failure(self.exchange)
        if form.get("client_secret") != SECRET:
            body = {"error": "invalid_client", "error_description": _WRONG_SECRET, "error_codes": [7000215], "trace_id": "0f8e"}
            return web.json_response(body, status=401)
        self.tokens += 1
        return web.json_response({"token_type": "Bearer", "expires_in": self.expires_in, "access_token": f"{TOKEN}-{self.tokens}"})

    def error_body(self, status: int, message: str) -> dict[str, Any]:
        if status == 404:
            message = (
                "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please "
                "wait a moment and try again."
            )
            return {"error": {"code": "DeploymentNotFound", "message": message}}
        return {"error": {"code": str(status), "message": message}}

    def _refusal(self, request: web.Request, body: dict[str, Any] | None) -> web.Response | None:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        sent = request.headers.get("api-key", "") or bearer
        if not sent or "wrong" in sent or (bearer and bearer != f"{TOKEN}-{self.tokens}"):
            message = f"Access denied due to invalid subscription key or wrong API endpoint: {sent}"
            return self.failure(Failure(401, self.error_body(401, message)))
        name = request.match_info.get("deployment") or (body or {}).get("model")
        if self.aliases.get(name, name) not in self.models:
            return self.failure(Failure(404, self.error_body(404, "")))
        return None
