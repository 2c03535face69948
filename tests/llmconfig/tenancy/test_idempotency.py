"""Idempotency-Key: the answer is repeated, the creation is not."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.utils import timezone

from llmconfig.api.configs import ConfigList
from llmconfig.models import IdempotencyRecord, UserLLMConfig
from tests.llmconfig.people import Person, person

if TYPE_CHECKING:
    from rest_framework.test import APIClient

URL = "/api/user/llm-config"
BODY = {"provider_type": "anthropic", "api_key": "sk-ant-canary-0123456789"}


def post(client: APIClient, key: str = "key-1", **changed: object) -> Any:
    return client.post(URL, {**BODY, **changed}, headers={"Idempotency-Key": key})


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["code"]


def test_the_same_request_twice(alice: Person) -> None:
    client = alice.client()
    first, second = post(client), post(client)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert UserLLMConfig.objects.count() == 1


def test_another_body_is_a_mismatch(alice: Person) -> None:
    client = alice.client()
    post(client)
    assert code(post(client, name="another")) == (409, "idempotency_mismatch")
    assert post(client, key="key-2", name="another").status_code == 201


def test_a_key_belongs_to_its_token_and_path(alice: Person, bob: Person) -> None:
    client = alice.client()
    post(client)
    assert post(alice.client()).status_code == 201
    assert post(bob.client(), name="bob's").status_code == 201
    assert client.post("/api/tokens", {"name": "x"}, headers={"Idempotency-Key": "key-1"}).status_code == 201
    assert UserLLMConfig.objects.count() == 3


def test_a_refused_request_leaves_the_key_free(alice: Person) -> None:
    client = alice.client()
    assert post(client, colour="red").status_code == 400
    assert not IdempotencyRecord.objects.exists()
    assert post(client).status_code == 201


def test_creation_and_record_stand_or_fall_together(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("between the creation and its record")

    client = alice.client()
    client.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr("llmconfig.tenancy.rest.idempotency._store", fail)
        assert post(client).status_code == 500
    assert not UserLLMConfig.objects.exists()
    assert post(client).status_code == 201


def test_a_key_is_forgotten_after_a_day(alice: Person) -> None:
    client = alice.client()
    post(client)
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(hours=23))
    assert code(post(client, name="another"))[0] == 409
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert post(client, name="another").status_code == 201


def test_a_claim_that_never_ended_lapses(alice: Person) -> None:
    client = alice.client()
    post(client)
    UserLLMConfig.objects.all().delete()
    IdempotencyRecord.objects.update(status=None)
    assert code(post(client)) == (409, "idempotency_in_progress")
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    assert post(client).status_code == 201


def test_the_stored_answer_is_sealed(alice: Person) -> None:
    config = post(alice.client()).json()
    record = IdempotencyRecord.objects.get()
    assert record.body.text.startswith("v1.")
    assert config["id"] not in str(IdempotencyRecord.objects.values())
    assert BODY["api_key"] not in str(IdempotencyRecord.objects.values())


def test_a_key_too_long(alice: Person) -> None:
    assert code(post(alice.client(), key="k" * 256)) == (400, "invalid")


@pytest.mark.django_db(transaction=True)
def test_a_duplicate_meanwhile_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    client = person("alice").client()
    entered, leave, answers = threading.Event(), threading.Event(), []
    real = ConfigList.before_create

    def slowly(self: ConfigList, *args: Any, **kwargs: Any) -> None:
        entered.set()
        leave.wait(10)
        real(self, *args, **kwargs)

    def first() -> None:
        answers.append(post(client))
        connection.close()

    monkeypatch.setattr(ConfigList, "before_create", slowly)
    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(10)
    assert code(post(client)) == (409, "idempotency_in_progress")
    leave.set()
    thread.join()
    assert answers[0].status_code == 201
    assert post(client).json() == answers[0].json()
    assert UserLLMConfig.objects.count() == 1
