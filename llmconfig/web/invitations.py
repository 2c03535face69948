"""The pages of an invitation. Its link leads on to an address without the secret, which no history, Referer or session then holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from llmconfig.models import Membership, User
from llmconfig.services.invitations import digest_of
from llmconfig.services.joining import accept_invitation, open_invitation
from llmconfig.tenancy.caller import SESSION_ORGANIZATION, ip_of
from llmconfig.tenancy.errors import ServiceError

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from llmconfig.models import Invitation

_DIGEST: Final = "invitation"
_PROBLEM: Final = "invitation_problem"


@require_safe
@never_cache
def open_link(request: HttpRequest, value: str) -> HttpResponse:
    """The session keeps what the database keeps: the digest."""
    request.session[_DIGEST] = digest_of(value)
    request.session.pop(_PROBLEM, None)
    response = redirect("join")
    response["Referrer-Policy"] = "no-referrer"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def invitation(request: HttpRequest) -> HttpResponse:
    """Says who invites to what; a member-to-be accepts by POST, an anonymous reader signs in or up first."""
    problem = request.session.pop(_PROBLEM, "")
    found = None
    try:
        found = open_invitation(request.session.get(_DIGEST, ""))
        if request.method == "POST" and isinstance(request.user, User):
            accept_invitation(user=request.user, invitation=found, ip=ip_of(request), verified=verified_addresses(request.user))
            forget(request)
            request.session[SESSION_ORGANIZATION] = str(found.organization_id)
            return redirect("chat")
    except ServiceError as refused:
        problem = problem or refused.detail
    already = isinstance(request.user, User) and found is not None and _is_member(request.user, found)
    about = {"invitation": found, "problem": problem, "already": already}
    response = render(request, "account/invitation.html", about, status=200 if found and not problem else 410 if not found else 409)
    response["Referrer-Policy"] = "no-referrer"
    return response


def invitation_of(request: HttpRequest) -> Invitation | None:
    """The invitation whose link this browser opened, while it can be accepted."""
    digest = request.session.get(_DIGEST, "")
    try:
        return open_invitation(digest) if digest else None
    except ServiceError:
        return None


def forget(request: HttpRequest) -> None:
    request.session.pop(_DIGEST, None)


def keep_problem(request: HttpRequest, detail: str) -> None:
    """What the page of the invitation shall say next."""
    request.session[_PROBLEM] = detail


def verified_addresses(user: User) -> list[str]:
    """Those that a provider of identities has vouched for."""
    from allauth.account.models import EmailAddress  # noqa: PLC0415  # models of another app

    return list(EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True))


def _is_member(user: User, found: Invitation) -> bool:
    return Membership.objects.filter(user=user, organization=found.organization_id).exists()
