"""The app's models."""

from llmconfig.models.catalogue import ModelList
from llmconfig.models.config import MAX_MODEL_LENGTH, ConfigStatus, UserLLMConfig
from llmconfig.models.custom import CustomModel
from llmconfig.tenancy.models import ApiToken, DataKey, IdempotencyRecord, Membership, Organization, User

__all__ = [
    "MAX_MODEL_LENGTH",
    "ApiToken",
    "ConfigStatus",
    "CustomModel",
    "DataKey",
    "IdempotencyRecord",
    "Membership",
    "ModelList",
    "Organization",
    "User",
    "UserLLMConfig",
]
