"""/api/attachments: upload, list, bytes, delete; and that they are their owner's alone."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from agent.models import Attachment, Conversation
from llmconfig.tenancy.models import IdempotencyRecord, Role
from tests.agent import files
from tests.agent.rows import conversation_of
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

ALL = "/api/attachments"
FIELDS = {"id", "name", "media_type", "kind", "size", "width", "height", "created_at", "url"}


@pytest.fixture
def client(alice: Person) -> APIClient:
    return alice.client()


def upload(client: APIClient, data: bytes, filename: str = "file", *, declared: str = "text/html", key: str = "", **fields: Any) -> Any:
    body = {"file": SimpleUploadedFile(filename, data, content_type=declared), **fields}
    return client.post(ALL, body, format="multipart", headers={"Idempotency-Key": key} if key else {})


def error(response: Any) -> tuple[int, str, str | None]:
    (found,) = response.json()["errors"]
    return response.status_code, found["code"], found["attr"]


async def body_of(response: Any) -> bytes:
    return b"".join([chunk async for chunk in response])


def read(response: Any) -> bytes:
    from asgiref.sync import async_to_sync

    data: bytes = async_to_sync(body_of)(response)
    return data


def path_of(id: str) -> Path:
    return Path(storages["attachments"].path(Attachment.objects.get(id=id).path))


def test_a_file_is_uploaded_and_read_back(client: APIClient, alice: Person) -> None:
    data = files.png(20, 10)
    made = upload(client, data, "Plan of the house.png")
    assert made.status_code == 201
    row = made.json()
    assert set(row) == FIELDS
    assert (row["name"], row["media_type"], row["kind"], row["size"]) == ("Plan of the house.png", "image/png", "image", len(data))
    assert (row["width"], row["height"], row["url"]) == (20, 10, f"{ALL}/{row['id']}/content")
    assert client.get(f"{ALL}/{row['id']}").json() == row
    assert client.get(ALL).json()["results"] == [row]
    shown = client.get(row["url"])
    assert (shown.status_code, shown["Content-Type"], shown["Content-Length"]) == (200, "image/png", str(len(data)))
    assert read(shown) == data


def test_the_bytes_lie_where_only_their_organization_has_files_and_no_name_is_theirs(client: APIClient, alice: Person) -> None:
    path = path_of(upload(client, files.png(), "../../etc/passwd").json()["id"])
    assert path.parent.name == str(alice.organization.pk)
    assert "passwd" not in path.name
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert [stat.S_IMODE(os.stat(folder).st_mode) for folder in (path.parent, path.parent.parent)] == [0o700, 0o700]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\alice\\photo.png", "photo.png"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("Screenshot at 5.04\u202fPM.png", "Screenshot at 5.04 PM.png"),
        ("x" * 250, "x" * 180 + "…" + "x" * 19),
        ("...", "image.png"),
    ],
)
def test_a_name_is_only_shown(client: APIClient, given: str, shown: str) -> None:
    assert upload(client, files.png(), "f", name=given).json()["name"] == shown


def test_what_a_page_is_shown_can_run_nothing(client: APIClient) -> None:
    for data, name, disposition in (
        (files.png(), "a.png", 'inline; filename="a.png"'),
        (files.PDF, "ä.pdf", "inline; filename*=utf-8''%C3%A4.pdf"),
        (b"<script>alert(1)</script>", "a.html", 'attachment; filename="a.html"'),
        (files.brand(b"isom"), "a.mp4", 'attachment; filename="a.mp4"'),
    ):
        shown = client.get(upload(client, data, name).json()["url"])
        read(shown)
        assert shown["Content-Disposition"] == disposition
        assert shown["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in shown["Content-Security-Policy"]
        assert "default-src 'none'" in shown["Content-Security-Policy"]
        assert "html" not in shown["Content-Type"]
        assert shown["Cache-Control"] == "private, no-cache"


def test_the_document_says_that_the_bytes_are_of_any_type(client: APIClient) -> None:
    paths = client.get("/api/schema/", headers={"Accept": "application/json"}).json()["paths"]
    assert list(paths["/api/attachments/{id}/content"]["get"]["responses"]["200"]["content"]) == ["*/*"]


def test_a_browser_asks_again_and_is_told_that_nothing_changed(client: APIClient) -> None:
    url = upload(client, files.png()).json()["url"]
    first = client.get(url)
    read(first)
    again = client.get(url, headers={"If-None-Match": first["ETag"], "Accept": "image/avif"})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("data", "name", "code", "words"),
    [
        (b"", "a.png", "empty", "“a.png” is empty"),
        (b"PK\x03\x04" + bytes(60), "photo.png", "unsupported_type", "Send a PNG"),
        (files.png(0, 0), "a.png", "damaged", "“a.png” is a damaged image"),
    ],
)
def test_what_is_not_taken_is_refused_in_words(client: APIClient, data: bytes, name: str, code: str, words: str) -> None:
    refused = upload(client, data, name, declared="image/png")
    assert error(refused) == (400, code, "file")
    assert words in refused.json()["errors"][0]["detail"]
    assert not Attachment.objects.exists()


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("image", files.png() + bytes(2000), "an image may have 1.0 KB"),
        ("text", b"x" * 2000, "a text file may have 1.0 KB"),
        ("document", files.PDF + bytes(2000), "a document may have 1.0 KB"),
        ("video", files.brand(b"isom") + bytes(2000), "a video may have 1.0 KB"),
    ],
)
def test_each_kind_has_its_limit(client: APIClient, settings: Any, kind: str, data: bytes, words: str) -> None:
    settings.MAX_BYTES = settings.MAX_BYTES | {kind: 1024}
    refused = upload(client, data, "big")
    assert error(refused) == (413, "too_large", None)
    assert words in refused.json()["errors"][0]["detail"]


def test_nothing_larger_than_the_largest_is_even_looked_at(client: APIClient, settings: Any) -> None:
    settings.MAX_BYTES = dict.fromkeys(settings.MAX_BYTES, 100)
    refused = upload(client, b"PK" + bytes(200))
    assert error(refused) == (413, "too_large", None)


def test_an_image_of_few_bytes_and_many_pixels_is_refused(client: APIClient) -> None:
    refused = upload(client, files.png(100_000, 100_000))
    assert error(refused) == (413, "too_large", None)
    assert "100,000 by 100,000 pixels; 50 million" in refused.json()["errors"][0]["detail"]


def test_an_organization_has_so_much_room(client: APIClient, bob: Person, settings: Any) -> None:
    settings.ATTACHMENTS_QUOTA = 1000
    assert upload(client, b"x" * 800).status_code == 201
    refused = upload(bob.client(), b"y" * 800)
    assert error(refused) == (409, "storage_full", None)
    assert "0.8 KB of 1.0 KB" in refused.json()["errors"][0]["detail"]
    assert upload(client, b"x" * 800).status_code == 201  # which are there already
    settings.ATTACHMENTS_QUOTA = 0
    assert upload(bob.client(), b"y" * 800).status_code == 201


def test_the_same_bytes_are_kept_once_for_an_owner(client: APIClient, bob: Person) -> None:
    first, second = (upload(client, files.PDF, name).json() for name in ("one.pdf", "two.pdf"))
    assert (first["id"], second["name"]) == (second["id"], "two.pdf")
    other = upload(bob.client(), files.PDF).json()
    assert other["id"] != first["id"]
    assert path_of(other["id"]) != path_of(first["id"])
    assert len(list(path_of(first["id"]).parent.iterdir())) == 2


def test_bytes_that_the_storage_lost_come_back_with_the_next_upload(client: APIClient) -> None:
    row = upload(client, files.PDF).json()
    path_of(row["id"]).unlink()
    assert error(client.get(row["url"])) == (404, "content_gone", None)
    upload(client, files.PDF)
    assert read(client.get(row["url"])) == files.PDF


def test_an_idempotency_key_is_bound_to_the_bytes(client: APIClient) -> None:
    first = upload(client, files.PDF, key="k")
    again = upload(client, files.PDF, key="k")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert error(upload(client, files.png(), key="k"))[:2] == (409, "idempotency_mismatch")
    assert Attachment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_request_that_fails_after_writing_leaves_no_file(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    from llmconfig.tenancy.rest import idempotency

    def broken(*_: Any) -> None:
        raise ValueError("no answer can be kept")

    monkeypatch.setattr(idempotency, "_store", broken)
    client = alice.client()
    client.raise_request_exception = False
    assert upload(client, files.PDF, key="k").status_code == 500
    folder = Path(storages["attachments"].path(str(alice.organization.pk)))
    assert list(folder.iterdir()) == []
    assert not Attachment.objects.exists()
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.parametrize(
    ("body", "format", "status", "code"),
    [
        ({"file": "no file"}, "multipart", 400, "invalid"),
        ({}, "multipart", 400, "required"),
        ({"file": "x"}, "json", 415, "unsupported_media_type"),
    ],
)
def test_only_a_file_is_an_upload(client: APIClient, body: Any, format: str, status: int, code: str) -> None:
    response = client.post(ALL, body, format=format)
    assert error(response)[:2] == (status, code)


def test_a_request_without_a_body_is_told_what_it_lacks(client: APIClient) -> None:
    assert error(client.post(ALL)) == (400, "required", "file")


def test_a_second_file_is_refused_and_not_dropped(client: APIClient) -> None:
    both = [SimpleUploadedFile("a.txt", b"one"), SimpleUploadedFile("b.txt", b"two")]
    assert error(client.post(ALL, {"file": both}, format="multipart")) == (400, "invalid", "file")
    assert error(client.post(ALL, {"file": both[0], "name": ["a", "b"]}, format="multipart")) == (400, "invalid", "name")
    assert not Attachment.objects.exists()


def test_unknown_fields_are_refused(client: APIClient) -> None:
    assert error(upload(client, files.PDF, owner="mallory")) == (400, "unknown_field", "owner")


@pytest.mark.django_db(transaction=True)
def test_a_file_goes_with_its_row(alice: Person) -> None:
    client = alice.client()
    id = upload(client, files.PDF).json()["id"]
    path = path_of(id)
    assert client.delete(f"{ALL}/{id}").status_code == 204
    assert not path.exists()
    assert client.get(f"{ALL}/{id}").status_code == 404
    assert client.delete(f"{ALL}/{id}").status_code == 404


def test_one_that_a_message_names_stays(client: APIClient, alice: Person) -> None:
    id = upload(client, files.PDF).json()["id"]
    conversation_of(alice).attachments.add(id)
    assert error(client.delete(f"{ALL}/{id}")) == (409, "in_use", None)
    assert Conversation.objects.get().attachments.count() == 1


def test_they_are_their_owners_alone(client: APIClient, alice: Person, bob: Person, mallory: Person) -> None:
    row = upload(client, files.PDF).json()
    admin = person("admin", alice.organization, Role.ADMIN)
    for other in (bob, mallory, admin):
        stranger = other.client()
        one = f"{ALL}/{row['id']}"
        assert [stranger.get(one).status_code, stranger.get(row["url"]).status_code, stranger.delete(one).status_code] == [404] * 3
        assert stranger.get(ALL).json()["results"] == []
    assert client.get(f"{ALL}/{uuid4()}").status_code == 404


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR])
def test_who_only_looks_uploads_nothing(alice: Person, role: Role) -> None:
    assert upload(person("looker", alice.organization, role).client(), files.PDF).status_code == 403


def test_a_token_that_may_only_read_uploads_and_deletes_nothing(alice: Person, client: APIClient) -> None:
    row = upload(client, files.PDF).json()
    reader = alice.client(["read"])
    assert reader.get(ALL).status_code == 200
    assert [upload(reader, files.png()).status_code, reader.delete(f"{ALL}/{row['id']}").status_code] == [403, 403]


def test_nobody_is_asked_to_sign_in() -> None:
    assert upload(APIClient(), files.PDF).status_code == 401


def test_a_browser_uploads_with_its_session(alice: Person) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(alice.user)
    assert upload(client, files.PDF).status_code == 403
    client.get("/")
    client.credentials(HTTP_X_CSRFTOKEN=client.cookies["csrftoken"].value)
    made = upload(client, files.PDF)
    assert made.status_code == 201
    assert read(client.get(made.json()["url"])) == files.PDF


def test_they_come_newest_first_in_pages_at_one_cost(client: APIClient, django_assert_max_num_queries: Any) -> None:
    made = [upload(client, b"x" * size).json()["id"] for size in range(1, 6)]
    with django_assert_max_num_queries(4):
        page = client.get(ALL, {"page_size": 2}).json()
    seen = [row["id"] for row in page["results"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        seen += [row["id"] for row in page["results"]]
    assert seen == made[::-1]


def test_a_storage_that_is_full_or_closed_is_told_as_such_and_leaves_nothing_behind(
    client: APIClient, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills up takes the beginning of a file."""
    storage = storages["attachments"]

    def fills_up(name: str, content: Any) -> str:
        Path(storage.path(name)).parent.mkdir(parents=True, exist_ok=True)
        Path(storage.path(name)).write_bytes(content.read(10))
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "_save", fills_up)
        response = upload(client, files.png(), key="once")
    assert error(response) == (503, "unavailable", None)
    assert int(response["Retry-After"]) > 0
    assert not Attachment.objects.exists()
    assert list(Path(storage.path(str(alice.organization.pk))).iterdir()) == []
    assert upload(client, files.png(), key="once").status_code == 201


def test_bytes_that_cannot_be_read_now_are_not_gone(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    uploaded = upload(client, files.png()).json()
    monkeypatch.setattr(storages["attachments"], "_open", Mock(side_effect=PermissionError))
    assert error(client.get(uploaded["url"])) == (503, "unavailable", None)
