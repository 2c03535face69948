"""Promise 9, the table of roles in api.md cell by cell: each row is what it says there, tried over the API by each role."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.security.table import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.security.stage import Stage

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey"), pytest.mark.xdist_group("matrix")]


NEW_CONFIG = {"provider_type": "anthropic", "api_key": "sk-ant-0123456789abcdef"}
OWN = ("member", "admin", "owner")
ADMINS = ("admin", "owner")

# (cell of api.md, who has a tick, requests that are the cell: method, path, body). {kind} is one's own, {shared kind} the organization's.
TABLE: list[tuple[str, tuple[str, ...], list[tuple[str, str, Any]]]] = [
    (
        "see shared configs, services, models",
        ROLES,
        [
            ("GET", "/api/user/llm-config", None),
            ("GET", "/api/user/llm-config/{shared config}", None),
            ("GET", "/api/user/services", None),
            ("GET", "/api/user/services/{shared service}", None),
            ("GET", "/api/user/services/{shared service}/tools", None),
            ("GET", "/api/models", None),
            ("GET", "/api/models/{shared custom model}", None),
            ("GET", "/api/providers", None),
        ],
    ),
    (
        "own configs",
        OWN,
        [
            ("POST", "/api/user/llm-config", NEW_CONFIG),
            ("GET", "/api/user/llm-config/{config}", None),
            ("PATCH", "/api/user/llm-config/{config}", {"name": "New"}),
            ("DELETE", "/api/user/llm-config/{config}", None),
        ],
    ),
    (
        "own services",
        OWN,
        [
            ("GET", "/api/user/services/{service}", None),
            ("PATCH", "/api/user/services/{service}", {"display_name": "New"}),
            ("PATCH", "/api/user/services/{service}/tools/{tool}", {"policy": "deny"}),
            ("DELETE", "/api/user/services/{service}", None),
        ],
    ),
    (
        "own conversations",
        OWN,
        [
            ("GET", "/api/conversations", None),
            ("POST", "/api/conversations", {}),
            ("GET", "/api/conversations/{conversation}", None),
            ("GET", "/api/conversations/{conversation}/messages", None),
            ("PATCH", "/api/conversations/{conversation}", {"title": "New"}),
            ("DELETE", "/api/conversations/{conversation}", None),
            ("GET", "/api/attachments", None),
            ("GET", "/api/attachments/{attachment}", None),
        ],
    ),
    (
        "own runs",
        OWN,
        [
            ("POST", "/api/conversations/{conversation}/messages", {"content": "Hello"}),
            ("GET", "/api/runs/{run}", None),
            ("POST", "/api/runs/{run}/cancel", {}),
            ("POST", "/api/tool-calls/{call}/approve", {}),
            ("POST", "/api/tool-calls/{call}/deny", {}),
        ],
    ),
    (
        "own tokens",
        OWN,
        [
            ("GET", "/api/tokens", None),
            ("POST", "/api/tokens", {"name": "New"}),
            ("DELETE", "/api/tokens/{token}", None),
        ],
    ),
    (
        "shared configs",
        ADMINS,
        [
            ("POST", "/api/user/llm-config", {**NEW_CONFIG, "shared": True}),
            ("PATCH", "/api/user/llm-config/{shared config}", {"name": "New"}),
            ("PATCH", "/api/user/llm-config/{shared config}", {"shared": False}),
            ("PATCH", "/api/user/llm-config/{config}", {"shared": True}),
            ("DELETE", "/api/user/llm-config/{shared config}", None),
        ],
    ),
    (
        "shared services and tool classification",
        ADMINS,
        [
            ("PATCH", "/api/user/services/{shared service}", {"display_name": "New"}),
            ("PATCH", "/api/user/services/{shared service}", {"shared": False}),
            ("PATCH", "/api/user/services/{service}", {"shared": True}),
            ("PATCH", "/api/user/services/{shared service}/tools/find", {"read_only": True}),
            ("DELETE", "/api/user/services/{shared service}", None),
        ],
    ),
    (
        "custom models",
        ADMINS,
        [
            ("POST", "/api/models", {"config": "{shared config}", "model": "tuned-too"}),
            ("PATCH", "/api/models/{shared custom model}", {"label": "New"}),
            ("DELETE", "/api/models/{shared custom model}", None),
        ],
    ),
]


def cells() -> Iterator[Any]:
    for cell, ticked, requests in TABLE:
        for role in ROLES:
            for method, path, body in requests:
                yield pytest.param(role, role in ticked, method, path, body, id=f"{cell}: {role}: {method} {path} {json.dumps(body)}")


def filled(text: str, stage: Stage, role: str) -> str:
    for kind, ids in stage.shared.items():
        text = text.replace(f"{{shared {kind}}}", str(ids["id"]))
    for kind, ids in stage.own[role].items():
        text = text.replace(f"{{{kind}}}", str(ids["name" if kind == "tool" else "id"]))
    return text


@pytest.mark.parametrize(("role", "has_tick", "method", "path", "body"), [*cells()])
def test_promise_9_table(role: str, has_tick: bool, method: str, path: str, body: Any, stage: Stage) -> None:
    who = next(each for each in stage.browsers if each.name == role)
    sent = {} if body is None else {"data": filled(json.dumps(body), stage, role), "content_type": "application/json"}
    response = who.client.generic(method, filled(path, stage, role), **sent)
    if has_tick:
        assert 200 <= response.status_code < 300, response.content
    else:
        assert response.status_code in (403, 404), response.content


@pytest.mark.parametrize("role", [role for role in ROLES if role != "owner"])
def test_promise_9_table_nobody_reads_what_another_said(role: str, stage: Stage) -> None:
    """Conversations are their owner's alone: others of the organization, admins included, do not see what was said."""
    who = next(each for each in stage.browsers if each.name == role)
    theirs = stage.own["owner"]
    paths = [
        f"/api/conversations/{theirs['conversation']['id']}",
        f"/api/conversations/{theirs['conversation']['id']}/messages",
        f"/api/runs/{theirs['run']['id']}",
        f"/api/runs/{theirs['run']['id']}/events",
        f"/api/attachments/{theirs['attachment']['id']}",
        f"/api/attachments/{theirs['attachment']['id']}/content",
        f"/api/user/llm-config/{theirs['config']['id']}",
        f"/api/user/services/{theirs['service']['id']}",
        f"/api/user/services/{theirs['service']['id']}/tools",
    ]
    assert {who.client.get(path).status_code for path in paths} <= {403, 404}


