"""How long a session lasts: so long without a request, and so long at most; and what is written when one is ended from elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver

from llmconfig.services.signin_events import record_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from django.http import HttpRequest, HttpResponse

_BEGAN, _SEEN = "session_began", "session_seen"
_NOTE_EVERY_S: Final = 60


class SessionAges:
    """An old session is emptied before a view sees it. Its last use is noted once a minute, not with every request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            _hold_to_age(request)
        return self._get_response(request)


def _hold_to_age(request: HttpRequest) -> None:
    session = request.session
    if SESSION_KEY not in session:
        return
    now = int(time.time())
    began, seen = session.get(_BEGAN), session.get(_SEEN)
    if began is None or seen is None:  # of a session that began before this was kept
        session[_BEGAN], session[_SEEN] = now, now
    elif now - began > settings.SESSION_MAX_S or now - seen > settings.SESSION_IDLE_S:
        session.flush()
        vars(request).pop("_cached_user", None)
    elif now - seen >= _NOTE_EVERY_S:
        session[_SEEN] = now


@receiver(user_logged_in, dispatch_uid="llmconfig.session_begins")
def _begins(sender: Any, request: HttpRequest, **kwargs: Any) -> None:
    request.session[_BEGAN] = request.session[_SEEN] = int(time.time())


class UserSessionsAdapter(DefaultUserSessionsAdapter):  # type: ignore[misc]  # no stubs
    def end_sessions(self, sessions: Iterable[Any]) -> None:
        from allauth.core import context  # noqa: PLC0415  # the request that ends them

        for session in sessions:
            super().end_sessions([session])
            record_for(session.user, "session.ended", context.request, details={"ip": session.ip, "browser": session.user_agent[:120]})
