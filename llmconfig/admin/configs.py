"""Provider configs. A key can be put in and never seen again; what is shown of it is the hint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin

from llmconfig.llm import Secret
from llmconfig.models import UserLLMConfig
from llmconfig.services import kek_problem, update_config_as_operator
from llmconfig.services.fields import check_base_url, check_options, check_secrets, provider_of
from llmconfig.tenancy.errors import ServiceError

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


class ConfigForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    new_key = forms.CharField(
        required=False,
        label="New key",
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text="Leave empty to keep the present one.",
    )

    class Meta:
        model = UserLLMConfig
        fields: ClassVar = ["name", "base_url", "model", "options", "is_default", "is_enabled", "priority", "weight"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("new_key") and (problem := kek_problem()):
            raise forms.ValidationError(problem)
        try:
            provider = provider_of(self.instance.provider_type)
            check_base_url(provider, cleaned.get("base_url", ""))
            check_options(provider, cleaned.get("options") or {})
            check_secrets(provider, Secret(cleaned.get("new_key", "")), {})
        except ServiceError as error:
            raise forms.ValidationError(error.detail) from None
        return cleaned


@admin.register(UserLLMConfig)
class UserLLMConfigAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    form = ConfigForm
    list_display = ["name", "provider_type", "organization", "owner", "api_key_hint", "status", "is_enabled", "last_tested_at"]
    list_filter = ["provider_type", "status", "is_enabled"]
    list_select_related = ["organization", "owner"]
    search_fields = ["name", "organization__name", "owner__username"]
    readonly_fields = [
        "provider_type",
        "organization",
        "owner",
        "api_key_hint",
        "status",
        "status_detail",
        "last_tested_at",
        "created_at",
        "secret_version",
    ]
    actions = ["enable", "disable"]

    def get_fields(self, request: HttpRequest, obj: UserLLMConfig | None = None) -> Any:
        return [*self.readonly_fields, *ConfigForm.Meta.fields, "new_key"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a config is made by its owner, whose it is

    def save_model(self, request: HttpRequest, obj: UserLLMConfig, form: Any, change: bool) -> None:
        changes = {name: form.cleaned_data[name] for name in form.changed_data if name != "new_key"}
        update_config_as_operator(id=obj.pk, api_key=Secret(form.cleaned_data["new_key"]), **changes)
        obj.refresh_from_db()

    @admin.action(description="Enable the selected configs")
    def enable(self, request: HttpRequest, queryset: QuerySet[UserLLMConfig]) -> None:
        queryset.update(is_enabled=True)

    @admin.action(description="Disable the selected configs")
    def disable(self, request: HttpRequest, queryset: QuerySet[UserLLMConfig]) -> None:
        queryset.update(is_enabled=False)
