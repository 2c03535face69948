"""Addresses under /settings/ that are about providers."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from llmconfig.web import views

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="settings-providers"), name="settings"),
    path("providers/", views.providers, name="settings-providers"),
]
