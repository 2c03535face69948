"""What a worker may open for a run: judged anew when it asks, since keys and owners change while runs are under way."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from agent.loop.intents import RevealKey, RevealService, Unopened
from agent.models import Run, Service
from agent.services.claims import WORKER
from agent.services.endpoints import open_endpoint
from llmconfig.services import reveal_for_run
from llmconfig.tenancy.audit import SYSTEM, Actor
from llmconfig.tenancy.errors import ServiceError
from llmconfig.vault import Unreadable

if TYPE_CHECKING:
    from agent.mcp.endpoint import Endpoint
    from agent.services.claims import Claim
    from llmconfig.services import Revealed

CONFIG_GONE = ("config_gone", "The provider this conversation used is no longer there for you. Choose another model.")
SERVICE_GONE = Unopened("service_gone", "This service is no longer there for you.")


def may_use_config(run: Run) -> bool:
    config = run.config
    return config is not None and config.organization_id == run.organization_id and config.owner_id in (None, run.user_id)


def reveal_key(claim: Claim, intent: RevealKey, seq: int) -> Revealed | Unopened:
    """The last thing of its transaction: it locks the end of the audit trail."""
    run = Run.objects.select_related("config__organization", "user").get(id=claim.run)
    if run.config is None or not may_use_config(run):
        return Unopened(*CONFIG_GONE)
    try:
        return reveal_for_run(run.config, run.model, actor=_actor(run), worker=WORKER, run=str(run.id))
    except ServiceError as error:
        return Unopened(error.code, error.detail)


def reveal_service(claim: Claim, intent: RevealService, seq: int) -> Endpoint | Unopened:
    """As `reveal_key`."""
    run = Run.objects.select_related("user").get(id=claim.run)
    visible = Service.objects.filter(organization=run.organization_id, is_enabled=True)
    service = visible.filter(id=UUID(intent.endpoint)).first()
    if service is None or service.owner_id not in (None, run.user_id):
        return SERVICE_GONE
    try:
        return open_endpoint(service, purpose="run", actor=_actor(run), worker=WORKER, run=str(run.id))
    except Unreadable:
        return Unopened("unreadable", unreadable_token(service))


def unreadable_token(service: Service) -> str:
    return f"The token of {service.display_name} cannot be opened. Enter it again under Settings, Services."


def _actor(run: Run) -> Actor:
    return Actor.user(run.user) if run.user else SYSTEM
