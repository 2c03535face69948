"""Addresses of the chat and services pages."""

from __future__ import annotations

from django.urls import path

from agent.web import views
from llmconfig.tenancy.rest import paths  # noqa: F401  # <id:...>

urlpatterns = [
    path("", views.chat, name="chat"),
    path("c/<id:conversation_id>/", views.chat, name="conversation"),
    path("settings/services/", views.services, name="settings-services"),
]
