"""The root key of this process: the KEK with those it takes over from, followed as their files change, or that of a KMS.

A web process, a worker and beat keep running while the KEK is rotated. Where the keys lie in files, a process reads them anew before it
wraps, and when something was wrapped by a root key that it does not know. It asks the files' dates first, so that a foreign ciphertext
costs one look and no more.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from llmconfig.vault import LocalRootKey, RootKey, RootKeys

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

logger = logging.getLogger(__name__)
Texts: TypeAlias = tuple[str, tuple[str, ...]]
_Signature: TypeAlias = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    """What the files held. given: the settings at that time, which win once they are others."""

    given: tuple[Texts, tuple[Path, ...]]
    signature: _Signature
    texts: Texts


_read: _Read | None = None
_lock = threading.Lock()


def root_key() -> RootKey:
    """Wraps with the current root key, unwraps with each. The same object as long as the keys are the same."""
    return _root_key(settings.ROOT_KEY, *_texts())


def follow() -> None:
    """Read the keyring anew if its files are others than before. One that cannot be used is logged, and the one before stays."""
    global _read
    signature = _signature(settings.KEYRING_FILES)
    with _lock:
        if not signature or (_read is not None and _read.given == _given() and _read.signature == signature):
            return
        texts = _texts()
        try:
            texts = settings.READ_KEYRING()
        except (OSError, ImproperlyConfigured) as error:
            logger.warning("The KEK was not read anew: %s", error)
        _read = _Read(_given(), signature, texts)


def _given() -> tuple[Texts, tuple[Path, ...]]:
    return (settings.KEK, tuple(settings.KEK_OTHERS)), tuple(settings.KEYRING_FILES)


def _texts() -> Texts:
    read, given = _read, _given()
    return read.texts if read is not None and read.given == given else given[0]


@lru_cache(maxsize=8)
def _root_key(path: str, kek: str, others: tuple[str, ...]) -> RootKey:
    local = LocalRootKey(kek, *others) if kek else None
    if not path:
        assert local is not None  # noqa: S101  # for the type checker: the start refuses to go on with neither
        return local
    elsewhere = _of_a_kms(path)
    return RootKeys(elsewhere, local) if local else elsewhere


@lru_cache(maxsize=1)
def _of_a_kms(path: str) -> RootKey:
    try:
        made = import_string(path)()
    except ImportError as error:
        raise ImproperlyConfigured(f"ROUTEKIT_ROOT_KEY names nothing that can be imported: {error}.") from None
    if not isinstance(made, RootKey):
        raise ImproperlyConfigured("ROUTEKIT_ROOT_KEY names no RootKey. See docs/guides/keys.md.")
    return made


def _signature(files: Iterable[Path]) -> _Signature:
    """What changes with a file: which one it is, when it was written, its size; None for one that is not there."""

    def of(path: Path) -> tuple[int, int, int] | None:
        try:
            found = path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    return tuple(of(path) for path in files)
