"""The only reader of the environment. Every name may also be given as NAME_FILE, the path of a file that holds the value.

Two modes. Embedded: `make up` has made `$ROUTEKIT_HOME/embedded.json`, and keys, database and Valkey live under that
folder. Otherwise (a deployment) SECRET_KEY, KEK, DATABASE_URL and REDIS_URL come from the environment, and a missing or
weak key stops the start with its name. Setting SECRET_KEY or KEK leaves the embedded mode.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR: Final = Path(__file__).resolve().parent.parent
MIN_KEY_LENGTH: Final = 32

_env = environ.FileAwareEnv()

HOME: Final = Path(_env.str("ROUTEKIT_HOME", default=str(BASE_DIR / ".routekit"))).absolute()
EMBEDDED: Final = (HOME / "embedded.json").is_file() and not any(
    name in _env for name in ("SECRET_KEY", "SECRET_KEY_FILE", "KEK", "KEK_FILE")
)


def _key(name: str) -> str:
    """A key from the environment, or in the embedded mode from its file under HOME. Refuses what is missing or weak."""
    if EMBEDDED:
        path = HOME / "keys" / name.lower()
        try:
            return path.read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{path} cannot be read ({error.strerror}). Restore it from a backup.") from None
    value: str = _env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(f"{name} is missing. Set {name} or {name}_FILE to at least {MIN_KEY_LENGTH} random characters.")
    if len(value) < MIN_KEY_LENGTH or len(set(value)) < 8 or value.startswith("django-insecure-"):
        raise ImproperlyConfigured(f"{name} is weak. Set it to at least {MIN_KEY_LENGTH} random characters.")
    return value


def _redis_url() -> str:
    """REDIS_URL, or in the embedded mode the URL that `make up` wrote when it started Valkey."""
    if REDIS_URL_GIVEN:
        return REDIS_URL_GIVEN
    written = HOME / "run" / "redis.url"
    if EMBEDDED and written.is_file():
        return written.read_text().strip()
    return "redis://127.0.0.1:6379/0"


def _embedded_facts() -> dict[str, object]:
    return json.loads((HOME / "embedded.json").read_text()) if EMBEDDED else {}


SECRET_KEY: Final = _key("SECRET_KEY")
KEK: Final = _key("KEK")
DEBUG: Final = False

DATABASE_URL: Final = _env.str("DATABASE_URL", default="")
if not DATABASE_URL and not EMBEDDED:
    raise ImproperlyConfigured("DATABASE_URL is missing. Set it to postgres://USER:PASSWORD@HOST/NAME, or start with `make up`.")
REDIS_URL_GIVEN: Final[str] = _env.str("REDIS_URL", default="")
REDIS_URL: Final = _redis_url()

_facts = _embedded_facts()
HOST: Final = _env.str("HOST", default="127.0.0.1")
PORT: Final = _env.int("PORT", default=8000)
ALLOWED_HOSTS: Final[list[str]] = _env.list("ALLOWED_HOSTS", default=sorted({"localhost", "127.0.0.1", "[::1]", HOST}) if EMBEDDED else [])
CSRF_TRUSTED_ORIGINS: Final[list[str]] = _env.list("CSRF_TRUSTED_ORIGINS", default=[])
HTTPS: Final = _env.bool("ROUTEKIT_HTTPS", default=not EMBEDDED)

ADMIN_PASSWORD: Final = _env.str("ROUTEKIT_ADMIN_PASSWORD", default="")

DEMO: Final = _env.bool("ROUTEKIT_DEMO", default=EMBEDDED)
DEMO_SERVICE_URL: Final = _env.str("ROUTEKIT_DEMO_SERVICE_URL", default=str(_facts.get("demo_service_url", "")))
PRIVATE_HOSTS: Final[list[str]] = sorted(
    {*_env.list("ROUTEKIT_PRIVATE_HOSTS", default=[]), *(str(host) for host in _facts.get("private_hosts", []))}  # type: ignore[attr-defined]
)

MAX_MESSAGE_CHARS: Final = _env.int("ROUTEKIT_MAX_MESSAGE_CHARS", default=200_000)
MAX_STEPS: Final = _env.int("ROUTEKIT_MAX_STEPS", default=25)
APPROVAL_TTL_S: Final = _env.int("ROUTEKIT_APPROVAL_TTL", default=600)
LEASE_S: Final = _env.float("ROUTEKIT_LEASE", default=20.0)
HEARTBEAT_S: Final = _env.float("ROUTEKIT_HEARTBEAT", default=5.0)
SWEEP_S: Final = _env.float("ROUTEKIT_SWEEP", default=5.0)
CONNECT_TIMEOUT_S: Final = _env.float("ROUTEKIT_CONNECT_TIMEOUT", default=10.0)
FIRST_TOKEN_TIMEOUT_S: Final = _env.float("ROUTEKIT_FIRST_TOKEN_TIMEOUT", default=120.0)
IDLE_TIMEOUT_S: Final = _env.float("ROUTEKIT_IDLE_TIMEOUT", default=60.0)
RUN_TIMEOUT_S: Final = _env.float("ROUTEKIT_RUN_TIMEOUT", default=1800.0)
TOOL_TIMEOUT_S: Final = _env.float("ROUTEKIT_TOOL_TIMEOUT", default=120.0)
WEB_THREADS: Final = _env.int("ROUTEKIT_WEB_THREADS", default=16)
WORKER_SLOTS: Final = _env.int("ROUTEKIT_WORKER_SLOTS", default=256)
LOG_LEVEL: Final = _env.str("ROUTEKIT_LOG_LEVEL", default="INFO")


def provider_keys() -> dict[str, str]:
    """The shared keys that `import_env_keys` turns into configs: the variables that are set, by name."""
    names = (
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_BASE_URL",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "GEMINI_API_KEY",
        "AZURE_OPENAI_API_KEY",
        "AZURE_OPENAI_ENDPOINT",
        "AZURE_OPENAI_API_VERSION",
        "OLLAMA_HOST",
    )
    return {name: value for name in names if (value := _env.str(name, default=""))}
