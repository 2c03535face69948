"""Django's admin, on a site that records what is done in it."""

from __future__ import annotations

from django.contrib.admin.apps import SimpleAdminConfig


class AuditedAdminConfig(SimpleAdminConfig):
    default_site = "llmconfig.tenancy.audit.admin.AuditedSite"
