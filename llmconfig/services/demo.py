"""The built-in demo config: where the demo provider is on, each organization shares one, so that everything works with no key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import IntegrityError, transaction

from llmconfig.models import ConfigStatus, UserLLMConfig

if TYPE_CHECKING:
    from llmconfig.tenancy.models import Organization

DEMO_SLUG: Final = "demo"
DEMO_MODEL: Final = "demo-1"


def ensure_demo_config(organization: Organization) -> None:
    """One query when it is there already; nothing where the demo provider is off."""
    rows = UserLLMConfig.objects.filter(organization=organization, owner=None, provider_type=DEMO_SLUG)
    if not settings.DEMO or rows.exists():
        return
    try:
        with transaction.atomic():
            UserLLMConfig.objects.create(
                organization=organization,
                owner=None,
                name="Demo provider",
                provider_type=DEMO_SLUG,
                model=DEMO_MODEL,
                status=ConfigStatus.VALID,
                priority=-1000,
            )
    except IntegrityError:  # another request made it first
        return
