"""Addresses under /settings/ that are about providers and tokens."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from llmconfig.web import people, views

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="settings-providers"), name="settings"),
    path("providers/", views.providers, name="settings-providers"),
    path("tokens/", people.tokens, name="settings-tokens"),
]
