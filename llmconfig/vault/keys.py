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
    """What wraps data keys: the KEK, or a key that never leaves a KMS.

    key_id: names the root key that wraps now; no dot in it. context binds a wrapped key to whose it is and to its key id. A wrapped key
    begins with `v1.<key_id>.`, so that those of an older root key are found without opening any; the rest is the root key's own.
    """

    key_id: str

    @abstractmethod
    def wrap(self, material: bytes, *, context: str) -> bytes: ...

    @abstractmethod
    def unwrap(self, wrapped: bytes, *, context: str) -> bytes:
        """Raises `Unreadable` when another root key wrapped it, or for another context."""

    def knows(self, root_id: str) -> bool:
        """Whether it can unwrap what this key_id wrapped."""
        return root_id == self.key_id


class LocalRootKey(RootKey):
    """A keyring of KEK texts: the first wraps, all unwrap. Wrapped form: `v1.<root id>.` and the token's bytes."""

    def __init__(self, current: str, *older: str) -> None:
        self._keys = {_root_id(material): material for material in (derive(text.encode(), b"v1|root", 32) for text in (current, *older))}
        self.key_id = next(iter(self._keys))

    def knows(self, root_id: str) -> bool:
        return root_id in self._keys

    def wrap(self, material: bytes, *, context: str) -> bytes:
        return f"v1.{self.key_id}.".encode() + encrypt(self._keys[self.key_id], f"v1|wrap|{context}".encode(), material)

    def unwrap(self, wrapped: bytes, *, context: str) -> bytes:
        material = self._keys.get(root_id_of(wrapped))
        if material is None:
            raise Unreadable("The KEK is not the one that wrapped this organization's key.")
        return decrypt(material, f"v1|wrap|{context}".encode(), wrapped.split(b".", 2)[2])


class RootKeys(RootKey):
    """The first wraps, any of them unwraps: a KMS takes over from the KEK, or gives back to it, and nothing is unreadable meanwhile."""

    def __init__(self, current: RootKey, *others: RootKey) -> None:
        self._current, self._all = current, (current, *others)
        self.key_id = current.key_id

    def wrap(self, material: bytes, *, context: str) -> bytes:
        return self._current.wrap(material, context=context)

    def unwrap(self, wrapped: bytes, *, context: str) -> bytes:
        root_id = root_id_of(wrapped)
        for root in self._all:
            if root.knows(root_id):
                return root.unwrap(wrapped, context=context)
        raise Unreadable("No root key here is the one that wrapped this organization's key.")

    def knows(self, root_id: str) -> bool:
        return any(root.knows(root_id) for root in self._all)


def root_id_of(wrapped: bytes) -> str:
    """The key_id of the root key that wrapped it, "" for what is no wrapped key."""
    version, _, rest = wrapped.partition(b".")
    root_id, dot, _ = rest.partition(b".")
    return root_id.decode("ascii", "replace") if version == b"v1" and dot else ""


def _root_id(material: bytes) -> str:
    return derive(material, b"v1|root-id", 4).hex()
