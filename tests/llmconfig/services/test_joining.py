"""An invitation is taken once, with its role, by whom it was meant for."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.utils import timezone

from llmconfig.services.invitations import digest_of
from llmconfig.services.joining import accept_invitation, open_invitation
from llmconfig.tenancy.audit import AuditEvent
from llmconfig.tenancy.errors import Conflict, Forbidden, NotFound
from llmconfig.tenancy.models import Invitation, Membership, Role
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from tests.llmconfig.people import Person


def invite(organizer: Person, **fields: Any) -> Invitation:
    given: dict[str, Any] = {"role": Role.MEMBER, "digest": digest_of("value"), "expires_at": timezone.now() + timedelta(days=7)}
    return Invitation.objects.create(organization=organizer.organization, **{**given, **fields})


def test_a_member_joins_with_the_role_and_it_is_told(alice: Person, mallory: Person) -> None:
    invitation = invite(alice, role=Role.AUDITOR)
    membership = accept_invitation(user=mallory.user, invitation=open_invitation(digest_of("value")), ip="192.0.2.1")
    assert (membership.organization, membership.role) == (alice.organization, Role.AUDITOR)
    invitation.refresh_from_db()
    assert invitation.accepted_by == mallory.user
    event = AuditEvent.objects.get(chain=alice.organization.pk)
    assert (event.action, event.actor, event.ip, event.details) == (
        "member.joined",
        "mallory",
        "192.0.2.1",
        {"role": "auditor", "how": "invitation"},
    )


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"accepted_at": timezone.now()}, "invitation_used"),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "invitation_expired"),
    ],
)
def test_a_link_that_is_over_says_why(alice: Person, mallory: Person, fields: dict[str, Any], code: str) -> None:
    invitation = invite(alice, **fields)
    with pytest.raises(Conflict) as refused:
        open_invitation(invitation.digest)
    assert refused.value.code == code
    with pytest.raises(Conflict):
        accept_invitation(user=mallory.user, invitation=invitation)
    assert not Membership.objects.filter(user=mallory.user, organization=alice.organization).exists()


def test_a_withdrawn_link_is_not_found(alice: Person) -> None:
    with pytest.raises(NotFound, match="withdrawn"):
        open_invitation(digest_of("never"))


def test_a_member_keeps_the_role_and_the_link_its_use(alice: Person, bob: Person) -> None:
    invitation = invite(alice, role=Role.ADMIN)
    with pytest.raises(Conflict, match="already"):
        accept_invitation(user=bob.user, invitation=invitation)
    invitation.refresh_from_db()
    assert invitation.accepted_at is None
    assert Membership.objects.get(user=bob.user).role == Role.MEMBER


@pytest.mark.parametrize(("verified", "allowed"), [([], True), (["Bob@meridian.example"], True), (["mallory@elsewhere.example"], False)])
def test_an_invitation_for_an_address_knows_the_verified_ones(alice: Person, mallory: Person, verified: list[str], allowed: bool) -> None:
    invitation = invite(alice, email="bob@meridian.example")
    if allowed:
        accept_invitation(user=mallory.user, invitation=invitation, verified=verified)
    else:
        with pytest.raises(Forbidden, match=r"for bob@meridian\.example"):
            accept_invitation(user=mallory.user, invitation=invitation, verified=verified)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_take_it_at_once_one_does(transactional_db: None) -> None:
    alice = person("alice")
    people = [person(f"guest{number}") for number in range(6)]
    invitation, together, results = invite(alice), Barrier(len(people)), []

    def take(user: Any) -> None:
        try:
            together.wait()
            accept_invitation(user=user, invitation=invitation)
            results.append("joined")
        except Conflict as refused:
            results.append(refused.code)
        finally:
            connection.close()

    threads = [Thread(target=take, args=[each.user]) for each in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["invitation_used"] * 5 + ["joined"]
    assert Membership.objects.filter(organization=alice.organization).count() == 2
