"""What a vendor lists: the models that a key may use, and one by its name where the list leaves it out."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from llmconfig.llm import InvalidRequest, ModelInfo, ModelNotFound, Provider
from llmconfig.wire.decoding import objects, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmconfig.llm import ProviderUnavailable


class ListingProvider(Provider):
    """models_path is relative to the base URL; behind it and a slash lies each model."""

    models_path: ClassVar[str]

    @abstractmethod
    async def _get_json(self, path: str) -> dict[str, Any]:
        """The document there. Raises a `ProviderError`."""

    @abstractmethod
    def _not_an_api(self) -> ProviderUnavailable:
        """Something answered that is not the vendor."""

    @abstractmethod
    def _model_info(self, row: Mapping[str, Any]) -> ModelInfo | None:
        """One row of the provider's model list, its `id` a text; None for what cannot chat."""

    async def list_models(self) -> Sequence[ModelInfo]:
        return self._listed(await self._get_json(self.models_path))

    async def check(self, model: str = "") -> Sequence[ModelInfo]:
        return await self._including(model, await self.list_models())

    def _listed(self, page: Mapping[str, Any]) -> list[ModelInfo]:
        if not isinstance(page.get("data"), list):
            raise self._not_an_api()
        found = (self._model_info(row) for row in objects(page["data"]) if text_of(row.get("id")))
        return [info for info in found if info is not None]

    async def _including(self, model: str, listed: Sequence[ModelInfo]) -> Sequence[ModelInfo]:
        """The list, with `model` looked up by name where the list leaves it out: an alias, or a kind that we filter."""
        if not model or any(info.id == model for info in listed):
            return listed
        try:
            await self._get_json(f"{self.models_path}/{quote(model, safe=':@/')}")
        except (ModelNotFound, InvalidRequest) as error:
            missing = ModelNotFound(f"{self.label} lists no model {model!r} for this key.", status=error.status)
        else:
            return [*listed, ModelInfo(model)]
        raise missing