@pytest.mark.parametrize("role", ROLES)
def test_promise_9_table_lists_hold_ones_own_and_what_is_shared(role: str, stage: Stage) -> None:
    who = next(each for each in stage.browsers if each.name == role)
    for path, kind in (("/api/user/llm-config", "config"), ("/api/user/services", "service")):
        listed = {row["id"] for row in who.client.get(path).json()["results"]}
        expected = {stage.shared[kind]["id"], *([stage.own[role][kind]["id"]] if role in OWN else [])}
        assert listed == {str(id) for id in expected}
    for path, kinds in (("/api/conversations", ("conversation",)), ("/api/tokens", ()), ("/api/attachments", ("attachment",))):
        answer = who.client.get(path)
        if role not in OWN:
            assert answer.status_code == 403
            continue
        listed = {row["id"] for row in answer.json()["results"]}
        assert {str(stage.own[role][kind]["id"]) for kind in kinds} <= listed
        others = {
            str(ids[kind]["id"]) for name, ids in stage.own.items() if name != role for kind in ("conversation", "token", "attachment")
        }
        assert not listed & others


@pytest.mark.parametrize("role", ROLES)
def test_no_role_is_shown_a_secret(role: str, stage: Stage) -> None:
    who = next(each for each in stage.browsers if each.name == role)
    for path in ("/api/user/llm-config", "/api/user/services"):
        for row in who.client.get(path).json()["results"]:
            assert not {"api_key", "credentials", "token"} & set(row)
