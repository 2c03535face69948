"""Addresses of configs, providers, models, organizations, tokens and the audit trail, under /api/."""

from __future__ import annotations

from django.urls import path

from llmconfig.api import audit, catalogue, configs, key_rotation, members, organization, tokens
from llmconfig.tenancy.rest import paths  # noqa: F401  # <id:...>

urlpatterns = [
    path("user/llm-config", configs.ConfigList.as_view(), name="configs"),
    path("user/llm-config/test", configs.ConfigTest.as_view(), name="config-test"),
    path("user/llm-config/<id:id>", configs.ConfigDetail.as_view(), name="config"),
    path("user/llm-config/<id:id>/models/refresh", catalogue.ModelRefresh.as_view(), name="config-models-refresh"),
    path("user/llm-config/<id:id>/restore-key", configs.ConfigRestoreKey.as_view(), name="config-restore-key"),
    path("user/llm-config/<id:id>/retired-keys", configs.ConfigRetiredKeys.as_view(), name="config-retired-keys"),
    path("providers", catalogue.ProviderList.as_view(), name="providers"),
    path("models", catalogue.ModelList.as_view(), name="models"),
    path("models/<id:id>", catalogue.ModelDetail.as_view(), name="model"),
    path("organization", organization.OwnOrganization.as_view(), name="organization-api"),
    path("organization/switch", organization.SwitchOrganization.as_view(), name="organization-switch-api"),
    path("organization/members", members.Members.as_view(), name="members"),
    path("organization/members/<id:id>", members.OneMember.as_view(), name="member"),
    path("organization/invitations", members.Invitations.as_view(), name="invitations"),
    path("organization/invitations/<id:id>", members.OneInvitation.as_view(), name="invitation"),
    path("organization/invitations/<id:id>/renew", members.RenewInvitation.as_view(), name="invitation-renew"),
    path("organizations", organization.Organizations.as_view(), name="organizations"),
    path("organization/rotate-keys", key_rotation.KeyRotation.as_view(), name="rotate-keys"),
    path("tokens", tokens.TokenList.as_view(), name="tokens"),
    path("tokens/<id:id>", tokens.TokenDetail.as_view(), name="token"),
    path("audit", audit.AuditTrail.as_view(), name="api-audit"),
    path("audit/verify", audit.AuditVerification.as_view(), name="api-audit-verify"),
]
