"""Shapes of configs, providers, models and tokens on the wire."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from llmconfig import services
from llmconfig.api.fields import JSONObjectField, SecretField
from llmconfig.models import ApiToken, ConfigStatus, UserLLMConfig
from llmconfig.tenancy.caller import find_caller
from llmconfig.tenancy.keys import openable_keys
from llmconfig.tenancy.models import Scope
from llmconfig.tenancy.rest.serializers import StrictSerializer

_INT32 = 2**31 - 1
_PREFIX = 8
"""Characters of a token's 64 that are shown again: they tell it apart, and leave 224 bits to guess."""


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


class ConfigSerializer(serializers.ModelSerializer[UserLLMConfig]):
    """What a person may see of a config: never its key, only the hint."""

    base_url = serializers.SerializerMethodField(help_text="The provider's own where none was set.")
    status = serializers.SerializerMethodField()
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
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields

    def get_not_allowed(self, config: UserLLMConfig) -> str | None:
        request = self.context.get("request")
        caller = find_caller(request) if request is not None else None
        refused = services.refusal_for(caller, config, config.model) if caller else services.refusal_of(config, config.model)
        return refused.words if refused else None

    def get_has_credentials(self, config: UserLLMConfig) -> bool:
        return bool(config.credentials)

    @extend_schema_field(serializers.ChoiceField(choices=ConfigStatus.choices))
    def get_status(self, config: UserLLMConfig) -> str:
        context: Any = self.context  # the list's: one query for all of it
        known: dict[Any, frozenset[str]] = context.setdefault("openable_keys", {})
        if config.organization_id not in known:
            known[config.organization_id] = openable_keys(config.organization_id)
        return services.shown_status(config, keys=known[config.organization_id])

    def get_base_url(self, config: UserLLMConfig) -> str:
        return services.effective_base_url(config)


class ListedModelSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]  # the stubs reserve the name
    context_window = serializers.IntegerField(allow_null=True)
    max_output_tokens = serializers.IntegerField(allow_null=True)


class ConnectionErrorSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    detail = serializers.CharField()


class ConnectionResultSerializer(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    latency_ms = serializers.IntegerField()
    models = ListedModelSerializer(many=True)
    error = ConnectionErrorSerializer(allow_null=True)


class CapabilitiesSerializer(serializers.Serializer[Any]):
    tools = serializers.BooleanField()
    parallel_tools = serializers.BooleanField()
    thinking = serializers.BooleanField()
    structured_output = serializers.BooleanField()
    inputs = serializers.ListField(child=serializers.CharField())


class ProviderSerializer(serializers.Serializer[Any]):
    """credential_schema and options_schema are JSON Schema; a write-only field is sealed and never shown again.

    A form may fold those of one `x-group` together.
    """

    slug = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # the stubs reserve the name
    kind = serializers.ChoiceField(choices=["vendor", "gateway", "self_hosted"], help_text="Who runs the models.")
    is_demo = serializers.BooleanField()
    default_base_url = serializers.CharField(allow_blank=True)
    credential_schema = JSONObjectField()
    options_schema = JSONObjectField()
    capabilities = CapabilitiesSerializer()


class _PriceField(serializers.DecimalField):
    """A decimal string for a million tokens, never below zero."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=12, decimal_places=6, min_value=Decimal(0), help_text="Decimal, for a million tokens.", **kwargs)


class PriceSerializer(serializers.Serializer[Any]):
    """source: whether an admin set it (`custom`) or it stands in the price list (`list`)."""

    input_per_mtok = serializers.CharField(help_text="Decimal, for a million tokens.")
    output_per_mtok = serializers.CharField(help_text="Decimal, for a million tokens.")
    cache_read_per_mtok = serializers.CharField(allow_null=True)
    cache_write_per_mtok = serializers.CharField(allow_null=True)
    cache_write_1h_per_mtok = serializers.CharField(allow_null=True, help_text="Of what is written for an hour (Anthropic).")
    currency = serializers.CharField()
    source = serializers.ChoiceField(choices=["custom", "list"])  # type: ignore[assignment]  # the base reserves the name


class CustomPriceSerializer(StrictSerializer):
    """Cache reads and writes without a price of their own are billed as input, writes for an hour without one as the other writes."""

    input_per_mtok = _PriceField()
    output_per_mtok = _PriceField()
    cache_read_per_mtok = _PriceField(required=False, allow_null=True)
    cache_write_per_mtok = _PriceField(required=False, allow_null=True)
    cache_write_1h_per_mtok = _PriceField(required=False, allow_null=True)
    currency = serializers.RegexField(r"^[A-Z]{3}\Z", required=False, help_text="Three capital letters; USD by default.")


class CustomCapabilitiesSerializer(StrictSerializer):
    """What is left out stays as the provider has it. `text` is always among the inputs."""

    tools = serializers.BooleanField(required=False)
    parallel_tools = serializers.BooleanField(required=False)
    thinking = serializers.BooleanField(required=False)
    structured_output = serializers.BooleanField(required=False)
    inputs = serializers.ListField(child=serializers.ChoiceField(choices=["text", "image", "document", "audio", "video"]), required=False)


class CustomModelChangeSerializer(StrictSerializer):
    """`price` and `capabilities` are replaced whole; null and empty leave it to the lists."""

    label = serializers.CharField(max_length=200, required=False, allow_blank=True)  # type: ignore[assignment]  # the base reserves the name
    context_window = serializers.IntegerField(min_value=1, max_value=_INT32, required=False, allow_null=True)
    max_output_tokens = serializers.IntegerField(min_value=1, max_value=_INT32, required=False, allow_null=True)
    capabilities = CustomCapabilitiesSerializer(required=False)
    price = CustomPriceSerializer(required=False, allow_null=True)


class NewCustomModelSerializer(CustomModelChangeSerializer):
    config = serializers.UUIDField()
    model = serializers.CharField(max_length=200)


class CustomModelSerializer(serializers.Serializer[Any]):
    """An admin's row. target: `<config id>/<model>`, as a conversation names it."""

    id = serializers.UUIDField()
    target = serializers.CharField()
    config = serializers.UUIDField()
    config_name = serializers.CharField()
    provider = serializers.CharField()
    model = serializers.CharField()
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]  # the stubs reserve the name
    context_window = serializers.IntegerField(allow_null=True)
    max_output_tokens = serializers.IntegerField(allow_null=True)
    capabilities = JSONObjectField()
    price = PriceSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


