"""An authenticator app: RFC 6238, by the RFC."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.test import Client


def code_of(secret: str, *, steps: int = 0) -> str:
    """The six digits of now. steps: of 30 seconds from now."""
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", int(time.time() // 30) + steps), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def sign_in(client: Client, username: str, password: str, **extra: str):
    return client.post("/accounts/login/", {"login": username, "password": password}, **extra)


def set_up(client: Client) -> str:
    """Activates TOTP for whoever is signed in by the form; returns the app's key."""
    page = client.get("/accounts/2fa/totp/activate/")
    assert page.status_code == 200, page
    secret: str = page.context["form"].secret
    assert client.post("/accounts/2fa/totp/activate/", {"code": code_of(secret)}).status_code == 302
    return secret
