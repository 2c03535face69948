"""Shapes of organizations, members and invitations on the wire."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from llmconfig import services
from llmconfig.services.invitations import ACCEPTED, DAYS, EXPIRED, MAX_DAYS, PENDING
from llmconfig.services.organizations import MAX_DAYS as MOST_KEPT
from llmconfig.services.organizations import MAX_ENTRIES, POLICY
from llmconfig.tenancy.models import Invitation, Membership, Organization, Role
from llmconfig.tenancy.rest.serializers import StrictSerializer


def _list(help_text: str, **kwargs: Any) -> serializers.ListField:
    child = serializers.CharField(max_length=260)
    return serializers.ListField(child=child, allow_null=True, max_length=MAX_ENTRIES, help_text=help_text, **kwargs)


def _days(help_text: str, **kwargs: Any) -> serializers.IntegerField:
    return serializers.IntegerField(allow_null=True, min_value=1, max_value=MOST_KEPT, help_text=help_text, **kwargs)


class PolicySerializer(StrictSerializer):
    """A list that is null allows everything, an empty one nothing."""

    allowed_providers = _list("Slugs of /api/providers.", required=False)
    allowed_models = _list("`provider/model`, where * stands for any text.", required=False)
    allowed_hosts = _list("Hosts of base URLs; `*.example.com` is any name below, and a port may follow.", required=False)
    members_may_bring_keys = serializers.BooleanField(required=False, help_text="Off: only admins use keys of their own.")
    requires_mfa = serializers.BooleanField(required=False, help_text="Whoever switches it on has a second factor.")
    retention_days = _days("Conversations untouched for so long are deleted. Null keeps them.", required=False)
    audit_retention_days = _days("Null keeps the audit trail for good.", required=False)
    token_max_days = _days("The longest life of an API token. Null sets no limit.", required=False)


class OrganizationChangeSerializer(PolicySerializer):
    name = serializers.CharField(max_length=200, required=False)


class CountsSerializer(serializers.Serializer[Any]):
    members = serializers.IntegerField()
    owners = serializers.IntegerField()
    invitations = serializers.IntegerField(help_text="That can still be accepted.")


class OrganizationSerializer(serializers.ModelSerializer[Organization]):
    """role: the caller's. manageable: the roles that the caller may give and take."""

    role = serializers.SerializerMethodField()
    manageable = serializers.SerializerMethodField()
    counts = serializers.SerializerMethodField()
    can_mail = serializers.SerializerMethodField(help_text="Whether invitations are sent by e-mail, too.")
    allowed_providers = _list("Null allows all.", read_only=True)
    allowed_models = _list("Null allows all.", read_only=True)
    allowed_hosts = _list("Null allows all.", read_only=True)

    class Meta:
        model = Organization
        fields = ["id", "name", "slug", "role", "manageable", *POLICY, "counts", "can_mail", "created_at"]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=Role.choices))
    def get_role(self, row: Organization) -> str:
        return str(self.context["caller"].role.value)

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(choices=Role.choices)))
    def get_manageable(self, row: Organization) -> list[str]:
        return sorted(role.value for role in services.manageable(self.context["caller"].role))

    def get_can_mail(self, row: Organization) -> bool:
        return services.can_mail()

    @extend_schema_field(CountsSerializer)
    def get_counts(self, row: Organization) -> dict[str, int]:
        return services.organization_counts(self.context["caller"])


class DeleteOrganizationSerializer(StrictSerializer):
    confirm = serializers.CharField(max_length=80, help_text="The organization's slug.")


class NewOrganizationSerializer(StrictSerializer):
    name = serializers.CharField(max_length=200)


class SwitchSerializer(StrictSerializer):
    id = serializers.UUIDField()


class OwnMembershipSerializer(serializers.ModelSerializer[Membership]):
    """One of the caller's organizations. current: the one that this session, or token, is about."""

    id = serializers.UUIDField(source="organization_id", read_only=True)
    name = serializers.CharField(source="organization.name", read_only=True)
    slug = serializers.CharField(source="organization.slug", read_only=True)
    joined_at = serializers.DateTimeField(source="created_at", read_only=True)
    current = serializers.SerializerMethodField()

    class Meta:
        model = Membership
        fields = ["id", "name", "slug", "role", "joined_at", "current"]
        read_only_fields = fields

    def get_current(self, row: Membership) -> bool:
        caller = self.context.get("caller")
        return caller is not None and row.organization_id == caller.organization.pk


class MemberUserSerializer(serializers.Serializer[Any]):
    """email and last_login are shown to admins only, and null to others."""

    id = serializers.UUIDField()
    username = serializers.CharField()
    name = serializers.CharField(source="get_full_name")
    email = serializers.CharField(allow_null=True)
    last_login = serializers.DateTimeField(allow_null=True)


class MemberSerializer(serializers.ModelSerializer[Membership]):
    user = serializers.SerializerMethodField()
    joined_at = serializers.DateTimeField(source="created_at", read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "user", "role", "joined_at"]
        read_only_fields = fields

    @extend_schema_field(MemberUserSerializer)
    def get_user(self, row: Membership) -> dict[str, Any]:
        shown: dict[str, Any] = MemberUserSerializer(row.user).data
        return shown if self.context["is_admin"] else {**shown, "email": None, "last_login": None}


class RoleSerializer(StrictSerializer):
    role = serializers.ChoiceField(choices=Role.choices)


class NewInvitationSerializer(StrictSerializer):
    email = serializers.EmailField(required=False, allow_blank=True, help_text="Who it is for. Left out: whoever has the link.")
    role = serializers.ChoiceField(choices=Role.choices)
    expires_in_days = serializers.IntegerField(required=False, min_value=1, max_value=MAX_DAYS, default=DAYS)


class RenewInvitationSerializer(StrictSerializer):
    expires_in_days = serializers.IntegerField(required=False, min_value=1, max_value=MAX_DAYS, default=DAYS)


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    status = serializers.SerializerMethodField()
    invited_by = serializers.CharField(source="invited_by.username", allow_null=True, default=None, read_only=True)
    accepted_by = serializers.CharField(source="accepted_by.username", allow_null=True, default=None, read_only=True)

    class Meta:
        model = Invitation
        fields = ["id", "email", "role", "status", "invited_by", "created_at", "expires_at", "accepted_at", "accepted_by"]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=[PENDING, ACCEPTED, EXPIRED]))
    def get_status(self, row: Invitation) -> str:
        return services.status_of(row)


class MadeInvitationSerializer(InvitationSerializer):
    """link: shown this once. emailed: whether it is being sent to `email` as well."""

    link = serializers.SerializerMethodField()
    emailed = serializers.SerializerMethodField()

    class Meta(InvitationSerializer.Meta):
        fields = [*InvitationSerializer.Meta.fields, "link", "emailed"]
        read_only_fields = fields

    def get_link(self, row: Invitation) -> str:
        return str(self.context["link"])

    def get_emailed(self, row: Invitation) -> bool:
        return bool(self.context["emailed"])
