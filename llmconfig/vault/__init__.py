"""Sealing: two verbs, `seal` and `open_sealed`, and the keys they take. Format and binding are described in `cipher` and `context`."""

from llmconfig.vault.cipher import fingerprint, key_id_of, open_sealed, seal
from llmconfig.vault.keys import DataKey, LocalRootKey, RootKey, new_data_key
from llmconfig.vault.values import Context, Unreadable

__all__ = [
    "Context",
    "DataKey",
    "LocalRootKey",
    "RootKey",
    "Unreadable",
    "fingerprint",
    "key_id_of",
    "new_data_key",
    "open_sealed",
    "seal",
]
