"""Attachments as rows: kept once, used by conversations, swept when nothing uses them, and the file with the row."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection
from django.utils import timezone

from agent.models import Attachment
from agent.services.attachments import create_attachment, delete_unused, keep_file, sweep_attachments, use_attachments
from agent.services.conversations import delete_conversation
from agent.services.uploads import receive_file
from agent.tasks import sweep_attachments as task
from llmconfig.tenancy.errors import Conflict, Invalid
from tests.agent import files
from tests.agent.rows import conversation_of

if TYPE_CHECKING:
    from tests.llmconfig.people import Person


def attached(person: Person, data: bytes = files.PDF, name: str = "a.pdf") -> Attachment:
    return create_attachment(caller=person.caller, file=ContentFile(data), name=name)


def received(person: Person, data: bytes = files.PDF) -> Any:
    return receive_file(ContentFile(data), organization_id=person.organization.pk, owner_id=person.user.pk, name="a.pdf")


def path_of(attachment: Attachment) -> Path:
    return Path(storages["attachments"].path(attachment.path))


def files_of(person: Person) -> list[Path]:
    folder = Path(storages["attachments"].path(str(person.organization.pk)))
    return list(folder.iterdir()) if folder.exists() else []


def test_a_row_does_not_say_its_name_where_others_read(alice: Person) -> None:
    row = attached(alice, name="Notice of termination.pdf")
    assert str(row) == str(row.id)


def test_the_same_bytes_that_come_twice_at_once_are_one_row_and_one_file(alice: Person) -> None:
    first, second = received(alice), received(alice)
    rows = keep_file(first), keep_file(second)
    assert rows[0].id == rows[1].id
    assert files_of(alice) == [path_of(rows[0])]


def test_bytes_whose_row_goes_meanwhile_are_asked_for_again(alice: Person) -> None:
    attached(alice)
    known = received(alice)
    Attachment.objects.all().delete()
    with pytest.raises(Conflict):
        keep_file(known)


@pytest.mark.django_db(transaction=True)
def test_a_conversation_takes_along_what_nothing_else_uses(alice: Person) -> None:
    mine, ours, spare = attached(alice, b"mine"), attached(alice, b"ours"), attached(alice, b"spare")
    first, second = conversation_of(alice), conversation_of(alice)
    use_attachments_in(first, mine, ours)
    use_attachments_in(second, ours)
    delete_conversation(caller=alice.caller, conversation=first)
    assert set(Attachment.objects.all()) == {ours, spare}
    assert not path_of(mine).exists()
    delete_conversation(caller=alice.caller, conversation=second)
    assert set(Attachment.objects.all()) == {spare}


def use_attachments_in(conversation: Any, *rows: Attachment) -> None:
    from django.db import transaction

    with transaction.atomic():
        use_attachments([row.id for row in rows], conversation)


def test_only_ones_own_files_are_used(alice: Person, bob: Person) -> None:
    with pytest.raises(Invalid):
        use_attachments_in(conversation_of(alice), attached(bob))


@pytest.mark.django_db(transaction=True)
def test_files_go_with_their_owner(alice: Person) -> None:
    row = attached(alice)
    alice.user.delete()
    assert not path_of(row).exists()


def test_what_was_rolled_back_keeps_its_file(alice: Person, django_capture_on_commit_callbacks: Any) -> None:
    row = attached(alice)
    with django_capture_on_commit_callbacks(execute=False) as later:
        row.delete()
    assert path_of(row).exists()
    assert len(later) == 1
    later[0]()
    assert not path_of(row).exists()


def test_a_storage_that_fails_does_not_fail_the_deletion(
    alice: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
) -> None:
    def away(*_: Any) -> None:
        raise OSError("the bucket is away")

    row = attached(alice)
    monkeypatch.setattr(storages["attachments"], "delete", away)
    with django_capture_on_commit_callbacks(execute=True):
        row.delete()
    assert row.path in caplog.text


def test_the_sweep_takes_what_no_message_used_for_a_day(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    from agent.services import attachments

    monkeypatch.setattr(attachments, "_SWEPT_AT_ONCE", 2)
    old, fresh, used = [attached(alice, b"old %d" % number) for number in range(5)], attached(alice, b"fresh"), attached(alice, b"used")
    used.conversations.add(conversation_of(alice))
    Attachment.objects.exclude(id=fresh.id).update(used_at=timezone.now() - timedelta(hours=25))
    assert sweep_attachments() == len(old)
    assert set(Attachment.objects.all()) == {fresh, used}
    task()
    assert Attachment.objects.count() == 2


def test_bytes_that_are_sent_again_are_not_swept(alice: Person) -> None:
    row = attached(alice)
    Attachment.objects.update(used_at=timezone.now() - timedelta(hours=25))
    known = received(alice)
    assert sweep_attachments() == 0
    assert keep_file(known).id == row.id


@pytest.mark.django_db(transaction=True)
def test_a_file_that_another_message_takes_up_at_the_same_moment_is_not_deleted(alice: Person) -> None:
    """delete_unused locks before it looks: whoever names the file meanwhile comes before, or finds it gone."""
    row, conversation = attached(alice), conversation_of(alice)
    outcomes: list[str] = []

    def name_it() -> None:
        try:
            use_attachments_in(conversation, row)
            outcomes.append("used")
        except Invalid:
            outcomes.append("gone")
        finally:
            connection.close()

    def drop_it() -> None:
        from django.db import transaction

        try:
            with transaction.atomic():
                delete_unused([row.id])
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for work in (name_it, drop_it)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Attachment.objects.filter(id=row.id).exists() == (outcomes == ["used"])
    assert path_of(row).exists() == (outcomes == ["used"])


def test_the_same_bytes_of_another_person_are_another_file(alice: Person, bob: Person) -> None:
    assert attached(alice).path != attached(bob).path
