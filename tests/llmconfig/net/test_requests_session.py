"""A requests session under the guard: what it dials, what it follows, how much it reads."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.net import EgressPolicy
from llmconfig.net.requests_session import MAX_BYTES, ExchangeFailed, GuardedSession

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Server:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: Any) -> None: ...

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                server.seen.append(
                    (self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, self.rfile.read(length))
                )
                if self.path == "/redirect":
                    self.send_response(302)
                    self.send_header("Location", "/elsewhere")
                    self.end_headers()
                    return
                body = b"x" * (MAX_BYTES + 1) if self.path == "/huge" else b'{"ok": true}'
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Set-Cookie", "tracker=1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.http.server_address[1]}"
        self.url = f"http://{self.host}"


@pytest.fixture
def server() -> Iterator[_Server]:
    running = _Server()
    threading.Thread(target=running.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield running
    running.http.shutdown()
    running.http.server_close()


@pytest.fixture
def session(server: _Server) -> Iterator[GuardedSession]:
    with GuardedSession(EgressPolicy(frozenset({server.host}))) as opened:
        yield opened


def test_question_and_answer(session: GuardedSession, server: _Server) -> None:
    answer = session.post(f"{server.url}/token?x=1", data={"code": "a b"}, auth=("me", "secret"), timeout=5)
    assert (answer.status_code, answer.json(), answer.headers["content-type"]) == (200, {"ok": True}, "application/json")
    method, path, headers, body = server.seen[0]
    assert (method, path, body) == ("POST", "/token?x=1", b"code=a+b")
    assert headers["authorization"].startswith("Basic ")
    assert headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/",
        "http://localhost/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:127.0.0.1]:1/",
        "http://2130706433/",
    ],
)
def test_promise_13_private_and_metadata_addresses_are_not_dialled(url: str) -> None:
    with GuardedSession(EgressPolicy()) as session, pytest.raises(ExchangeFailed):
        session.get(url)


def test_promise_14_no_redirect_is_followed(session: GuardedSession, server: _Server) -> None:
    answer = session.get(f"{server.url}/redirect", allow_redirects=True)
    assert answer.status_code == 302
    assert [path for _, path, _, _ in server.seen] == ["/redirect"]


def test_an_answer_without_an_end_is_cut(session: GuardedSession, server: _Server) -> None:
    with pytest.raises(ExchangeFailed, match="longer than"):
        session.get(f"{server.url}/huge")


def test_no_cookies_and_nothing_of_the_environment(session: GuardedSession, server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    session.get(f"{server.url}/")
    session.get(f"{server.url}/")
    assert "cookie" not in server.seen[1][2]


def test_promise_15_no_adapter_of_requests_own_is_left(session: GuardedSession) -> None:
    assert {type(adapter).__name__ for adapter in session.adapters.values()} == {"_Guarded"}
    with pytest.raises(Exception, match="No connection adapters"):
        session.get("ftp://127.0.0.1/")
