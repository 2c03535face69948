"""What a request gets that no view answered."""

from __future__ import annotations

import json

import pytest
import redis
from django.db import OperationalError
from django.test import RequestFactory

from routekit import errors

HANDLERS = {
    400: (errors.bad_request, "client_error", "parse_error"),
    403: (errors.forbidden, "client_error", "permission_denied"),
    404: (errors.not_found, "client_error", "not_found"),
    500: (errors.server_error, "server_error", "error"),
}


@pytest.mark.parametrize("status", HANDLERS)
def test_the_api_answers_in_its_envelope(status):
    answer, kind, code = HANDLERS[status]

    response = answer(RequestFactory().get("/api/nothing"))

    assert response.status_code == status
    body = json.loads(response.content)
    assert body["type"] == kind
    assert [(error["code"], error["attr"]) for error in body["errors"]] == [(code, None)]


@pytest.mark.parametrize("status", [400, 500])
def test_people_get_a_page(status):
    response = HANDLERS[status][0](RequestFactory().get("/nothing"))

    assert response.status_code == status
    assert response["Content-Type"].startswith("text/")
    assert b"Traceback" not in response.content


def test_a_name_that_is_not_ours_says_what_to_do_and_is_one_line_in_the_log(client, caplog):
    response = client.get("/accounts/login/", headers={"host": "stranger.example"})

    assert response.status_code == 400
    assert b"ALLOWED_HOSTS" in response.content
    [record] = [record for record in caplog.records if record.name == "django.security.DisallowedHost"]
    assert "stranger.example" in record.getMessage()
    assert record.exc_info is None


@pytest.mark.parametrize("away", [OperationalError("gone"), redis.ConnectionError("gone"), redis.TimeoutError("late")])
def test_a_part_that_is_away_is_a_503_to_try_again(away):
    try:
        raise away
    except type(away):
        response = errors.server_error(RequestFactory().get("/api/models"))

    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert json.loads(response.content)["errors"][0]["code"] == "unavailable"


def test_the_api_answers_a_path_that_is_none(client):
    response = client.get("/api/no-such-path")

    assert response.status_code == 404
    assert response.json()["errors"][0]["code"] == "not_found"


def test_a_forged_post_is_refused_in_the_envelope():
    response = errors.csrf_failure(RequestFactory().post("/api/conversations"), "CSRF cookie not set.")

    assert response.status_code == 403
    assert b"CSRF cookie" not in response.content
