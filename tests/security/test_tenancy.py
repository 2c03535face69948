"""Promise 10 over the source: what runs for a request finds rows of tenants through its caller's organization, never by an id alone."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.apps import apps
from django.conf import settings

from llmconfig.tenancy.base import TenantModel

if TYPE_CHECKING:
    from collections.abc import Iterator

FOR_A_REQUEST = ("agent/api", "agent/web", "llmconfig/api", "llmconfig/web")
"""All that is here runs for a request; in the services, what is given a `caller`."""
SERVICES = ("agent/services", "llmconfig/services", "llmconfig/tenancy")
BY_THE_CALLER = {"for_caller", "owned_by"}
MAKES = {"create", "bulk_create", "get_or_create", "from_queryset"}
PARTS = {"Message", "Step", "Attempt", "ToolCall", "ServiceTool", "ToolGrant", "ModelList", "ApiToken", "DataKey"}
"""Rows without an organization of their own, or with one that is no TenantModel: they are found through what they are part of."""
WHOLES = ("organization", "conversation", "service", "run", "step__run", "config", "user")

REASONED = {
    # module:function → why an id alone is right there
    "agent/api/conversations.py:own_conversations": "the newest runs are prefetched for conversations that are the caller's",
    "agent/services/approvals.py:decide_call": "the call was locked and found by its run's owner just before",
    "agent/services/approvals.py:resolve_call": "the call was locked and found by its run's owner just before",
    "agent/services/approvals.py:_locked": "locks the run of a call that is the caller's",
    "agent/services/connections.py:update_service": "locks again the row that the view found for the caller",
    "agent/services/connections.py:delete_service": "the row that the view found for the caller",
    "agent/services/connections.py:revoke_grant": "the row that the view found for the caller",
    "agent/services/dependents.py:dependents_of": "counts of a config that is the caller's to see",
    "agent/services/listing.py:record_listing": "the row that the view found for the caller",
    "llmconfig/services/custom_models.py:delete_custom_model": "the row that was found for the caller just before",
    "llmconfig/services/invitations.py:_open_one": "locks a row of `invitations_for` the caller",
    "agent/services/connections.py:set_tool_policy": "locks again the tool of a service that the view found for the caller",
    "agent/services/connections.py:approve_definition": "locks again the tool of a service that the view found for the caller",
    "agent/services/conversations.py:update_conversation": "locks again the row that the view found for the caller",
    "agent/services/conversations.py:delete_conversation": "locks again the row that the view found for the caller",
    "agent/services/conversations.py:store_message": "of the prepared conversation, which is the caller's",
    "agent/services/conversations.py:_store": "of the prepared conversation, which is the caller's",
    "agent/services/runs.py:run_whole": "the steps are prefetched for a run that is the caller's",
}


def tenants() -> set[str]:
    return {model.__name__ for model in apps.get_models() if issubclass(model, TenantModel)} | PARTS


def queries(tree: ast.AST) -> Iterator[tuple[str, str, ast.expr]]:
    """(function, model, whole chain) of every `Model.objects.…` of a function."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        chains = [node for node in ast.walk(function) if isinstance(node, ast.Call) and (_root(node) is not None)]
        inner = {id(part) for chain in chains for part in _parts(chain) if part is not chain}
        for chain in chains:
            if id(chain) not in inner:
                yield function.name, _root(chain) or "", chain


def _parts(chain: ast.expr) -> Iterator[ast.expr]:
    while isinstance(chain, ast.Call | ast.Attribute | ast.Subscript):
        yield chain
        chain = chain.func if isinstance(chain, ast.Call) else chain.value


def _root(chain: ast.expr) -> str | None:
    """The model's name, where the chain begins with its manager."""
    for part in _parts(chain):
        if isinstance(part, ast.Attribute) and part.attr in ("objects", "_default_manager") and isinstance(part.value, ast.Name):
            return part.value.id
    return None


def is_scoped(model: str, chain: ast.expr) -> bool:
    methods = {part.attr for part in _parts(chain) if isinstance(part, ast.Attribute)}
    named = {word.arg or "" for call in _parts(chain) if isinstance(call, ast.Call) for word in call.keywords}
    named |= {word.arg or "" for node in ast.walk(chain) if isinstance(node, ast.keyword) for word in [node]}
    if methods & (BY_THE_CALLER | MAKES) or any("organization" in name for name in named):
        return True
    return model in PARTS and any(name.split("__in")[0].removesuffix("_id") in WHOLES or name.startswith("step__run") for name in named)


def of_requests() -> Iterator[tuple[str, str, ast.expr]]:
    """(module:function, model, chain) of what runs for a request."""
    base = Path(settings.BASE_DIR)
    for folder in (*FOR_A_REQUEST, *SERVICES):
        for path in sorted((base / folder).rglob("*.py")):
            tree = ast.parse(path.read_text())
            asks = {
                node.name
                for node in ast.walk(tree)
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                and (folder in FOR_A_REQUEST or "caller" in {arg.arg for arg in (*node.args.args, *node.args.kwonlyargs)})
            }
            for function, model, chain in queries(tree):
                if function in asks:
                    yield f"{path.relative_to(base)}:{function}", model, chain


def test_promise_10_rows_are_found_through_the_callers_organization() -> None:
    found = [(where, model, chain) for where, model, chain in of_requests() if model in tenants()]
    loose = {where: ast.unparse(chain)[:120] for where, model, chain in found if not is_scoped(model, chain)}
    assert len(found) > 15
    assert {where: text for where, text in loose.items() if where not in REASONED} == {}
    assert {where for where in REASONED if where not in loose} == set()  # no reason outlives its query


SCOPED = [
    "Service.objects.for_caller(caller).get(id=id)",
    "Attachment.objects.owned_by(caller)",
    "Run.objects.filter(organization=caller.organization, user=caller.user).get(id=id)",
    "Run.objects.filter(Q(organization=caller.organization)).first()",
    "ServiceTool.objects.filter(service=service)",
    "ToolCall.objects.filter(step__run=run).update(status='x')",
    "Service.objects.create(name='x')",
]
LOOSE = [
    "Service.objects.get(id=id)",
    "Run.objects.filter(id=id, status='queued').update(status='x')",
    "Conversation.objects.all()[0]",
    "Run.objects.filter(user=caller.user).get(id=id)",
    "ToolCall.objects.get(id=id)",
    "Attachment.objects.select_related('owner').in_bulk(ids)",
]


@pytest.mark.parametrize(("text", "scoped"), [*((text, True) for text in SCOPED), *((text, False) for text in LOOSE)])
def test_the_reader_of_queries_tells_one_from_the_other(text: str, scoped: bool) -> None:
    [(_, model, chain)] = queries(ast.parse(f"def view(request, id):\n    return {text}"))
    assert model in tenants()
    assert is_scoped(model, chain) == scoped
