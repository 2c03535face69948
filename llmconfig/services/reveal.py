"""The one place where a config's secrets are opened for use: once for each client that is built, and audited with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmconfig.services.secrets import open_credentials
from llmconfig.tenancy.audit import record

if TYPE_CHECKING:
    from llmconfig.llm import Credentials
    from llmconfig.models import UserLLMConfig
    from llmconfig.tenancy.audit import Actor


def reveal(config: UserLLMConfig, *, purpose: str, actor: Actor, **details: Any) -> Credentials:
    """Everything that a client of this config needs. purpose: `run`, `test`, `check` or `models`. Raises `Unreadable` and records nothing.

    Within a transaction it is the last thing: it locks the end of the audit trail. Where there is no secret nothing was revealed.
    """
    credentials = open_credentials(config)
    if config.api_key or config.credentials:
        record(
            "config.revealed",
            actor=actor,
            organization=config.organization_id,
            object=config,
            details={"purpose": purpose, "provider": config.provider_type, "hint": config.api_key_hint, **details},
        )
    return credentials
