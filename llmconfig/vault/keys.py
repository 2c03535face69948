"""Two levels of keys: a root key (KEK) wraps each organization's data key, a data key seals values.

The root key stands behind an interface, so that a KMS can hold it: only wrap and unwrap ever touch it.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Final

from llmconfig.vault.cipher import decrypt, derive, encrypt
from llmconfig.vault.values import Unreadable

DATA_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class DataKey:
    """One organization's key in the clear: in memory only."""

    key_id: str
    material: bytes = field(repr=False)


def new_data_key() -> DataKey:
    return DataKey(secrets.token_hex(6), secrets.token_bytes(DATA_KEY_BYTES))


class RootKey(ABC):
    """context binds a wrapped key to its organization and key id."""

    @abstractmethod
    def wrap(self, material: bytes, *, context: str) -> bytes: ...

    @abstractmethod
    def unwrap(self, wrapped: bytes, *, context: str) -> bytes:
        """Raises `Unreadable` when another root key wrapped it, or for another context."""


class LocalRootKey(RootKey):
    """A keyring of KEK texts: the first wraps, all unwrap. Wrapped form: `v1.<root id>.` and the token's bytes."""

    def __init__(self, current: str, *older: str) -> None:
        self._keys = {_root_id(material): material for material in (derive(text.encode(), b"v1|root", 32) for text in (current, *older))}
        self.key_id = next(iter(self._keys))

    def wrap(self, material: bytes, *, context: str) -> bytes:
        return f"v1.{self.key_id}.".encode() + encrypt(self._keys[self.key_id], f"v1|wrap|{context}".encode(), material)

    def unwrap(self, wrapped: bytes, *, context: str) -> bytes:
        version, _, rest = wrapped.partition(b".")
        root_id, _, token = rest.partition(b".")
        material = self._keys.get(root_id.decode("ascii", "replace"))
        if version != b"v1" or material is None:
            raise Unreadable("The KEK is not the one that wrapped this organization's key.")
        return decrypt(material, f"v1|wrap|{context}".encode(), token)


def _root_id(material: bytes) -> str:
    return derive(material, b"v1|root-id", 4).hex()
