"""The built-in demo service, as each organization sees it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import IntegrityError, transaction

from agent.models import Service
from agent.services.connections import free_slug
from agent.services.listing import refresh_tools
from llmconfig.tenancy.errors import Unavailable

if TYPE_CHECKING:
    from llmconfig.tenancy.models import Organization

logger = logging.getLogger(__name__)
SLUG = "demo"


def ensure_demo_service(organization: Organization, *, anew: bool = False) -> Service | None:
    """The organization's demo service at its present address, its tools known and classified. None where the demo is off.

    One query once that is so; the first time it asks the demo service for its tools. anew: ask, as another release may have others.
    """
    if not settings.DEMO or not settings.DEMO_SERVICE_URL:
        return None
    service = Service.objects.filter(organization=organization, is_demo=True).first() or _make(organization)
    if service.url != settings.DEMO_SERVICE_URL:
        service.url, service.secret_version = settings.DEMO_SERVICE_URL, service.secret_version + 1
        service.status = Service.Status.UNTESTED
        service.save(update_fields=["url", "secret_version", "status", "updated_at"])
    if anew or service.status != Service.Status.CONNECTED:
        _learn_tools(service)
    return service


def _make(organization: Organization) -> Service:
    slug = free_slug(organization, SLUG)
    try:
        with transaction.atomic():
            return Service.objects.create(
                organization=organization, is_demo=True, display_name="Demo service", slug=slug, url=settings.DEMO_SERVICE_URL
            )
    except IntegrityError:
        return Service.objects.get(organization=organization, is_demo=True)


def _learn_tools(service: Service) -> None:
    try:
        outcome = refresh_tools(service=service)
    except Unavailable:
        return  # the next look asks
    if not outcome["ok"]:
        logger.info("The demo service does not answer yet: %s", outcome["error"]["detail"])
