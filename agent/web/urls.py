"""Addresses of the chat and services pages."""

from __future__ import annotations

from django.urls import path

from agent.web import views

urlpatterns = [
    path("", views.chat, name="chat"),
    path("c/<uuid:conversation_id>/", views.chat, name="conversation"),
    path("settings/services/", views.services, name="settings-services"),
]
