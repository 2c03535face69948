"""Provider configs. A key can be put in and never seen again; what is shown of it is the hint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages

from llmconfig.llm import Secret
from llmconfig.models import UserLLMConfig
from llmconfig.services import change_config_as_operator, delete_config_as_operator, key_problem, update_config_as_operator
from llmconfig.services.connection import TestRefused
from llmconfig.services.fields import check_base_url, check_options, check_secrets, credentials_problem, provider_of, secret_fields
from llmconfig.tenancy.audit import Actor
from llmconfig.tenancy.caller import ip_of
from llmconfig.tenancy.errors import ServiceError

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

    from llmconfig.models import User


_NEW = "new_"


def _secret_input(label: str, *, multiline: bool = False) -> forms.CharField:
    attributes = {"autocomplete": "new-password"}
    widget = forms.Textarea(attrs=attributes) if multiline else forms.PasswordInput(render_value=False, attrs=attributes)
    return forms.CharField(required=False, label=label, widget=widget, help_text="Leave empty to keep the present one.")


class ConfigForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """Saves by itself, since the vendor may refuse a new key, which is an error of the form. `actor` is set by the admin."""

    actor: Actor
    new_key = _secret_input("New key")
    unchecked = forms.BooleanField(
        required=False,
        label="Save the new key even if its provider refuses it",
        help_text="A new key in place of one that works is tried first.",
    )

    class Meta:
        model = UserLLMConfig
        fields: ClassVar = ["name", "base_url", "model", "options", "is_default", "is_enabled", "priority", "weight"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        new_key, credentials = Secret(cleaned.get("new_key", "")), self.new_credentials()
        if (new_key or credentials) and (problem := key_problem(self.instance.organization_id)):
            raise forms.ValidationError(problem)
        try:
            provider = provider_of(self.instance.provider_type)
            check_base_url(provider, cleaned.get("base_url", ""))
            options = cleaned.get("options") or {}
            check_options(provider, options)
            check_secrets(provider, new_key, credentials)
            lacking = credentials_problem(provider, self._secrets_named(new_key, credentials), options)
            if lacking and str(lacking.attr).startswith("options."):  # a secret may come later
                raise lacking
        except ServiceError as error:
            raise forms.ValidationError(error.detail) from None
        if not self.errors:
            self._change(new_key, credentials)
        return cleaned

    def _change(self, new_key: Secret, credentials: dict[str, Secret]) -> None:
        changes = {name: self.cleaned_data[name] for name in self.changed_data if name in self.Meta.fields}
        validate = False if self.cleaned_data.get("unchecked") else None
        try:
            change_config_as_operator(
                actor=self.actor, id=self.instance.pk, validate=validate, api_key=new_key, credentials=credentials, **changes
            )
        except TestRefused as refused:
            raise forms.ValidationError({"new_key": refused.detail} if refused.attr == "api_key" else refused.detail) from None
        except ServiceError as error:
            raise forms.ValidationError(error.detail) from None

    def _secrets_named(self, new_key: Secret, credentials: dict[str, Secret]) -> set[str]:
        """Those that will be set; the ones besides the key are sealed together, so that all of them count as set."""
        sealed = _secret_inputs(self.instance) if self.instance.credentials or credentials else {}
        return {name.removeprefix(_NEW) for name in sealed} | ({"api_key"} if self.instance.api_key or new_key else set())

    def new_credentials(self) -> dict[str, Secret]:
        """The secrets besides the key that were entered, by their own names."""
        named = {name.removeprefix(_NEW): text for name, text in self.cleaned_data.items() if name.startswith(_NEW)}
        return {name: Secret(text) for name, text in named.items() if text and name != "key"}


def _secret_inputs(config: UserLLMConfig | None) -> dict[str, forms.CharField]:
    """Nothing for a provider that is not here any more, or switched off."""
    try:
        asked = secret_fields(provider_of(config.provider_type)) if config else ()
    except ServiceError:
        return {}
    return {f"{_NEW}{field.name}": _secret_input(_new(field.label), multiline=field.multiline) for field in asked}


def _new(label: str) -> str:
    """Within a label only its first word loses its capital."""
    return f"New {label[:1].lower()}{label[1:]}"


@admin.register(UserLLMConfig)
class UserLLMConfigAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    form = ConfigForm
    list_display = [
        "name",
        "provider_type",
        "organization",
        "owner",
        "api_key_hint",
        "status",
        "is_enabled",
        "last_tested_at",
        "last_used_at",
    ]
    list_filter = ["provider_type", "status", "is_enabled"]
    list_select_related = ["organization", "owner"]
    search_fields = ["name", "organization__name", "owner__username"]
    readonly_fields = [
        "provider_type",
        "organization",
        "owner",
        "api_key_hint",
        "api_key_fingerprint",
        "status",
        "status_detail",
        "last_tested_at",
        "last_used_at",
        "last_used_by",
        "uses",
        "created_at",
        "secret_version",
    ]
    actions = ["enable", "disable"]

    def get_fields(self, request: HttpRequest, obj: UserLLMConfig | None = None) -> Any:
        return [*self.readonly_fields, *ConfigForm.Meta.fields, "new_key", *_secret_inputs(obj), "unchecked"]

    def get_form(self, request: HttpRequest, obj: UserLLMConfig | None = None, change: bool = False, **kwargs: Any) -> Any:
        """With an input for each secret that the config's provider asks for."""
        own = {**_secret_inputs(obj), "actor": _actor(request)}
        return super().get_form(request, obj, change, form=type("ProviderConfigForm", (ConfigForm,), own), **kwargs)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Without the transaction that the admin puts around it: a provider may be asked meanwhile."""
        return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]  # not in the stubs

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a config is made by its owner, whose it is

    def save_model(self, request: HttpRequest, obj: UserLLMConfig, form: Any, change: bool) -> None:
        obj.refresh_from_db()  # the form has saved it

    def delete_model(self, request: HttpRequest, obj: UserLLMConfig) -> None:
        self._delete(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[UserLLMConfig]) -> None:
        for config in queryset:
            self._delete(request, config)

    def _delete(self, request: HttpRequest, config: UserLLMConfig) -> None:
        try:
            delete_config_as_operator(actor=_actor(request), id=config.pk)
        except ServiceError as error:
            self.message_user(request, f"{config.name}: {error.detail}", messages.ERROR)

    @admin.action(description="Enable the selected configs")
    def enable(self, request: HttpRequest, queryset: QuerySet[UserLLMConfig]) -> None:
        self._switch(request, queryset, on=True)

    @admin.action(description="Disable the selected configs")
    def disable(self, request: HttpRequest, queryset: QuerySet[UserLLMConfig]) -> None:
        self._switch(request, queryset, on=False)

    def _switch(self, request: HttpRequest, queryset: QuerySet[UserLLMConfig], *, on: bool) -> None:
        for config in queryset:
            try:
                update_config_as_operator(actor=_actor(request), id=config.pk, is_enabled=on)
            except ServiceError as error:
                self.message_user(request, f"{config.name}: {error.detail}", messages.ERROR)


def _actor(request: HttpRequest) -> Actor:
    return Actor.user(cast("User", request.user), ip_of(request))
