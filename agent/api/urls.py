"""The agent's part of /api/."""

from __future__ import annotations

from django.urls import path

from agent.api import attachments, conversations, dependents, runs, services

urlpatterns = [
    path("attachments", attachments.Attachments.as_view()),
    path("attachments/<uuid:id>", attachments.OneAttachment.as_view()),
    path("attachments/<uuid:id>/content", attachments.Content.as_view()),
    path("conversations", conversations.Conversations.as_view()),
    path("conversations/<uuid:id>", conversations.OneConversation.as_view()),
    path("conversations/<uuid:id>/messages", conversations.Messages.as_view()),
    path("runs/<uuid:id>", runs.OneRun.as_view()),
    path("runs/<uuid:id>/cancel", runs.CancelRun.as_view()),
    path("runs/<uuid:id>/events", runs.RunEvents.as_view()),
    path("tool-calls/<uuid:id>/approve", runs.ApproveCall.as_view()),
    path("tool-calls/<uuid:id>/deny", runs.DenyCall.as_view()),
    path("tool-calls/<uuid:id>/resolve", runs.ResolveCall.as_view()),
    path("user/llm-config/<uuid:id>/usage", dependents.ConfigUsage.as_view()),
    path("user/services", services.Services.as_view()),
    path("user/services/<uuid:id>", services.OneService.as_view()),
    path("user/services/<uuid:id>/test", services.TestService.as_view()),
    path("user/services/<uuid:id>/tools", services.Tools.as_view()),
    path("user/services/<uuid:id>/tools/<path:name>/approve", services.ApproveTool.as_view()),
    path("user/services/<uuid:id>/tools/<path:name>", services.OneTool.as_view()),
    path("user/services/<uuid:id>/grants", services.Grants.as_view()),
    path("user/services/<uuid:id>/grants/<uuid:grant>", services.OneGrant.as_view()),
]
