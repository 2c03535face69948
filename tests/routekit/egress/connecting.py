"""Reads a source for whatever could open a connection past the guard: what it imports, and what it calls."""

from __future__ import annotations

import ast
from typing import Final

OPENS: Final = frozenset(
    {
        *("socket.socket", "socket.create_connection", "socket.socketpair", "socket.fromfd", "socket.create_server"),
        *("asyncio.open_connection", "asyncio.open_unix_connection", "asyncio.start_server"),
        *("httpx2.AsyncClient", "httpx2.Client", "httpx2.AsyncHTTPTransport", "httpx2.HTTPTransport"),
        *(f"httpx2.{verb}" for verb in ("get", "post", "put", "patch", "delete", "head", "options", "request", "stream")),
        *(f"aiohttp.{name}" for name in ("ClientSession", "TCPConnector", "UnixConnector", "request")),
        *("mcp.client.stdio.stdio_client", "mcp.client.websocket.websocket_client"),
        *("asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"),
        *(f"os.{name}" for name in ("system", "popen", "execv", "execve", "execvp", "spawnv", "posix_spawn", "fork")),
        *("redis.Redis", "redis.asyncio.Redis", "redis.from_url", "redis.asyncio.from_url", "redis.StrictRedis"),
        *("llmconfig.net.transport.GuardedTransport", "llmconfig.net.client.build_client", "llmconfig.net.build_client"),
    }
)
"""Whole names of what is called."""
WHOLE: Final = frozenset(
    {
        *(
            "httpx",
            "requests",
            "urllib3",
            "urllib.request",
            "http.client",
            "pycurl",
            "httpcore",
            "httpcore2",
            "niquests",
            "tornado",
            "treq",
        ),
        *("websockets", "websocket", "wsproto", "grpc", "boto3", "botocore", "paramiko", "smtplib", "imaplib", "poplib", "nntplib"),
        *("ftplib", "telnetlib", "xmlrpc.client", "socketserver", "ssl", "subprocess", "multiprocessing", "pty", "webbrowser"),
        *(
            "psycopg",
            "ldap3",
            "PIL",
            "cairosvg",
            "lxml",
            "weasyprint",
            "xml.sax",
            "google.genai",
            "google.auth",
            "azure.identity",
            "ollama",
        ),
        *("django.core.mail", "requests_oauthlib", "oauthlib", "httpx_aiohttp", "aiohttp.connector"),
    }
)
"""Modules of which nothing may be imported."""
METHODS: Final = frozenset(
    {"create_connection", "create_unix_connection", "create_datagram_endpoint", "sock_connect", "urlopen", "urlretrieve"}
    | {"open_connection", "open_unix_connection", "connect_tcp", "connect_unix", "open_tcp_stream"}
)
"""Called on whatever object."""
SDKS: Final = frozenset({"AsyncOpenAI", "OpenAI", "AsyncAzureOpenAI", "AzureOpenAI", "AsyncAnthropic", "Anthropic"})
"""Clients of vendors, which make a client of their own where they are given none; of MCP, likewise."""
OWN_CLIENT: Final = {**dict.fromkeys(SDKS, "http_client"), "streamable_http_client": "http_client", "sse_client": "httpx_client_factory"}


def connections(source: str) -> list[str]:
    """What the source uses of all that, in its order."""
    tree = ast.parse(source)
    names = _names(tree)
    found = [
        module for module in dict.fromkeys(names.values()) if any(module == whole or module.startswith(f"{whole}.") for whole in WHOLE)
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found += _called(node, names)
    return list(dict.fromkeys(found))


def _names(tree: ast.AST) -> dict[str, str]:
    """What each name of the source stands for, wherever it is imported; for type checkers alone does not count."""
    names: dict[str, str] = {}
    for node in _at_run_time(tree):
        match node:
            case ast.Import():
                names |= {alias.asname or alias.name: alias.name for alias in node.names}
            case ast.ImportFrom():
                names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            case ast.Call() if module := _imported(node):
                names[f"import_module {module}"] = module
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)) if module := _imported(node.value):
                names[name] = module
    return names


def _imported(node: ast.AST | None) -> str:
    """The module that this call imports by its name; "" for anything else."""
    if isinstance(node, ast.Call) and node.args and _dotted(node.func) in ("import_module", "importlib.import_module", "__import__"):
        given = node.args[0]
        return str(given.value) if isinstance(given, ast.Constant) else ""
    return ""


def _at_run_time(tree: ast.AST) -> list[ast.AST]:
    found: list[ast.AST] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        found.append(node)
        if isinstance(node, ast.If) and _dotted(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)
    return found


def _called(node: ast.Call, names: dict[str, str]) -> list[str]:
    written = _dotted(node.func)
    head, dot, rest = written.partition(".")
    whole = f"{names.get(head, head)}{dot}{rest}"
    called = whole.rpartition(".")[2]
    if called in OWN_CLIENT:
        return [] if any(keyword.arg == OWN_CLIENT[called] for keyword in node.keywords) else [f"{called} without a client of ours"]
    if whole in OPENS or any(whole.startswith(f"{name}.") for name in OPENS):
        return [whole]
    return [f".{called}"] if called in METHODS and dot else []


def _dotted(node: ast.AST) -> str:
    """`a.b.c` as it is written; a call or subscript in between is `()`."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "()"
