"""Shapes of configs on the wire: what a person sends, and what they may see of one."""

from __future__ import annotations

from typing import Any, cast

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from llmconfig import services
from llmconfig.api.fields import JSONObjectField, SecretField
from llmconfig.models import ConfigStatus, RetiredKey, UserLLMConfig
from llmconfig.tenancy.caller import Action, Caller, allows
from llmconfig.tenancy.keys import openable_keys
from llmconfig.tenancy.rest.serializers import StrictSerializer

_INT32 = 2**31 - 1


class _ConfigFieldsSerializer(StrictSerializer):
    name = serializers.CharField(max_length=120, required=False, allow_blank=True)
    api_key = SecretField(help_text="Write only. Empty keeps what is stored.")
    credentials = serializers.DictField(
        child=SecretField(), required=False, write_only=True, help_text="Other fields that the provider marks writeOnly."
    )
    base_url = serializers.CharField(max_length=500, required=False, allow_blank=True)
    model = serializers.CharField(max_length=200, required=False, allow_blank=True)
    options = JSONObjectField(required=False)
    is_default = serializers.BooleanField(required=False)
    is_enabled = serializers.BooleanField(required=False)
    shared = serializers.BooleanField(required=False)
    priority = serializers.IntegerField(required=False, min_value=-_INT32, max_value=_INT32)
    weight = serializers.IntegerField(required=False, min_value=0, max_value=_INT32)


class NewConfigSerializer(_ConfigFieldsSerializer):
    provider_type = serializers.CharField(max_length=40)


class ConfigChangeSerializer(_ConfigFieldsSerializer):
    provider_type = serializers.CharField(max_length=40, required=False, help_text="May only name what it is already.")


class TestRequestSerializer(_ConfigFieldsSerializer):
    """`{"id"}` alone, or the body of a config."""

    __test__ = False  # not one of pytest's
    id = serializers.UUIDField(required=False)
    provider_type = serializers.CharField(max_length=40, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "id" in attrs:
            for name in attrs.keys() - {"id"}:
                raise serializers.ValidationError({name: "A saved config is tested as it stands: send its id alone."})
        elif "provider_type" not in attrs:
            raise serializers.ValidationError({"provider_type": serializers.ErrorDetail("This field is required.", "required")})
        return attrs


class RetiredKeySerializer(serializers.ModelSerializer[RetiredKey]):
    """A key that was replaced: kept sealed until `shred_at`, and until then it can be brought back."""

    hint = serializers.CharField(source="api_key_hint", read_only=True)

    class Meta:
        model = RetiredKey
        fields = ["id", "hint", "reason", "retired_at", "shred_at"]
        read_only_fields = fields


class RestoreKeySerializer(StrictSerializer):
    id = serializers.UUIDField(required=False, help_text="One of the config's `retired_keys`; the newest by default.")


class ConfigSerializer(serializers.ModelSerializer[UserLLMConfig]):
    """What a person may see of a config: never its key, only the hint and a keyed fingerprint.

    Of several configs the data keys that open are asked for once, when the first of them is shown.
    """

    base_url = serializers.SerializerMethodField(help_text="The provider's own where none was set.")
    status = serializers.SerializerMethodField()
    status_detail = serializers.SerializerMethodField()
    retired_keys = serializers.SerializerMethodField(help_text="Replaced keys that you can still bring back, newest first.")
    last_used_by = serializers.SerializerMethodField(help_text="Of a shared one, for admins and owners.")
    shared = serializers.BooleanField(read_only=True)
    options = JSONObjectField(read_only=True)
    has_credentials = serializers.SerializerMethodField(help_text="Whether secrets besides the API key are stored.")
    not_allowed = serializers.SerializerMethodField(help_text="Why the organization's policy does not let you use it; null where it does.")

    class Meta:
        model = UserLLMConfig
        fields = [
            "id",
            "name",
            "provider_type",
            "api_key_hint",
            "api_key_fingerprint",
            "has_credentials",
            "base_url",
            "model",
            "options",
            "is_default",
            "is_enabled",
            "shared",
            "priority",
            "weight",
            "status",
            "status_detail",
            "not_allowed",
            "last_tested_at",
            "last_latency_ms",
            "last_used_at",
            "last_used_by",
            "uses",
            "retired_keys",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=ConfigStatus.choices))
    def get_status(self, config: UserLLMConfig) -> str:
        return services.shown_status(config, keys=self._openable_keys(config))

    def get_status_detail(self, config: UserLLMConfig) -> str:
        is_readable = services.is_readable(config, self._openable_keys(config))
        was = config.status == ConfigStatus.UNREADABLE
        return services.UNREADABLE if not is_readable else "" if was else config.status_detail

    def _openable_keys(self, config: UserLLMConfig) -> frozenset[str]:
        known: dict[Any, frozenset[str]] = cast("dict[str, Any]", self.context).setdefault("openable_keys", {})
        if config.organization_id not in known:
            known[config.organization_id] = openable_keys(config.organization_id)
        return known[config.organization_id]

    def get_not_allowed(self, config: UserLLMConfig) -> str | None:
        caller: Caller | None = self.context.get("caller")
        refused = services.refusal_for(caller, config, config.model) if caller else services.refusal_of(config, config.model)
        return refused.words if refused else None

    @extend_schema_field(RetiredKeySerializer(many=True))
    def get_retired_keys(self, config: UserLLMConfig) -> Any:
        caller: Caller | None = self.context.get("caller")
        if caller is None or not allows(caller, Action.SHARE if config.shared else Action.MANAGE_OWN):
            return []
        now = timezone.now()
        return RetiredKeySerializer([key for key in config.retired_keys.all() if key.shred_at > now], many=True).data

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_last_used_by(self, config: UserLLMConfig) -> str | None:
        caller: Caller | None = self.context.get("caller")
        if not config.shared or config.last_used_by is None or caller is None or not allows(caller, Action.SEE_ALL_USAGE):
            return None
        return str(config.last_used_by.get_username())

    def get_has_credentials(self, config: UserLLMConfig) -> bool:
        return bool(config.credentials)

    def get_base_url(self, config: UserLLMConfig) -> str:
        return services.effective_base_url(config)


class ConfigNameSerializer(serializers.ModelSerializer[UserLLMConfig]):
    class Meta:
        model = UserLLMConfig
        fields = ["id", "name"]
        read_only_fields = fields


class OneConfigSerializer(ConfigSerializer):
    """A config by itself: also whether its key is saved a second time in the organization."""

    same_key_as = serializers.SerializerMethodField(help_text="Other configs with this key that you may see.")
    same_key_elsewhere = serializers.SerializerMethodField(help_text="Whether somebody else here has saved this key too.")

    class Meta(ConfigSerializer.Meta):
        fields = [*ConfigSerializer.Meta.fields, "same_key_as", "same_key_elsewhere"]
        read_only_fields = fields

    @extend_schema_field(ConfigNameSerializer(many=True))
    def get_same_key_as(self, config: UserLLMConfig) -> Any:
        return ConfigNameSerializer(self._same_key(config).configs, many=True).data

    def get_same_key_elsewhere(self, config: UserLLMConfig) -> bool:
        return self._same_key(config).elsewhere

    def _same_key(self, config: UserLLMConfig) -> services.SameKey:
        if "same_key" not in self.context:
            cast("dict[str, Any]", self.context)["same_key"] = services.same_key_as(config, self.context["caller"])
        found: services.SameKey = self.context["same_key"]
        return found
