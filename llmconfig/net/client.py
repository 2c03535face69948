"""The one place where HTTP clients are made (a test reads the source to hold this).

Such a client judges every address it dials, keeps no cookies, reads no proxy or netrc from the environment, follows no
redirects and trusts what the operating system trusts.
"""

from __future__ import annotations

from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING

import httpx2

from llmconfig.llm import Timeouts
from llmconfig.net.transport import GuardedTransport

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from llmconfig.net.policy import EgressPolicy


def build_client(
    policy: EgressPolicy,
    *,
    timeouts: Timeouts = Timeouts(),  # noqa: B008  a frozen value
    headers: Mapping[str, str] | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> httpx2.AsyncClient:
    """A client for one set of credentials, to be closed by the caller. The read timeout is the idle one.

    transport: for tests that put their own resolver and sockets under the guard.
    """
    return httpx2.AsyncClient(
        transport=transport or GuardedTransport(policy, tls=tls_context()),
        timeout=httpx2.Timeout(None, connect=timeouts.connect, read=timeouts.idle),
        headers=dict(headers or {}),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=False,
    )


@cache
def tls_context() -> ssl.SSLContext:
    """One per process: reading the trust store takes longer than a request.

    Whom to trust is the operator's to say, SSL_CERT_FILE and SSL_CERT_DIR included: that opens no way to anywhere.
    SSLKEYLOGFILE would write down what decrypts every key that is sent.
    """
    context = httpx2.create_ssl_context()
    context.keylog_filename = None  # type: ignore[assignment]  # None is what it is without a file
    context.set_alpn_protocols(["http/1.1"])
    return context
