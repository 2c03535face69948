"""Addresses of configs, providers, models and tokens, under /api/."""

from __future__ import annotations

from django.urls import path

from llmconfig.api import catalogue, configs, tokens

urlpatterns = [
    path("user/llm-config", configs.ConfigList.as_view(), name="configs"),
    path("user/llm-config/test", configs.ConfigTest.as_view(), name="config-test"),
    path("user/llm-config/<uuid:id>", configs.ConfigDetail.as_view(), name="config"),
    path("user/llm-config/<uuid:id>/restore-key", configs.ConfigRestoreKey.as_view(), name="config-restore-key"),
    path("user/llm-config/<uuid:id>/retired-keys", configs.ConfigRetiredKeys.as_view(), name="config-retired-keys"),
    path("user/llm-config/<uuid:id>/models/refresh", catalogue.ModelRefresh.as_view(), name="config-models-refresh"),
    path("providers", catalogue.ProviderList.as_view(), name="providers"),
    path("models", catalogue.ModelList.as_view(), name="models"),
    path("models/<uuid:id>", catalogue.ModelDetail.as_view(), name="model"),
    path("tokens", tokens.TokenList.as_view(), name="tokens"),
    path("tokens/<uuid:id>", tokens.TokenDetail.as_view(), name="token"),
]
