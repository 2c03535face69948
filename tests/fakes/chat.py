"""A fake of the vendors that imitate Chat Completions: each says where its API lies and what its list of models looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from tests.fakes.openai import FakeOpenAI

if TYPE_CHECKING:
    from collections.abc import Iterable


class FakeChat(FakeOpenAI):
    """models_at: the list, and one model below it. documents: what else is answered, by path.

    A subclass gives `row`, what its list says of one model, and `page`, what holds the rows.
    """

    prefix = "/v1"
    models_at: ClassVar[str] = ""
    default_models = ("model-a", "model-b")

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.documents: dict[str, Any] = {}

    def routes(self) -> Iterable[web.RouteDef]:
        models = self.models_at or f"{self.prefix}/models"
        return (
            web.post(f"{self.prefix}/chat/completions", self.answer),
            web.get(models, self.list_models),
            web.get(f"{models}/{{id:.+}}", self.get_model),
            web.route("*", "/{path:.*}", self.document),
        )

    def row(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": 1, "owned_by": "vendor"}

    def page(self, rows: list[Any]) -> Any:
        return {"object": "list", "data": rows}

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        refused = await self.listed(request)
        return refused or web.json_response(self.page([self.row(name) for name in self.models]))

    async def document(self, request: web.Request) -> web.StreamResponse:
        await self._record(request)
        refused = self._refusal(request, None)
        if refused is not None:
            return refused
        found = self.documents.get(request.path)
        return web.json_response({"error": "Not Found"}, status=404) if found is None else web.json_response(found)
