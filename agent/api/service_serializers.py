"""Request bodies and answers of /api/user/services: services, their tools, grants."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from agent.api.serializers import ErrorOutput
from agent.models import Service, ServiceTool
from llmconfig.llm import Secret, is_mask, watch
from llmconfig.tenancy.rest.serializers import StrictSerializer


class SecretField(serializers.CharField):
    """Write-only text that becomes a Secret as soon as it is read."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(write_only=True, max_length=8192, style={"input_type": "password"}, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        text: str = super().to_internal_value(data)
        given = Secret("" if is_mask(text) else text)
        watch(given)
        return given


class ServiceInput(StrictSerializer):
    display_name = serializers.CharField(max_length=100)
    transport = serializers.ChoiceField(choices=Service.Transport.choices, required=False)
    url = serializers.CharField(max_length=500)
    auth_type = serializers.ChoiceField(choices=Service.Auth.choices, required=False)
    token = SecretField(required=False, allow_blank=True)
    shared = serializers.BooleanField(required=False)
    is_enabled = serializers.BooleanField(required=False)


class ServiceOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    display_name = serializers.CharField()
    slug = serializers.CharField()
    transport = serializers.CharField()
    url = serializers.CharField(help_text="The values of its query are masked for those who may not change the service")
    auth_type = serializers.CharField()
    has_token = serializers.BooleanField()
    status = serializers.ChoiceField(choices=Service.Status.choices)
    status_detail = serializers.CharField()
    shared = serializers.BooleanField()
    is_enabled = serializers.BooleanField()
    is_demo = serializers.BooleanField()
    tools = serializers.IntegerField(help_text="How many tools it has")
    last_tested_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class ServiceTestOutput(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    latency_ms = serializers.IntegerField()
    tools = serializers.ListField(child=serializers.CharField())
    error = ErrorOutput(allow_null=True)


class DiffOutput(serializers.Serializer[Any]):
    field = serializers.CharField()
    before = serializers.JSONField()
    after = serializers.JSONField()


class ToolOutput(serializers.Serializer[Any]):
    name = serializers.CharField()
    description = serializers.CharField()
    input_schema = serializers.DictField()
    annotations = serializers.DictField()
    read_only = serializers.BooleanField()  # type: ignore[assignment]  # the tool's field, not DRF's argument
    policy = serializers.ChoiceField(choices=ServiceTool.Policy.choices)
    state = serializers.ChoiceField(choices=ServiceTool.State.choices)
    definition_hash = serializers.CharField()
    pending_hash = serializers.CharField(allow_null=True, help_text="Of the changed definition that waits to be approved")
    diff = DiffOutput(many=True, allow_null=True)


class ToolInput(StrictSerializer):
    policy = serializers.ChoiceField(choices=ServiceTool.Policy.choices, required=False)
    read_only = serializers.BooleanField(required=False)  # type: ignore[assignment]


class ApproveToolInput(StrictSerializer):
    definition_hash = serializers.CharField(
        max_length=64, required=False, help_text="Of the definition that was read: `pending_hash`, or a new tool's `definition_hash`"
    )


class GrantOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    tool = serializers.CharField()
    definition_hash = serializers.CharField()
    run = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
