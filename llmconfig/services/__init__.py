"""What the API, the pages, the admin, commands and `agent` may ask of llmconfig. `__all__` is the surface."""

from llmconfig.services.audit import audit_events_for, export_audit, last_verification, verify_audit
from llmconfig.services.canary import kek_problem, warn_at_start
from llmconfig.services.catalogue import ModelRow, default_target, larger_models, model_of, models_for, resolve_target
from llmconfig.services.clients import (
    UNREADABLE,
    Deployment,
    Revealed,
    build_provider,
    deployment_for_run,
    preload_provider,
    reveal_for_run,
)
from llmconfig.services.configs import (
    ConfigFields,
    check_new_config,
    config_for,
    configs_for,
    create_config,
    delete_config,
    delete_config_as_operator,
    update_config,
    update_config_as_operator,
)
from llmconfig.services.connection import (
    ConnectionResult,
    note_result,
    require_working,
    test_config,
    test_new_configs,
    test_unsaved_config,
)
from llmconfig.services.custom_models import (
    create_custom_model,
    custom_model_for,
    custom_model_row,
    delete_custom_model,
    update_custom_model,
)
from llmconfig.services.data_key_rotation import (
    finish_rotations,
    key_problem,
    promote_data_key,
    reseal_organization,
    resume_rotations,
    rotate_keys,
)
from llmconfig.services.demo import ensure_demo_config
from llmconfig.services.facts import ModelFacts, facts_of
from llmconfig.services.fields import available_providers, effective_base_url, egress_policy, provider_of
from llmconfig.services.invitations import (
    can_mail,
    digest_of,
    invitation_path,
    invitations_for,
    invite_member,
    mail_invitation,
    renew_invitation,
    revoke_invitation,
    status_of,
)
from llmconfig.services.kek import keys_by_root, keys_elsewhere, rewrap_keys
from llmconfig.services.members import (
    add_member_as_operator,
    change_role,
    change_role_as_operator,
    delete_user,
    manageable,
    members_for,
    remove_member,
    remove_member_as_operator,
)
from llmconfig.services.misplaced import check_misplaced
from llmconfig.services.organizations import (
    OrganizationFields,
    checked_policy,
    choose_organization,
    delete_organization,
    delete_organization_as_operator,
    found_organization,
    has_second_factor,
    memberships_for,
    organization_counts,
    update_organization,
    update_organization_as_operator,
)
from llmconfig.services.places import waiting_place
from llmconfig.services.policy import Refusal, refusal_for, refusal_of
from llmconfig.services.pool import ClientPool, preload_providers, stale_clients
from llmconfig.services.pricing import Cost, price_attempt
from llmconfig.services.readable import can_open, is_readable, shown_status
from llmconfig.services.refresh import Refreshed, refresh_models
from llmconfig.services.restoring import restore_key, shred_retired_keys
from llmconfig.services.retired import retired_keys
from llmconfig.services.rotation import change_config, change_config_as_operator
from llmconfig.services.same_key import SameKey, same_key_as
from llmconfig.services.schemas import provider_row
from llmconfig.services.secrets import open_credentials
from llmconfig.services.shared_keys import import_env_keys
from llmconfig.services.standing import note_outcome
from llmconfig.services.tokens import create_token, issue_token, revoke_as, revoke_token, tokens_for
from llmconfig.services.uses import USES
from llmconfig.tenancy.shredding import shred_keys

__all__ = [
    "UNREADABLE",
    "USES",
    "ClientPool",
    "ConfigFields",
    "ConnectionResult",
    "Cost",
    "Deployment",
    "ModelFacts",
    "ModelRow",
    "OrganizationFields",
    "Refreshed",
    "Refusal",
    "Revealed",
    "SameKey",
    "add_member_as_operator",
    "audit_events_for",
    "available_providers",
    "build_provider",
    "can_mail",
    "can_open",
    "change_config",
    "change_config_as_operator",
    "change_role",
    "change_role_as_operator",
    "check_misplaced",
    "check_new_config",
    "checked_policy",
    "choose_organization",
    "config_for",
    "configs_for",
    "create_config",
    "create_custom_model",
    "create_token",
    "custom_model_for",
    "custom_model_row",
    "default_target",
    "delete_config",
    "delete_config_as_operator",
    "delete_custom_model",
    "delete_organization",
    "delete_organization_as_operator",
    "delete_user",
    "deployment_for_run",
    "digest_of",
    "effective_base_url",
    "egress_policy",
    "ensure_demo_config",
    "export_audit",
    "facts_of",
    "finish_rotations",
    "found_organization",
    "has_second_factor",
    "import_env_keys",
    "invitation_path",
    "invitations_for",
    "invite_member",
    "is_readable",
    "issue_token",
    "kek_problem",
    "key_problem",
    "keys_by_root",
    "keys_elsewhere",
    "larger_models",
    "last_verification",
    "mail_invitation",
    "manageable",
    "members_for",
    "memberships_for",
    "model_of",
    "models_for",
    "note_outcome",
    "note_result",
    "open_credentials",
    "organization_counts",
    "preload_provider",
    "preload_providers",
    "price_attempt",
    "promote_data_key",
    "provider_of",
    "provider_row",
    "refresh_models",
    "refusal_for",
    "refusal_of",
    "remove_member",
    "remove_member_as_operator",
    "renew_invitation",
    "require_working",
    "reseal_organization",
    "resolve_target",
    "restore_key",
    "resume_rotations",
    "retired_keys",
    "reveal_for_run",
    "revoke_as",
    "revoke_invitation",
    "revoke_token",
    "rewrap_keys",
    "rotate_keys",
    "same_key_as",
    "shown_status",
    "shred_keys",
    "shred_retired_keys",
    "stale_clients",
    "status_of",
    "test_config",
    "test_new_configs",
    "test_unsaved_config",
    "tokens_for",
    "update_config",
    "update_config_as_operator",
    "update_custom_model",
    "update_organization",
    "update_organization_as_operator",
    "verify_audit",
    "waiting_place",
    "warn_at_start",
]
