"""Sealing: two verbs, `seal` and `open_sealed`, and the keys they take. Format and binding are described in `cipher` and `context`."""

from llmconfig.vault.chain import FIRST, chain_key, mac
from llmconfig.vault.cipher import fingerprint, key_id_of, open_sealed, seal
from llmconfig.vault.keys import DataKey, LocalRootKey, RootKey, RootKeys, new_data_key, root_id_of
from llmconfig.vault.values import Context, Unreadable

__all__ = [
    "FIRST",
    "Context",
    "DataKey",
    "LocalRootKey",
    "RootKey",
    "RootKeys",
    "Unreadable",
    "chain_key",
    "fingerprint",
    "key_id_of",
    "mac",
    "new_data_key",
    "open_sealed",
    "root_id_of",
    "seal",
]
