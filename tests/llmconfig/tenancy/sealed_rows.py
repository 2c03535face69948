"""Rows with sealed values of every kind, for tests of what happens to their keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from agent.models import Service
from llmconfig.llm import Secret
from llmconfig.models import UserLLMConfig
from llmconfig.tenancy.keys import data_key_for, seal_for
from llmconfig.tenancy.models import IdempotencyRecord
from llmconfig.tenancy.sealed import Sealed
from llmconfig.vault import fingerprint

if TYPE_CHECKING:
    from tests.llmconfig.people import Person


def config_of(person: Person, secret: str, *, shared: bool = False, **fields: Any) -> UserLLMConfig:
    owner = None if shared else person.user
    row = UserLLMConfig(organization=person.organization, owner=owner, provider_type="azure_openai", name=secret, **fields)
    row.api_key = Sealed(seal_for(row, "api_key", Secret(secret)))
    row.api_key_fingerprint = fingerprint(Secret(secret), data_key_for(person.organization.pk))
    row.credentials = Sealed(seal_for(row, "credentials", Secret(json.dumps({"client_secret": f"{secret} too"}))))
    row.save()
    return row


def service_of(person: Person, secret: str, *, shared: bool = False) -> Service:
    row = Service(organization=person.organization, owner=None if shared else person.user, display_name=secret, slug=secret)
    row.token = Sealed(seal_for(row, "token", Secret(secret)))
    row.save()
    return row


def answer_of(person: Person, secret: str) -> IdempotencyRecord:
    row = IdempotencyRecord(organization=person.organization, principal=secret, path="/", key=secret, request_hash="")
    row.body = Sealed(seal_for(row, "body", Secret(secret)))
    row.save()
    return row


def values_of(row: Any) -> dict[str, str]:
    """Ciphertexts of a row as they are stored, by field."""
    names = [name for name in ("api_key", "credentials", "token", "body") if hasattr(row, name)]
    stored = type(row).objects.get(pk=row.pk)
    return {name: getattr(stored, name).text for name in names}
