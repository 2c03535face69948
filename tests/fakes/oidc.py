"""A provider of identities on loopback: OpenID Connect discovery, authorization, token, userinfo and keys, as specified.

Tests bend one answer at a time through `FakeIssuer`'s fields.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class FakeIssuer:
    """claims: of whoever signs in next. bend: changes the id token's claims before they are signed. requests: (method, path) seen."""

    client_id, client_secret = "routekit", "s3cret-of-the-client"

    def __init__(self) -> None:
        issuer = self
        self.claims: dict[str, Any] = {
            "sub": "1001",
            "email": "alice@meridian.example",
            "email_verified": True,
            "preferred_username": "alice.m",
        }
        self.bend: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.discovery: dict[str, Any] = {}
        self.key: Any = _KEY
        self.algorithm = "RS256"
        self.requests: list[tuple[str, str]] = []
        self.authorizations: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: Any) -> None: ...

            def do_GET(self) -> None:
                issuer.answer_get(self)

            def do_POST(self) -> None:
                issuer.answer_post(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.issuer = f"http://{self.host}/realms/main"

    def __enter__(self) -> FakeIssuer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def authorize(self, address: str) -> dict[str, str]:
        """What the person's browser does at the authorization endpoint: signs in, and is sent back with these parameters."""
        assert address.startswith(f"{self.issuer}/authorize?"), address
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == self.client_id
        assert asked["code_challenge_method"] == "S256"
        self.authorizations.append(asked)
        code = secrets.token_urlsafe(8)
        self._codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def answer_get(self, handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        self.requests.append(("GET", path))
        if path == "/realms/main/.well-known/openid-configuration":
            _send(handler, 200, {**self._configuration(), **self.discovery})
        elif path == "/realms/main/keys":
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(_KEY.public_key()))
            _send(handler, 200, {"keys": [{**public, "kid": "one", "use": "sig", "alg": "RS256"}]})
        elif path == "/realms/main/userinfo" and handler.headers["Authorization"] == "Bearer access-1001":
            _send(handler, 200, {**self.claims, **self.userinfo})
        else:
            _send(handler, 404, {})

    def answer_post(self, handler: BaseHTTPRequestHandler) -> None:
        form = {name: values[0] for name, values in parse_qs(handler.rfile.read(int(handler.headers["Content-Length"])).decode()).items()}
        self.requests.append(("POST", handler.path))
        asked = self._codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            _send(handler, 400, {"error": "invalid_grant"})
        elif (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            _send(handler, 401, {"error": "invalid_client"})
        else:
            now = int(time.time())
            claims = {"iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + 300, "nonce": asked.get("nonce"), **self.claims}
            claims = {name: value for name, value in {**claims, **self.bend}.items() if value is not None}
            key = self.key if self.algorithm != "none" else None
            token = jwt.encode(claims, key, algorithm=self.algorithm, headers={"kid": "one"})
            _send(handler, 200, {"access_token": "access-1001", "token_type": "Bearer", "expires_in": 300, "id_token": token})

    def _configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
        }


def _send(handler: BaseHTTPRequestHandler, status: int, body: dict[str, Any]) -> None:
    content = json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
