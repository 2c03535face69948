"""/api/user/llm-config/{id}/usage: who depends on a config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from agent.services.dependents import dependents_of
from agent.services.presentation import money, when
from llmconfig.tenancy.caller import Action, caller_of

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request


class _Named(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    title = serializers.CharField(allow_blank=True)


class _Conversations(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="Of everyone, that point at this config.")
    own = _Named(many=True, help_text="Yours among them, 20 at most.")


class _People(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="Who used it in the last 30 days.")
    names = serializers.ListField(child=serializers.CharField(), allow_null=True, help_text="For who may see all usage; else null.")


class _Cost(serializers.Serializer[Any]):
    amount = serializers.CharField(help_text="Decimal.")
    currency = serializers.CharField()


class _Usage(serializers.Serializer[Any]):
    """What depends on a config: of the last 30 days, but for `conversations`, `routes` and `active_runs`."""

    conversations = _Conversations()
    people = _People()
    routes = _Named(many=True)
    active_runs = serializers.IntegerField()
    requests = serializers.IntegerField()
    cost = _Cost(many=True, help_text="For each currency.")
    unknown_cost_requests = serializers.IntegerField()
    last_used_at = serializers.DateTimeField(allow_null=True)


class ConfigUsage(APIView):
    read_action = Action.SEE

    @extend_schema(operation_id="configs_usage", summary="Who depends on a config", responses=_Usage)
    def get(self, request: Request, id: UUID) -> Response:
        found = dependents_of(caller=caller_of(request), id=id)
        return Response(
            {
                "conversations": {
                    "count": found.conversations,
                    "own": [{"id": str(each.id), "title": each.title} for each in found.own],
                },
                "people": {"count": found.people, "names": found.names},
                "routes": [],
                "active_runs": found.active_runs,
                "requests": found.requests,
                "cost": [{"amount": money(amount), "currency": currency} for currency, amount in found.costs.items()],
                "unknown_cost_requests": found.unknown_cost,
                "last_used_at": when(found.last_used_at),
            }
        )
