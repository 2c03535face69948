"""The chat and services pages: shells whose data the browser reads from the REST API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from llmconfig.tenancy.caller import caller_of
from llmconfig.tenancy.pages import member_required

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

PROMPTS = (
    "Give me an overview of open tickets and customers",
    "What does the knowledge base say about refunds?",
    "Close ticket T-1031 (asks for your approval)",
)


@require_safe
@member_required
@ensure_csrf_cookie
def chat(request: HttpRequest, conversation_id: UUID | None = None) -> HttpResponse:
    """A new conversation, or the one named in the address; the API decides whether its reader may see it.

    Whoever's role has none is told what there is for them instead.
    """
    if not caller_of(request).has_own:
        return render(request, "chat/none.html", {"section": "chat"})
    return render(request, "chat/chat.html", {"section": "chat", "conversation_id": conversation_id, "prompts": PROMPTS})


@require_safe
@member_required
@ensure_csrf_cookie
def services(request: HttpRequest) -> HttpResponse:
    return render(request, "settings/services.html", {"section": "services"})
