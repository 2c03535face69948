"""The agent's part of /api/."""

from __future__ import annotations

from django.urls import path

from agent.api import attachments, conversations, dependents, runs, services
from llmconfig.tenancy.rest import paths  # noqa: F401  # <id:...>

urlpatterns = [
    path("attachments", attachments.Attachments.as_view()),
    path("attachments/<id:id>", attachments.OneAttachment.as_view()),
    path("attachments/<id:id>/content", attachments.Content.as_view()),
    path("conversations", conversations.Conversations.as_view()),
    path("conversations/<id:id>", conversations.OneConversation.as_view()),
    path("conversations/<id:id>/messages", conversations.Messages.as_view()),
    path("runs/<id:id>", runs.OneRun.as_view()),
    path("runs/<id:id>/cancel", runs.CancelRun.as_view()),
    path("runs/<id:id>/events", runs.RunEvents.as_view()),
    path("tool-calls/<id:id>/approve", runs.ApproveCall.as_view()),
    path("tool-calls/<id:id>/deny", runs.DenyCall.as_view()),
    path("tool-calls/<id:id>/resolve", runs.ResolveCall.as_view()),
    path("user/llm-config/<id:id>/usage", dependents.ConfigUsage.as_view()),
    path("user/services", services.Services.as_view()),
    path("user/services/<id:id>", services.OneService.as_view()),
    path("user/services/<id:id>/test", services.TestService.as_view()),
    path("user/services/<id:id>/tools", services.Tools.as_view()),
    path("user/services/<id:id>/tools/<path:name>/approve", services.ApproveTool.as_view()),
    path("user/services/<id:id>/tools/<path:name>", services.OneTool.as_view()),
    path("user/services/<id:id>/grants", services.Grants.as_view()),
    path("user/services/<id:id>/grants/<id:grant>", services.OneGrant.as_view()),
]
