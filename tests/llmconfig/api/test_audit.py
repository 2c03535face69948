"""`/api/audit`: who may read it, how it is searched, paged and exported, and verified."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from llmconfig.tenancy.audit import SYSTEM, Actor, AuditEvent, Outcome, record
from llmconfig.tenancy.audit.refusals import PER_MINUTE
from llmconfig.tenancy.models import Role, User
from tests.llmconfig.people import person
from tests.llmconfig.tampering import some_events, tamper

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db
PATH = "/api/audit"


@pytest.fixture(autouse=True)
def _heads(settings: SettingsWrapper, tmp_path: Path) -> None:
    settings.AUDIT_HEADS_FILE = str(tmp_path / "heads.jsonl")


@pytest.fixture
def carol(alice: Person) -> Person:
    return person("carol", alice.organization, Role.AUDITOR)


def text_of(response: Any) -> str:
    async def read() -> bytes:
        return b"".join([chunk async for chunk in response])

    data: bytes = async_to_sync(read)()
    return data.decode()


def seqs(client: Any, query: str) -> list[int]:
    answer = client.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.json()
    return [row["seq"] for row in answer.json()["results"]]


def test_an_event_as_the_auditor_sees_it(alice: Person, carol: Person) -> None:
    about = ("config", "7", "OpenAI")
    event = record("config.rotated", actor=Actor.of(alice.caller), organization=alice.organization.pk, object=about, details={"a": 1})
    row = carol.client().get(PATH).json()["results"][0]
    assert row == {
        "id": str(event.pk),
        "seq": event.seq,
        "at": row["at"],
        "actor": "alice",
        "actor_id": str(alice.user.pk),
        "token": "",
        "action": "config.rotated",
        "object": "config:7",
        "object_type": "config",
        "object_id": "7",
        "object_label": "OpenAI",
        "outcome": "allowed",
        "ip": "",
        "details": {"a": 1},
        "key_id": event.key_id,
        "previous": event.previous,
        "hash": event.hash,
    }
    assert row["at"].startswith(event.at.isoformat()[:23])


@pytest.mark.parametrize(("role", "status"), [("owner", 200), ("admin", 200), ("auditor", 200), ("member", 403), ("viewer", 403)])
def test_promise_9_who_may_read_the_trail(alice: Person, role: str, status: int) -> None:
    client = person("dave", alice.organization, Role(role)).client()
    for path in (PATH, f"{PATH}?format=csv", f"{PATH}?format=jsonl", f"{PATH}/verify"):
        answer = client.get(path)
        assert answer.status_code == status
        if status == 403:
            assert answer.json()["errors"][0]["code"] == "permission_denied"
    assert client.post(f"{PATH}/verify").status_code == status


def test_the_trail_of_another_organization_is_not_seen(alice: Person, mallory: Person) -> None:
    foreign = {event.seq for event in some_events(alice)}
    own = some_events(mallory, 1)
    assert seqs(mallory.client(), "") == [event.seq for event in reversed(own)]
    assert foreign
    assert str(alice.organization.pk) not in text_of(mallory.client().get(f"{PATH}?format=jsonl"))


def test_pages_by_seq(alice: Person) -> None:
    some_events(alice, 7)
    client = alice.client()
    found: list[int] = []
    path: str | None = f"{PATH}?page_size=3&action=config."
    with CaptureQueriesContext(
        connection,
    ) as first:
        client.get(path)
    while path:
        with CaptureQueriesContext(connection) as each:
            page = client.get(path).json()
        assert len(each) <= len(first)
        found += [row["seq"] for row in page["results"]]
        path = page["next"]
    assert found == sorted(found, reverse=True)
    assert len(found) == 7
    assert client.get(f"{PATH}?cursor=cD1ub25zZW5zZQ==").status_code == 404


def test_a_page_takes_the_same_queries_whatever_its_length(alice: Person) -> None:
    client = alice.client()
    client.get(PATH)  # notes when its token was used
    counts = []
    for number in (1, 30):
        some_events(alice, number)
        with CaptureQueriesContext(connection) as queries:
            client.get(PATH)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 3


def test_filters(alice: Person, bob: Person) -> None:
    organization = alice.organization.pk
    by = Actor(alice.caller.user.username, alice.user.pk, "nightly", "203.0.113.7")
    first = record("config.created", actor=by, organization=organization, object=("config", "7", "OpenAI production"))
    second = record("login.failed", actor=SYSTEM, organization=organization, outcome=Outcome.REFUSED)
    third = record("token.created", actor=Actor.of(bob.caller), organization=organization, object=("token", "9", "100%"))
    client = alice.client()
    for query, expected in {
        "q=production": [first],
        "q=203.0.113.7": [first],
        "q=nightly": [first],
        "q=100%25": [third],
        "q=%25": [third],
        f"q={second.pk}": [second],
        f"q={second.hash}": [second],
        f"actor={bob.user.pk}": [third],
        "actor=system": [second],
        "action=config.,token.": [third, first],
        "action=login.failed": [second],
        "outcome=refused": [second],
        "object=config:7": [first],
        "object=token": [third],
        "actor=alice&outcome=refused": [],
    }.items():
        assert seqs(client, query) == [event.seq for event in expected], query
    today, tomorrow = timezone.now().date(), timezone.now().date() + timedelta(days=1)
    assert first.seq in seqs(client, f"from={today}&to={today}")
    assert seqs(client, f"from={tomorrow}") == []
    assert seqs(client, "to=2020-01-01") == []
    assert seqs(client, f"to={second.at.isoformat().replace('+', '%2B')}")[0] == first.seq


@pytest.mark.parametrize(
    "query", ["from=yesterday", "to=2026-13-01", "outcome=maybe", "q=" + "x" * 201, "q=%00", "from=9999-12-31T99:00:00Z"]
)
def test_a_filter_that_makes_no_sense_is_told(alice: Person, query: str) -> None:
    answer = alice.client().get(f"{PATH}?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] == query.partition("=")[0]


def test_promise_34_a_csv_export_has_no_formulas_and_is_recorded(alice: Person, carol: Person) -> None:
    about = ("config", "7", "=cmd|' /C calc'!A0")
    record("config.created", actor=Actor.of(alice.caller), organization=alice.organization.pk, object=about, details={"a": "ä,\n"})
    answer = carol.client().get(f"{PATH}?format=csv&action=config.")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Cache-Control"] == "no-store"
    assert answer["Content-Disposition"] == f'attachment; filename="audit-{timezone.now():%Y-%m-%d}.csv"'
    rows = list(csv.DictReader(io.StringIO(text_of(answer), newline="")))
    assert rows[0]["object_label"] == "'=cmd|' /C calc'!A0"
    assert json.loads(rows[0]["details"]) == {"a": "ä,\n"}
    told = AuditEvent.objects.get(action="audit.exported")
    assert (told.actor, told.details) == ("carol", {"format": "csv", "events": len(rows), "filters": {"action": "config."}})


def test_a_json_lines_export_ends_with_the_event_that_tells_of_it(alice: Person) -> None:
    some_events(alice)
    answer = alice.client().get(PATH, {"format": "jsonl"})
    assert answer["Content-Type"] == "application/jsonl"
    rows = [json.loads(line) for line in text_of(answer).splitlines()]
    assert rows[-2]["action"] == "audit.exported"
    assert rows[0]["scope"] == "chain"
    with_filter = alice.client().get(PATH, {"format": "jsonl", "q": "nothing like it"})
    assert json.loads(text_of(with_filter).splitlines()[0])["scope"] == "filtered"
    assert alice.client().get(PATH, {"format": "xml"}).status_code == 404


def test_promise_34_verifying(alice: Person, valkey: str) -> None:
    client = alice.client()
    before = client.get(f"{PATH}/verify").json()
    assert (before["intact"], before["at"], before["problems"]) == (None, None, [])
    events = some_events(alice)
    answer = client.post(f"{PATH}/verify")
    assert answer.status_code == 200
    found = answer.json()
    assert (found["intact"], found["first_seq"], found["complete"], found["problems"]) == (True, 1, True, [])
    assert found["events"] == found["last_seq"] + 1  # the verification is one, too
    kept = client.get(f"{PATH}/verify").json()
    assert {**kept, "events": 0} == {**found, "events": 0}
    tamper(events[1], actor="bob")
    broken = client.post(f"{PATH}/verify").json()
    assert (broken["intact"], broken["problems"][0]["seq"]) == (False, 2)
    assert list(AuditEvent.objects.filter(action="audit.verified").order_by("seq").values_list("outcome", flat=True)) == [
        "allowed",
        "failed",
    ]
    assert client.post(f"{PATH}/verify", {"x": 1}).status_code == 400


def test_one_verification_of_a_chain_at_a_time(alice: Person, mallory: Person, valkey: str) -> None:
    cache.set(f"audit:{alice.organization.pk}:verifying", 1, 10)
    assert alice.client().post(f"{PATH}/verify").json()["errors"][0]["code"] == "already_verifying"
    assert mallory.client().post(f"{PATH}/verify").status_code == 200


def refusals(of: Person) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(chain=of.organization.pk, action="access.refused").order_by("seq"))


def test_what_is_refused_is_recorded(alice: Person, bob: Person) -> None:
    client = bob.client()
    assert client.post("/api/models", {}).status_code == 403  # by the gate
    assert (
        client.post("/api/user/services", {"display_name": "X", "url": "https://x.example", "shared": True}).status_code == 403
    )  # by a service
    assert client.get(PATH).status_code == 403
    gate, service, read = refusals(alice)
    assert (gate.actor, gate.token, gate.outcome, gate.object_label) == ("bob", "test", "refused", "POST /api/models")
    assert gate.details == {"method": "POST", "path": "/api/models", "code": "permission_denied", "role": "member", "needs": "share"}
    assert service.details["path"] == "/api/user/services"
    assert read.details["needs"] == "read the audit trail"


def test_reading_what_one_may_not_see_anyway_is_no_event(alice: Person) -> None:
    viewer = person("dave", alice.organization, Role.VIEWER).client()
    assert viewer.get("/api/conversations").status_code == 403
    assert refusals(alice) == []


def test_a_stranger_writes_nothing(db: None) -> None:
    from rest_framework.test import APIClient

    before = AuditEvent.objects.count()
    assert APIClient().post("/api/models", {}).status_code == 401
    User.objects.filter(username="nobody").delete()
    assert AuditEvent.objects.count() == before


def test_a_client_that_tries_without_end_does_not_flood_the_trail(alice: Person, bob: Person) -> None:
    client = bob.client()
    for _ in range(PER_MINUTE + 5):
        client.post("/api/models", {})
    found = refusals(alice)
    assert len(found) == PER_MINUTE
    assert "not recorded" in found[-1].details["more"]
    tamper(found[0], at=timezone.now() - timedelta(minutes=2))
    client.post("/api/models", {})
    assert len(refusals(alice)) == PER_MINUTE + 1


def test_promise_34_a_path_that_no_database_keeps_does_not_hide_a_refusal(alice: Person, bob: Person) -> None:
    """Postgres takes no NUL: whoever put one in a path was refused unrecorded."""
    viewer = person("dave", alice.organization, Role.VIEWER).client()
    for name in ("a%00b", "x" * 400):
        assert viewer.patch(f"/api/user/services/{bob.organization.pk}/tools/{name}", {}, format="json").status_code == 403
    first, second = refusals(alice)
    assert first.details["path"].endswith("/tools/ab")
    assert (len(second.object_label), len(second.details["path"])) == (200, 300)


def test_however_much_a_person_did_before_few_events_are_read_for_a_refusal(alice: Person, bob: Person) -> None:
    bob.client().post("/api/models", {})
    with CaptureQueriesContext(connection) as asked:
        bob.client().post("/api/models", {})
    read = next(each["sql"] for each in asked if each["sql"].startswith("SELECT") and 'FROM "llmconfig_auditevent"' in each["sql"])
    conditions = read.partition("WHERE")[2]
    assert "LIMIT 400" in conditions
    assert '"action"' not in conditions
    assert '"at"' not in conditions


def test_a_refusal_is_answered_though_it_cannot_be_recorded(alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import DatabaseError

    from llmconfig.tenancy.audit import refusals as module

    def fails(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("full")

    monkeypatch.setattr(module, "record", fails)
    assert bob.client().post("/api/models", {}).status_code == 403


def test_the_page_is_for_those_who_may_read(alice: Person, bob: Person, carol: Person, client: Any) -> None:
    assert client.get("/audit/").url.startswith("/accounts/login/")
    client.force_login(carol.user)
    page = client.get("/audit/")
    assert page.status_code == 200
    assert 'aria-current="page"' in page.content.decode()
    client.force_login(bob.user)
    refused = client.get("/audit/")
    assert refused.status_code == 403
    assert "for auditors, admins and owners" in refused.content.decode()
    assert 'href="/audit/"' not in client.get("/").content.decode()
