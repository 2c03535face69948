"""/api/user/services: MCP services, their tools and grants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Count, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.response import Response
from rest_framework.views import APIView

from agent.api.pagination import ByPosition
from agent.api.service_serializers import (
    ApproveToolInput,
    GrantOutput,
    ServiceInput,
    ServiceOutput,
    ServiceTestOutput,
    ToolInput,
    ToolOutput,
)
from agent.mcp.endpoint import masked
from agent.models import Service, ServiceTool, ToolGrant
from agent.services.connections import (
    approve_definition,
    delete_service,
    diff_of,
    draft_service,
    pending_hash,
    revoke_grant,
    save_new,
    set_tool_policy,
    update_service,
)
from agent.services.demo import ensure_demo_service
from agent.services.listing import ask_tools, refresh_tools
from agent.services.presentation import when
from llmconfig.tenancy.audit import Actor
from llmconfig.tenancy.caller import Action, Caller, caller_of, may_change
from llmconfig.tenancy.rest.idempotency import IdempotentCreateMixin, idempotency_parameter
from llmconfig.tenancy.rest.pagination import NewestFirst
from llmconfig.tenancy.rest.serializers import refuse_fields

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request


class ToolsInOrder(ByPosition):
    ordering: Any = ("position", "name")


def visible_services(caller: Caller) -> QuerySet[Service]:
    rows: Any = Service.objects.for_caller(caller).annotate(tool_count=Count("tools"))
    return rows  # type: ignore[no-any-return]


def service_json(service: Service, caller: Caller) -> dict[str, Any]:
    """The query of its address, which may hold a key, is shown to whoever may change the service."""
    count = getattr(service, "tool_count", None)
    return {
        "id": str(service.id),
        "display_name": service.display_name,
        "slug": service.slug,
        "transport": service.transport,
        "url": service.url if may_change(caller, service) else masked(service.url),
        "auth_type": service.auth_type,
        "has_token": bool(service.token),
        "status": service.status,
        "status_detail": service.status_detail,
        "shared": service.shared,
        "is_enabled": service.is_enabled,
        "is_demo": service.is_demo,
        "tools": service.tools.count() if count is None else count,
        "last_tested_at": when(service.last_tested_at),
        "created_at": when(service.created_at),
    }


def tool_json(tool: ServiceTool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.input_schema,
        "annotations": tool.annotations,
        "read_only": tool.counts_as_read_only,
        "policy": tool.policy,
        "state": tool.state,
        "definition_hash": tool.definition_hash,
        "pending_hash": pending_hash(tool),
        "diff": diff_of(tool),
    }


@extend_schema_view(
    get=extend_schema(operation_id="services_list", responses=ServiceOutput(many=True)),
    post=extend_schema(
        operation_id="services_create", request=ServiceInput, responses={201: ServiceOutput}, parameters=[idempotency_parameter]
    ),
)
class Services(IdempotentCreateMixin, APIView):
    """A new service is asked for its tools at once; one that does not answer is kept, with the reason in its status."""

    read_action, write_action = Action.SEE, Action.MANAGE_OWN
    pagination_class = NewestFirst

    def get(self, request: Request) -> Response:
        caller = caller_of(request)
        ensure_demo_service(caller.organization)
        paginator = NewestFirst()
        page = paginator.paginate_queryset(visible_services(caller), request, self) or []
        return paginator.get_paginated_response([service_json(row, caller) for row in page])

    def before_create(self, request: Request, *args: Any, **kwargs: Any) -> None:
        body = ServiceInput(data=request.data)
        body.is_valid(raise_exception=True)
        self.draft = draft_service(caller=caller_of(request), **body.validated_data)
        self.listing = ask_tools(self.draft, actor=Actor.of(caller_of(request)))

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        service = save_new(self.draft, caller=caller_of(request), listing=self.listing)
        return Response(service_json(service, caller_of(request)), status=201)


class OneService(APIView):
    read_action, write_action = Action.SEE, Action.MANAGE_OWN

    @extend_schema(operation_id="services_retrieve", responses=ServiceOutput)
    def get(self, request: Request, id: UUID) -> Response:
        caller = caller_of(request)
        return Response(service_json(visible_services(caller).get(id=id), caller))

    @extend_schema(operation_id="services_update", request=ServiceInput(partial=True), responses=ServiceOutput)
    def patch(self, request: Request, id: UUID) -> Response:
        caller = caller_of(request)
        service = visible_services(caller).get(id=id)
        body = ServiceInput(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        return Response(service_json(update_service(caller=caller, service=service, **body.validated_data), caller))

    @extend_schema(operation_id="services_delete", responses={204: None})
    def delete(self, request: Request, id: UUID) -> Response:
        caller = caller_of(request)
        delete_service(caller=caller, service=visible_services(caller).get(id=id))
        return Response(status=204)


class TestService(APIView):
    __test__ = False
    write_action = Action.MANAGE_OWN
    throttle_scope = "connections"

    @extend_schema(operation_id="services_test", request=None, responses=ServiceTestOutput)
    def post(self, request: Request, id: UUID) -> Response:
        refuse_fields(request.data)
        caller = caller_of(request)
        return Response(refresh_tools(service=visible_services(caller).get(id=id), caller=caller))


class Tools(APIView):
    read_action = Action.SEE
    pagination_class = ToolsInOrder

    @extend_schema(operation_id="tools_list", responses=ToolOutput(many=True))
    def get(self, request: Request, id: UUID) -> Response:
        service = visible_services(caller_of(request)).get(id=id)
        paginator = ToolsInOrder()
        page = paginator.paginate_queryset(ServiceTool.objects.filter(service=service), request, self) or []
        return paginator.get_paginated_response([tool_json(row) for row in page])


class OneTool(APIView):
    write_action = Action.MANAGE_OWN

    @extend_schema(operation_id="tools_update", request=ToolInput, responses=ToolOutput)
    def patch(self, request: Request, id: UUID, name: str) -> Response:
        caller = caller_of(request)
        service = visible_services(caller).get(id=id)
        tool = service.tools.get(name=name)
        body = ToolInput(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(tool_json(set_tool_policy(caller=caller, service=service, tool=tool, **body.validated_data)))


class ApproveTool(APIView):
    write_action = Action.MANAGE_OWN

    @extend_schema(operation_id="tools_approve", request=ApproveToolInput, responses=ToolOutput)
    def post(self, request: Request, id: UUID, name: str) -> Response:
        body = ApproveToolInput(data=request.data)
        body.is_valid(raise_exception=True)
        caller = caller_of(request)
        service = visible_services(caller).get(id=id)
        tool = approve_definition(caller=caller, service=service, tool=service.tools.get(name=name), **body.validated_data)
        return Response(tool_json(tool))


class Grants(APIView):
    """The caller's own standing approvals of this service's tools."""

    read_action = Action.READ_OWN
    pagination_class = NewestFirst

    @extend_schema(operation_id="grants_list", responses=GrantOutput(many=True))
    def get(self, request: Request, id: UUID) -> Response:
        caller = caller_of(request)
        service = visible_services(caller).get(id=id)
        paginator = NewestFirst()
        page = paginator.paginate_queryset(ToolGrant.objects.filter(service=service, user=caller.user), request, self) or []
        return paginator.get_paginated_response([_grant_json(row) for row in page])


class OneGrant(APIView):
    write_action = Action.RUN

    @extend_schema(operation_id="grants_delete", responses={204: None})
    def delete(self, request: Request, id: UUID, grant: UUID) -> Response:
        caller = caller_of(request)
        revoke_grant(caller=caller, service=visible_services(caller).get(id=id), grant_id=grant)
        return Response(status=204)


def _grant_json(grant: ToolGrant) -> dict[str, Any]:
    return {
        "id": str(grant.id),
        "tool": grant.tool_name,
        "definition_hash": grant.definition_hash,
        "run": str(grant.run_id) if grant.run_id else None,
        "created_at": when(grant.created_at),
    }
