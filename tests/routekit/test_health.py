"""Liveness and readiness."""

from __future__ import annotations

import pytest
import redis
from django.db import DatabaseError, connection


def test_liveness_needs_neither_database_nor_valkey(client, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    assert client.get("/healthz").status_code == 200


@pytest.mark.django_db
def test_ready_when_all_parts_answer(client, valkey):
    redis.Redis.from_url(valkey).set("routekit:worker:here", "1", ex=15)

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"ready": True, "parts": {"database": "ok", "valkey": "ok", "worker": "ok"}}


@pytest.mark.django_db
def test_names_a_worker_that_is_away(client, valkey):
    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["parts"] == {"database": "ok", "valkey": "ok", "worker": "away"}
    assert int(response["Retry-After"]) > 0


@pytest.mark.django_db
def test_names_a_valkey_that_is_away(client, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["parts"]["valkey"] == "away"


def test_names_a_database_that_is_away(client, valkey, monkeypatch):
    def refuse():
        raise DatabaseError("gone")

    monkeypatch.setattr(connection, "cursor", refuse)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["parts"]["database"] == "away"
