"""What can be refused from a URL's text alone, when it is saved."""

from __future__ import annotations

import pytest

from llmconfig.net import EgressPolicy, UrlForbidden, check_url

OPEN = EgressPolicy(frozenset({"gpu-02:11434", "127.0.0.1:8001", "[::1]:*", "169.254.169.254:*", "LocalHost:11434"}))


@pytest.mark.parametrize(
    "url",
    [
        "https://api.anthropic.com",
        "https://api.openai.com/v1",
        "http://gpu-02:11434/v1",
        "http://gpu-03/v1",  # a name is judged once it is resolved
        "http://127.0.0.1:8001",
        "http://[::1]:5000/mcp",
        "http://localhost:11434",
        "HTTP://LOCALHOST:11434",
        "https://8.8.8.8",
        "https://bücher.example/v1",
        "https://xn--bcher-kva.example.",
        "http://my_host:80",
        "http://" + "a" * 63 + ".example",
        "https://[2606:4700:4700::1111]:8443/v1?api-version=1",
    ],
)
def test_allowed(url: str) -> None:
    assert check_url(url, OPEN) is None  # anything else is raised


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://example.com", "must begin with https://"),
        ("file:///etc/passwd", "must begin with https://"),
        ("javascript:alert(1)", "must begin with https://"),
        ("//example.com", "must begin with https://"),
        ("example.com/v1", "must begin with https://"),
        ("", "must begin with https://"),
        ("https://", "names no server"),
        ("https:///v1", "names no server"),
        ("http://[fe80::1%25eth0]/", "names no server"),
        ("http://[v1.x]/", "names no server"),
        ("http://a..b/", "names no server"),
        ("http://.example", "names no server"),
        ("http://*.example", "names no server"),
        ("http://☃.example:8", "names no server"),
        ("http://a\u200b.example", "names no server"),
        ("http://" + "a" * 64 + ".example", "names no server"),
        ("http://" + "a." * 127 + "example", "names no server"),
        ("http://\uff11\uff12\uff17.0.0.1:8001", "names no server"),
        ("https://alice:secret@example.com", "user name or password"),
        ("https://api.openai.com@127.0.0.1", "user name or password"),
        ("https://example.com:0", "port must be a number"),
        ("https://example.com:65536", "port must be a number"),
        ("https://example.com:abc", "port must be a number"),
        ("https://exa mple.com", "spaces"),
        ("https://example.com\\@127.0.0.1", "backslashes"),
        ("https://example.com\r\nHost: x", "control characters"),
        ("http://[::1", "not a URL"),
        ("https://example.com/" + "a" * 2048, "longer than 2048"),
        ("http://127.0.0.1:8002", "127.0.0.1 is a private address. An operator must add 127.0.0.1:8002 to ROUTEKIT_PRIVATE_HOSTS first."),
        ("http://localhost", "An operator must add localhost:80 to ROUTEKIT_PRIVATE_HOSTS"),
        ("http://a.localhost:11434", "a.localhost is a private address"),
        ("http://[::ffff:127.0.0.1]:8001", "private address"),
        ("http://10.0.0.1", "10.0.0.1:80"),
        ("http://2130706433:8001", "another spelling of 127.0.0.1"),
        ("http://0x7f.1:8001", "another spelling of 127.0.0.1"),
        ("http://0177.0.0.1:8001", "another spelling of 127.0.0.1"),
        ("http://169.254.169.254/latest/meta-data", "never connects"),
        ("http://[fd00:ec2::254]/", "never connects"),
        ("http://0.0.0.0:8001", "never connects"),
        ("http://224.0.0.1", "never connects"),
    ],
)
def test_refused_in_a_sentence(url: str, sentence: str) -> None:
    with pytest.raises(UrlForbidden) as caught:
        check_url(url, OPEN)
    assert sentence in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_port_is_part_of_the_entry() -> None:
    assert OPEN.lists("gpu-02", 11434)
    assert not OPEN.lists("gpu-02", 22)
    assert OPEN.lists("[::1]", 9)
    assert not EgressPolicy().lists("localhost", 80)
