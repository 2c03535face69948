"""Promise 9: every route for everyone by every method, as the table has it. What is refused changes no row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.db import connection, transaction

from tests.security.routes import SAFE, address, ask, every_route
from tests.security.stage import PRIVATE, Ids, Stage, Who, never
from tests.security.table import ADMIN, ADMIN_FOR_ANYONE, ANYONE, API, PAGES, PAGES_OF, ROLES, SIGNED_IN, Route, Verb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey"), pytest.mark.xdist_group("matrix")]
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")
PASSING = {"last_used_at", "models_asked_at"}
NOT_COMPARED = {"AuditEvent", "AuditHead", "AuditKey", "AuditSegment", "IdempotencyRecord"}


# --- the table is whole


def test_promise_9_every_route_is_in_the_table_and_the_table_has_no_other() -> None:
    routes = set(every_route())
    known = {*API, *PAGES, *ANYONE, *SIGNED_IN}
    assert {route for route in routes if not route.startswith(ADMIN)} == known
    assert len(known) == len(API) + len(PAGES) + len(ANYONE) + len(SIGNED_IN)


def test_promise_9_every_method_is_in_the_table() -> None:
    from django.urls import get_resolver

    from llmconfig.checks import rest_views

    found = {
        route.replace("<uuid:", "<id:"): {name.upper() for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)}
        for route, view in rest_views(get_resolver())
    }
    assert {route: methods for route, methods in found.items() if route not in ANYONE} == {
        route: set(row.verbs) for route, row in API.items()
    }


# --- REST


def expected(who: Who, verb: Verb, whose: str) -> int:
    if not who.role:
        return 401
    if not who.may(verb.may):
        return 403
    if verb.rule is not None and (answer := verb.rule(who.role, whose)) is not None:
        return answer
    if verb.by_token is not None and who.scope != "session":
        return verb.by_token
    if whose in ("never", "foreign", "colleague", "senior", "mixed") or (whose == "own" and not who.has_own):
        return 404
    if whose == "shared" and verb.shared is not None and not who.may(verb.shared):
        return 403
    return verb.answer


def objects(stage: Stage, who: Who, thing: str, *, all: bool = True) -> Iterator[tuple[str, Ids]]:
    """What this kind of path may name, as this person sees it: all, or one of theirs, one of another and one that never was."""
    if not thing:
        yield "own" if who.has_own else "list", {}
        return
    stranger = not who.role
    owner = "member" if who.name == "owner" else "owner"
    yield "never", never(stage.own["owner"][thing])
    yield near(owner) if who.organization == "ours" else "foreign", stage.own[owner][thing]
    if stranger:
        return
    yield "own", stage.own[who.name][thing]
    if who.scope != "session" or not all:
        return  # what a role may is what its session may; of a token the scope counts
    if thing not in PRIVATE:
        ours, theirs = (stage.shared, stage.theirs_shared) if who.organization == "ours" else (stage.theirs_shared, stage.shared)
        yield "shared", ours[thing]
        yield "foreign", theirs[thing]
    if who.organization == "ours":
        yield "foreign", stage.own["mallory"][thing]
        for name in ("admin", "auditor"):
            if who.name != name:
                yield near(name), stage.own[name][thing]
    for ids in stage.mixed(who, thing):
        yield "mixed", ids


def near(name: str) -> str:
    """Somebody else's of one's own organization."""
    return "senior" if name in ("admin", "owner") else "colleague"


def undone(client: Client, method: str, url: str, body: Any = None) -> Any:
    """The answer to a request whose effect is taken back."""
    with transaction.atomic():
        response = ask(client, method, url, body)
        transaction.set_rollback(True)
    return response


def rows() -> dict[str, list[Any]]:
    """Every row of every tenant, but for notes of when something was last asked or used."""
    models = [
        model for label in ("llmconfig", "agent") for model in apps.get_app_config(label).get_models() if model.__name__ not in NOT_COMPARED
    ]
    return {model.__name__: _rows_of(model) for model in models}


def _rows_of(model: Any) -> list[Any]:
    """As the database has them: it is asked often."""
    columns = ", ".join(connection.ops.quote_name(field.column) for field in model._meta.concrete_fields if field.name not in PASSING)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {model._meta.db_table} ORDER BY {model._meta.pk.column}")  # noqa: S608  # names of ours
        found: list[Any] = cursor.fetchall()
    return found


def told(response: Any) -> Any:
    return None if response.streaming else response.content


@pytest.mark.parametrize("route", API)
def test_promise_9_who_may_is_answered_and_nobody_else(route: str, stage: Stage) -> None:
    row, before, wrong = API[route], rows(), []
    for who in (*stage.strangers, *stage.browsers, *stage.tokens):
        for method, verb in row.verbs.items():
            nowhere = set()
            for whose, ids in objects(stage, who, row.thing):
                should = expected(who, verb, whose)
                may_write = should == verb.answer and method not in SAFE
                response = (undone if may_write else ask)(who.client, method, address(route, ids), verb.body)
                if response.status_code != should:
                    wrong.append(
                        f"{who.name} by {who.scope}: {method} {whose}: {response.status_code}, not {should}: {told(response)!r:.200}"
                    )
                if response.status_code == 404:
                    nowhere.add(told(response))
            if len(nowhere) > 1:
                wrong.append(f"{who.name}: {method}: a foreign id is told from one that never was: {nowhere}")
        if who in (stage.strangers[-1], stage.browsers[-1], stage.tokens[-1]) and rows() != before:
            wrong.append(f"Up to {who.name} by {who.scope}, a request that was refused, or one that reads, has changed rows.")
            before = rows()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("route", API)
def test_promise_9_other_methods_tell_nothing(route: str, stage: Stage) -> None:
    """405 for who is signed in, whatever the ids; HEAD as GET, without its body; OPTIONS for who may read, or else write."""
    row, before, wrong = API[route], rows(), []
    for who in (stage.strangers[0], stage.strangers[1], *stage.browsers):
        methods = METHODS if who.name in ("anonymous", "member", "mallory") else ("HEAD", "OPTIONS")
        for whose, ids in objects(stage, who, row.thing, all=False):
            for method in methods:
                if method in row.verbs:
                    continue
                response = ask(who.client, method, address(route, ids), {"anything": 1})
                should = unlisted(row, who, method, whose)
                if response.status_code != should or (method == "HEAD" and told(response)):
                    wrong.append(f"{who.name}: {method} {whose}: {response.status_code}, not {should}: {told(response)!r:.200}")
                if method == "OPTIONS" and response.status_code == 200 and set(response.json()) != {"methods"}:
                    wrong.append(f"{who.name}: OPTIONS tells {response.json()}")
    assert rows() == before
    assert not wrong, "\n".join(wrong)


def unlisted(row: Route, who: Who, method: str, whose: str) -> int:
    if not who.role:
        return 401
    if method == "HEAD" and "GET" in row.verbs:
        return expected(who, row.verbs["GET"], whose)
    if method == "OPTIONS":
        asked = row.verbs.get("GET") or next(iter(row.verbs.values()))
        return 200 if who.may(asked.may) else 403
    return 405


def test_promise_9_an_id_in_capitals_names_the_same_row(stage: Stage) -> None:
    member = next(who for who in stage.browsers if who.name == "member")
    wrong = []
    for route, row in API.items():
        if row.thing and "GET" in row.verbs:
            for whose, ids in objects(stage, member, row.thing):
                capitals = {name: str(value).upper() if name in ("id", "grant") else value for name, value in ids.items()}
                status = ask(member.client, "GET", address(route, capitals)).status_code
                if status != expected(member, row.verbs["GET"], whose):
                    wrong.append(f"{route}: {whose}: {status}")
    assert not wrong, "\n".join(wrong)


# --- pages, accounts, admin


@pytest.mark.parametrize("route", sorted(PAGES))
def test_promise_9_pages_are_for_who_is_signed_in(route: str, stage: Stage) -> None:
    url = address(route, {"conversation_id": stage.own["owner"]["conversation"]["id"]})
    before = rows()
    for who in (*stage.strangers, *stage.browsers):
        for method in METHODS:
            response = ask(who.client, method, url)
            if method in ("GET", "HEAD"):
                may = not who.role or who.role in PAGES_OF.get(route, ROLES)
                assert response.status_code == ((200 if may else 403) if who.role else 302), (who.name, method)
                assert who.role or response["Location"].startswith("/accounts/login/?next="), who.name
            else:
                assert response.status_code in (302, 405), (who.name, method)
    assert rows() == before


def test_promise_9_a_page_of_a_conversation_tells_nothing_of_it(stage: Stage) -> None:
    """Its shell is the same for every id; the API decides whether its reader may see what was said."""
    member = next(who for who in stage.browsers if who.name == "member")
    ids = [stage.own[name]["conversation"]["id"] for name in ("member", "owner", "mallory")] + [never({"id": ""})["id"]]
    shells = {told(member.client.get(f"/c/{id}/")).decode().replace(str(id), "") for id in ids}
    csrf = {line for shell in shells for line in shell.splitlines() if "csrf" in line.lower()}
    assert len({"\n".join(line for line in shell.splitlines() if line not in csrf) for shell in shells}) == 1


@pytest.mark.parametrize("route", sorted(SIGNED_IN))
def test_promise_9_an_account_is_its_persons(route: str, stage: Stage) -> None:
    before = rows()
    for who in stage.strangers:
        for method in METHODS:
            response = ask(who.client, method, address(route, {"id": 1, "pk": 1}))
            assert response.status_code in (302, 405), (who.name, method)
            if response.status_code == 302:
                assert response["Location"].startswith("/accounts/login/"), (who.name, method)
    assert rows() == before


@pytest.mark.parametrize(("route", "url"), sorted(ANYONE.items()))
def test_promise_9_what_answers_anyone_changes_nothing(route: str, url: str, stage: Stage) -> None:
    before = rows()
    for who in stage.strangers:
        for method in METHODS:
            response = undone(who.client, method, f"/{url or route}")
            assert response.status_code < 500 or route == "readyz", (who.name, method)
    assert rows() == before


ADMIN_IDS = ("object_id", "id", "content_type_id")


def admin_routes() -> list[str]:
    return sorted({route for route in every_route() if route.startswith(ADMIN)})


def test_promise_9_the_admin_is_for_staff_alone(stage: Stage) -> None:
    """Owners and admins of an organization are not: it shows every organization's."""
    before, wrong, asked = rows(), [], 0
    for route in admin_routes():
        url = admin_address(route, stage)
        for who in (stage.strangers[0], stage.strangers[1], *stage.browsers):
            for method in ("GET", "POST"):
                response = ask(who.client, method, url)
                asked += 1
                may = route in ADMIN_FOR_ANYONE
                if not may and not (response.status_code == 302 and "/login/" in response["Location"]):
                    wrong.append(f"{who.name}: {method} {url}: {response.status_code}")
    assert rows() == before
    assert not wrong, "\n".join(wrong)
    assert asked > 500


