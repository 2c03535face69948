"""The app's models."""

from llmconfig.models.catalogue import ModelList
from llmconfig.models.config import MAX_MODEL_LENGTH, ConfigStatus, UserLLMConfig
from llmconfig.models.custom import CustomModel
from llmconfig.models.retired_key import RetiredKey
from llmconfig.tenancy.audit.models import AuditEvent, AuditHead, AuditKey, AuditSegment
from llmconfig.tenancy.models import ApiToken, DataKey, IdempotencyRecord, Invitation, Membership, Organization, User

__all__ = [
    "MAX_MODEL_LENGTH",
    "ApiToken",
    "AuditEvent",
    "AuditHead",
    "AuditKey",
    "AuditSegment",
    "ConfigStatus",
    "CustomModel",
    "DataKey",
    "IdempotencyRecord",
    "Invitation",
    "Membership",
    "ModelList",
    "Organization",
    "RetiredKey",
    "User",
    "UserLLMConfig",
]
