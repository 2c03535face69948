"""The ciphertext, and the only module that imports django_cryptography.

    v1.<key id>.<base64url, unpadded, of a Fernet-shaped token>

The token is FernetBytes' own: 0x80, eight bytes of time (always 0: when a value was sealed is nobody's business), a 16-byte
IV, AES-256-CBC of the JSON of the secret's text, HMAC-SHA256 of all before it. Its two 32-byte keys are the HKDF-SHA256 of
the data key with the value's context as info (values.Context.info), so a token moved elsewhere fails its HMAC. The key id
names the organization's data key; several may be in use while one is replaced. docs/adr says why not the fork's `encrypt()`.

FernetBytes takes key and signer explicitly; Django's settings lend it nothing but the name of a backend.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django_cryptography.core.signing import BadSignature, FernetSigner
from django_cryptography.utils.crypto import FernetBytes, InvalidToken

from llmconfig.llm import Secret
from llmconfig.vault.values import Unreadable

if TYPE_CHECKING:
    from llmconfig.vault.keys import DataKey
    from llmconfig.vault.values import Context

VERSION: Final = "v1"


def derive(material: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(material)


def _fernet(material: bytes, info: bytes) -> FernetBytes:
    keys = derive(material, info, 64)
    return FernetBytes(keys[:32], FernetSigner(keys[32:]))  # pyright: ignore[reportArgumentType]  # its stub narrows an argument it leaves out


def encrypt(material: bytes, info: bytes, plaintext: bytes) -> bytes:
    return _fernet(material, info).encrypt_at_time(plaintext, 0)


def decrypt(material: bytes, info: bytes, token: bytes) -> bytes:
    """Raises `Unreadable`, whatever is wrong."""
    try:
        return _fernet(material, info).decrypt(token)
    except (BadSignature, InvalidToken, ValueError):
        raise Unreadable("This value was not sealed here, or not with this key.") from None


def seal(secret: Secret, context: Context, data_key: DataKey) -> str:
    token = encrypt(data_key.material, context.info(), json.dumps(secret.reveal()).encode())
    return f"{VERSION}.{data_key.key_id}.{base64.urlsafe_b64encode(token).decode().rstrip('=')}"


def open_sealed(text: str, context: Context, data_key: DataKey) -> Secret:
    """Raises `Unreadable`; never returns what was stored."""
    if key_id_of(text) != data_key.key_id:
        raise Unreadable("This value was sealed with another key.")
    encoded = text.rsplit(".", 1)[1]
    try:
        token = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("This is not a sealed value.") from None
    opened: object = json.loads(decrypt(data_key.material, context.info(), token))
    if not isinstance(opened, str):
        raise Unreadable("This is not a sealed text.")
    return Secret(opened)


def key_id_of(text: str) -> str:
    """Which data key a ciphertext asks for. Raises `Unreadable` for what is no ciphertext."""
    version, _, rest = text.partition(".")
    key_id, _, token = rest.partition(".")
    if version != VERSION or not key_id or not token or "." in token:
        raise Unreadable("This is not a sealed value.")
    return key_id


def fingerprint(secret: Secret, data_key: DataKey) -> str:
    """16 hex digits that tell whether two keys of one organization are the same, and nothing to who lacks the data key."""
    key = derive(data_key.material, b"v1|fingerprint", 32)
    return hmac.digest(key, secret.reveal().encode(), "sha256").hex()[:16]