def test_promise_9_staff_without_permissions_sees_no_rows(stage: Stage) -> None:
    from django.test import Client

    from llmconfig.tenancy.models import User

    user = User.objects.create(username="clerk", is_staff=True)
    clerk = Client()
    clerk.force_login(user)
    before, wrong = rows(), []
    for route in admin_routes():
        if route.count("/") < 3 or route == "admin/password_change/done/" or route.startswith("admin/r/"):
            continue
        for method in ("GET", "POST"):
            response = ask(clerk, method, admin_address(route, stage))
            if response.status_code not in (302, 403, 404):
                wrong.append(f"{method} {route}: {response.status_code}")
    assert rows() == before
    assert not wrong, "\n".join(wrong)


def admin_address(route: str, stage: Stage) -> str:
    if "(?P" in route:
        return "/admin/llmconfig/" if "app_label" in route else "/admin/nothing"
    kind = {"userllmconfig": "config", "custommodel": "custom model", "apitoken": "token", "run": "run", "service": "service"}
    thing = kind.get(route.split("/")[2] if route.count("/") > 2 else "", "attachment")
    return address(route, dict.fromkeys(ADMIN_IDS, stage.own["owner"][thing]["id"]))


def test_the_table_names_roles_as_they_are() -> None:
    from llmconfig.tenancy.models import Role

    assert set(ROLES) == set(Role.values)
    assert {role for row in API.values() for verb in row.verbs.values() for role in verb.may.roles.split()} <= set(ROLES)
