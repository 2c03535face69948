"""Addresses under /organization/."""

from __future__ import annotations

from django.urls import path

from llmconfig.web import people

urlpatterns = [
    path("", people.organization, name="organization"),
    path("new/", people.found, name="organization-new"),
    path("switch/", people.switch, name="organization-switch"),
]
