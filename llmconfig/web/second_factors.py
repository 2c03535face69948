"""Authenticator apps, passkeys, recovery codes: sealed at rest, and the last one stays while an organization requires MFA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.utils.html import format_html

from llmconfig.llm import Secret
from llmconfig.models import Organization
from llmconfig.tenancy.audit.keys import key_named, newest_key
from llmconfig.vault import Context, DataKey, Unreadable, key_id_of, open_sealed, seal

if TYPE_CHECKING:
    from llmconfig.models import User

_CHAIN: Final = UUID("6d666100-0000-4000-8000-000000000001")
"""Of no organization: a person's second factors are the same in all of theirs, and outlive each."""
_CONTEXT: Final = Context(table="mfa_authenticator", field="data", organization=str(_CHAIN), owner="", row="any")
"""allauth does not say whose secret it hands over: a sealed one is bound to its table alone."""


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # no stubs
    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "That code is not right. Codes change every 30 seconds: check the clock of your device, or use a recovery code.",
        "cannot_delete_authenticator": "Your organization requires MFA, and this is your last second factor. Add another one first.",
        "unreadable": "Your second factor cannot be checked: the server's key is not the one that sealed it. Tell whoever runs routekit.",
    }

    def encrypt(self, text: str) -> str:
        key_id, material = newest_key(_CHAIN)
        return seal(Secret(text), _CONTEXT, DataKey(key_id, material))

    def decrypt(self, encrypted_text: str) -> str:
        try:
            key_id = key_id_of(encrypted_text)
            return open_sealed(encrypted_text, _CONTEXT, DataKey(key_id, key_named(key_id, _CHAIN))).reveal()
        except Unreadable:
            raise self.validation_error("unreadable") from None

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        factors = Authenticator.objects.filter(user=authenticator.user).exclude(type=Authenticator.Type.RECOVERY_CODES)
        is_last = not factors.exclude(pk=authenticator.pk).exists()
        return not (is_last and Organization.objects.filter(members=authenticator.user, requires_mfa=True).exists())

    def build_totp_svg(self, url: str) -> str:
        """The QR code as an element of the page: an <img> of it would need data: in the content policy."""
        from qrcode.main import QRCode  # noqa: PLC0415  # needed here alone

        code = QRCode(border=2)
        code.add_data(url)
        code.make(fit=True)
        modules = code.get_matrix()
        dark = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(modules) for x, on in enumerate(row) if on)
        size = len(modules)
        label = "QR code for your authenticator app"
        drawn = '<svg class="qr" viewBox="0 0 {0} {0}" role="img" aria-label="{1}"><path d="{2}"/></svg>'
        return format_html(drawn, size, label, dark)

    def generate_authenticator_name(self, user: User, type: Any) -> str:
        count = Authenticator.objects.filter(user=user, type=type).count()
        return f"Passkey {count + 1}"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {**super().get_public_key_credential_rp_entity(), "name": "routekit"}
