"""Opens a service's credentials for a client: the one place that does."""

from __future__ import annotations

from django.conf import settings

from agent.mcp.endpoint import Endpoint
from agent.models import Service
from llmconfig.llm import Secret
from llmconfig.net import EgressPolicy
from llmconfig.tenancy.keys import open_for


def egress() -> EgressPolicy:
    return EgressPolicy(frozenset(settings.PRIVATE_HOSTS))


def endpoint_of(service: Service) -> Endpoint:
    """Where and how to reach a service. The key changes with its credentials or address, so that pooled sessions do too."""
    headers: dict[str, Secret] = {}
    if service.auth_type == Service.Auth.BEARER and service.token:
        headers["Authorization"] = Secret(f"Bearer {open_for(service, 'token').reveal()}")
    return Endpoint(
        key=f"{service.owner_id or service.organization_id}:{service.id}:{service.secret_version}",
        url=service.url,
        transport=service.transport,  # type: ignore[arg-type]
        headers=headers,
    )