@extend_schema_serializer(component_name="Model")
class ModelRowSerializer(serializers.Serializer[Any]):
    """custom: the id of an admin's row on this model, for PATCH and DELETE. fetched_at: when the provider last listed its models."""

    id = serializers.CharField(help_text="`<config id>/<model>`")
    provider = serializers.CharField()
    model = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # the stubs reserve the name
    context_window = serializers.IntegerField(allow_null=True)
    max_output_tokens = serializers.IntegerField(allow_null=True)
    capabilities = CapabilitiesSerializer()
    price = PriceSerializer(allow_null=True)
    config = serializers.UUIDField()
    config_name = serializers.CharField()
    custom = serializers.UUIDField(allow_null=True)
    hint = serializers.CharField(allow_null=True, help_text="Why it may no longer answer.")
    fetched_at = serializers.DateTimeField(allow_null=True)


class RefreshedSerializer(serializers.Serializer[Any]):
    """Of the stored list: the new one, or the old one where `error` says why there is none."""

    ok = serializers.BooleanField()
    latency_ms = serializers.IntegerField()
    models = serializers.IntegerField(help_text="How many the provider lists.")
    fetched_at = serializers.DateTimeField(allow_null=True)
    error = ConnectionErrorSerializer(allow_null=True)


class TokenOwnerSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    username = serializers.CharField()


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """prefix: the first characters of the value, to tell tokens apart."""

    prefix = serializers.SerializerMethodField()
    user = TokenOwnerSerializer(read_only=True)
    created_at = serializers.DateTimeField(source="created", read_only=True)
    expires_at = serializers.DateTimeField(source="expiry", read_only=True, allow_null=True)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices), read_only=True)

    class Meta:
        model = ApiToken
        fields = ["id", "name", "prefix", "scopes", "organization", "user", "created_at", "expires_at", "last_used_at"]
        read_only_fields = fields

    def get_prefix(self, row: ApiToken) -> str:
        return str(row.token_key[:_PREFIX])


class CreatedTokenSerializer(TokenSerializer):
    """token: the value, shown this once."""

    token = serializers.SerializerMethodField()

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]
        read_only_fields = fields

    @extend_schema_field(serializers.CharField())
    def get_token(self, row: ApiToken) -> str:
        return str(self.context["value"])


class NewTokenSerializer(StrictSerializer):
    name = serializers.CharField(max_length=120)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices), required=False, allow_empty=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
