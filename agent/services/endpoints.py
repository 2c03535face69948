"""Opens a service's credentials for a session: the one place that does, and each time it is audited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings

from agent.mcp.endpoint import Endpoint
from agent.models import Service
from llmconfig.llm import Secret
from llmconfig.net import EgressPolicy
from llmconfig.tenancy.audit import record
from llmconfig.tenancy.keys import open_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmconfig.tenancy.audit import Actor


def egress() -> EgressPolicy:
    return EgressPolicy(frozenset(settings.PRIVATE_HOSTS))


def endpoint_of(service: Service) -> Endpoint:
    """Where to reach a service, its token still sealed. The key changes with its credentials or address, so that pooled sessions do too."""
    return Endpoint(
        key=f"{service.owner_id or service.organization_id}:{service.id}:{service.secret_version}",
        url=service.url,
        transport=service.transport,  # type: ignore[arg-type]
        is_sealed=_needs_token(service),
    )


def open_endpoint(service: Service, *, purpose: str, actor: Actor, **details: Any) -> Endpoint:
    """With what opens it, for one session. purpose: `run` or `test`. Raises `Unreadable`, and records nothing then.

    Within a transaction it is the last thing: it locks the end of the audit trail. Where there is no token nothing was revealed.
    """
    endpoint = endpoint_of(service)
    if not endpoint.is_sealed:
        return endpoint
    header = Secret(f"Bearer {open_for(service, 'token').reveal()}")
    record(
        "service.revealed",
        actor=actor,
        organization=service.organization_id,
        object=service,
        details={"purpose": purpose, **details},
    )
    return Endpoint(endpoint.key, endpoint.url, endpoint.transport, {"Authorization": header})


def stale_endpoints(held: Iterable[str]) -> set[str]:
    """Of these keys those whose service was deleted or disabled, or has another token, address or owner by now. One query."""
    keys = {key: UUID(key.split(":")[1]) for key in held}
    known = Service.objects.filter(id__in=keys.values(), is_enabled=True)
    return keys.keys() - {endpoint_of(service).key for service in known}


def _needs_token(service: Service) -> bool:
    return service.auth_type == Service.Auth.BEARER and bool(service.token)
