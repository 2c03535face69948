"""Why a connection was not made, as httpx2 errors: an SDK treats them like any other failed connect.

Messages are reasons in plain words; whoever shows them says which host.
"""

from __future__ import annotations

import httpx2


class AddressForbidden(httpx2.ConnectError):
    """The policy forbids the address. The message is a whole sentence for people."""


class NameNotResolved(httpx2.ConnectError):
    """The host's name has no address."""


class CertificateRefused(httpx2.ConnectError):
    """TLS failed: the certificate is not trusted, or no secure connection could be agreed."""
