"""No HTTP client is made outside llmconfig/net: read in the source, so that a forgotten one fails here and not in production."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("llmconfig", "agent", "routekit")
FORBIDDEN_NAMES = {
    "httpx2": {"AsyncClient", "Client", "get", "post", "put", "patch", "delete", "head", "options", "request", "stream"},
    "httpx": {"*"},
    "requests": {"*"},
    "urllib3": {"*"},
    "aiohttp": {"ClientSession", "request", "TCPConnector"},
    "urllib.request": {"*"},
}


def violations(source: str) -> list[str]:
    tree = ast.parse(source)
    aliases: dict[str, str] = {}
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                aliases[(name.asname or name.name).split(".")[0] if not name.asname else name.asname] = name.name
                if FORBIDDEN_NAMES.get(name.name) == {"*"}:
                    found.append(name.name)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            banned = FORBIDDEN_NAMES.get(node.module, set())
            found += [f"{node.module}.{name.name}" for name in node.names if name.name in banned or "*" in banned]
            found += [f"{node.module}.{name.name}" for name in node.names if FORBIDDEN_NAMES.get(f"{node.module}.{name.name}") == {"*"}]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = aliases.get(node.value.id, "")
            if node.attr in FORBIDDEN_NAMES.get(module, set()) and not _annotation_only(tree, node):
                found.append(f"{module}.{node.attr}")
    return found


def _annotation_only(tree: ast.AST, wanted: ast.Attribute) -> bool:
    """Whether the attribute is only named in an annotation; constructing calls it."""
    return not any(isinstance(node, ast.Call) and node.func is wanted for node in ast.walk(tree))


def test_no_client_outside_the_factory() -> None:
    sources = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if ROOT / "llmconfig" / "net" not in path.parents]
    assert len(sources) > 20
    assert {str(path.relative_to(ROOT)): found for path in sources if (found := violations(path.read_text()))} == {}


def test_the_reader_finds_what_it_looks_for() -> None:
    assert violations("import httpx2\nasync def f(): return httpx2.AsyncClient()") == ["httpx2.AsyncClient"]
    assert violations("import aiohttp as a\na.ClientSession()") == ["aiohttp.ClientSession"]
    assert violations("from aiohttp import ClientSession") == ["aiohttp.ClientSession"]
    assert violations("import requests") == ["requests"]
    assert violations("from urllib import request") == ["urllib.request"]
    assert violations("from urllib.request import urlopen") == ["urllib.request.urlopen"]
    assert violations("import httpx2\ndef f(client: httpx2.AsyncClient) -> None: ...") == []
