"""Organizations, memberships, users and tokens. Changes go through the services, so that their rules hold here and the trail shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db import transaction
from django.http import HttpResponseRedirect

from llmconfig import services
from llmconfig.models import ApiToken, Membership, Organization, User
from llmconfig.services.organizations import POLICY
from llmconfig.tenancy.audit import Actor
from llmconfig.tenancy.caller import ip_of
from llmconfig.tenancy.errors import ServiceError
from llmconfig.tenancy.models import Role

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

_SHOWN_OF_A_TOKEN = ("name", "user", "organization", "scopes", "created", "expiry", "last_used_at")


def _actor(request: HttpRequest) -> Actor:
    user: Any = request.user
    return Actor.user(user, ip_of(request))


class Refusable:
    """What a service refuses becomes a message above the page that was asked from; nothing of the request is kept."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._told(request, super().changeform_view, *args, **kwargs)  # type: ignore[misc]  # of ModelAdmin

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._told(request, super().delete_view, *args, **kwargs)  # type: ignore[misc]

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._told(request, super().changelist_view, *args, **kwargs)  # type: ignore[misc]

    def _told(self, request: HttpRequest, view: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            answer: HttpResponse = view(request, *args, **kwargs)
        except ServiceError as error:
            messages.error(request, error.detail)
            return HttpResponseRedirect(request.path)
        return answer


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]  # generic in the stubs only
    """To see; a role is changed, and a member removed, at the membership itself."""

    model = Membership
    extra = 0
    fields = ["user", "role", "created_at"]
    readonly_fields = ["user", "role", "created_at"]
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OrganizationForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    class Meta:
        model = Organization
        fields: ClassVar = ["name", *POLICY]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in ("allowed_providers", "allowed_models", "allowed_hosts"):
            given = cleaned.get(name)
            if given is not None and not (isinstance(given, list) and all(isinstance(entry, str) for entry in given)):
                raise forms.ValidationError({name: "A JSON list of texts, or null for no limit."})
        try:
            return services.checked_policy(cleaned)
        except ServiceError as error:
            raise forms.ValidationError({(error.attr or "name").partition(".")[0]: error.detail}) from None


@admin.register(Organization)
class OrganizationAdmin(Refusable, admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    form = OrganizationForm
    list_display = ["name", "slug", "created_at"]
    search_fields = ["name", "slug"]
    ordering = ["name"]
    readonly_fields = ["id", "slug", "created_at"]
    inlines = [MembershipInline]

    def get_fields(self, request: HttpRequest, obj: Organization | None = None) -> Any:
        return [*self.readonly_fields, *OrganizationForm.Meta.fields]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # each has an owner, who founds it under Organization

    def save_model(self, request: HttpRequest, obj: Organization, form: Any, change: bool) -> None:
        changes: Any = {name: form.cleaned_data[name] for name in form.changed_data}
        services.update_organization_as_operator(id=obj.pk, actor=_actor(request), **changes)

    def delete_model(self, request: HttpRequest, obj: Organization) -> None:
        services.delete_organization_as_operator(id=obj.pk, actor=_actor(request))

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Organization]) -> None:
        for organization in queryset:
            self.delete_model(request, organization)


@admin.register(Membership)
class MembershipAdmin(Refusable, admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    list_display = ["user", "organization", "role", "created_at"]
    list_filter = ["role"]
    list_select_related = ["user", "organization"]
    search_fields = ["user__username", "organization__name"]
    autocomplete_fields = ["user", "organization"]
    fields = ["user", "organization", "role"]

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> Any:
        return ["user", "organization"] if obj else []

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        actor, role = _actor(request), Role(obj.role)
        if change:
            services.change_role_as_operator(id=obj.pk, role=role, actor=actor)
        else:
            made = services.add_member_as_operator(organization=obj.organization, user=obj.user, role=role, actor=actor)
            obj.pk = made.pk

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        services.remove_member_as_operator(id=obj.pk, actor=_actor(request))

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        for membership in queryset:
            self.delete_model(request, membership)


@admin.register(User)
class UserAdmin(Refusable, DjangoUserAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Django's own; a user made here founds an organization like any other. The last owner among other members is not deleted."""

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        services.delete_user(user=obj, actor=_actor(request))

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            self.delete_model(request, user)


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """To see and revoke; a value is only ever shown to who makes the token."""

    list_display = ["name", "user", "organization", "created", "expiry", "last_used_at"]
    list_select_related = ["user", "organization"]
    search_fields = ["name", "user__username"]
    fields = _SHOWN_OF_A_TOKEN
    readonly_fields = _SHOWN_OF_A_TOKEN

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: ApiToken) -> None:
        services.revoke_as(obj, _actor(request))

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for token in queryset:
            self.delete_model(request, token)
