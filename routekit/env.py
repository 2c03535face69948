"""The only reader of the environment. Every name may also be given as NAME_FILE, the path of a file that holds the value.

Two modes. Embedded: `make up` has made `$ROUTEKIT_HOME/embedded.json`, and keys, database and Valkey live under that
folder. Otherwise (a deployment) SECRET_KEY, KEK, DATABASE_URL and REDIS_URL come from the environment, and a missing or
weak key stops the start with its name. Setting SECRET_KEY or KEK leaves the embedded mode.

KEK wraps data keys; those of KEK_OTHERS (separated by white space) only unwrap, while one KEK takes over from another. Where they
lie in files, `read_keyring` reads them anew in a process that runs.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from routekit import single_sign_on
from routekit.key_strength import MIN_KEY_LENGTH, strong

BASE_DIR: Final = Path(__file__).resolve().parent.parent

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class _Environment(environ.FileAwareEnv):  # type: ignore[misc]  # environ has no types
    """What cannot be read is refused with its variable's name, never with its value, which may be a secret."""

    def get_value(self, var: str, cast: Any = None, **options: Any) -> Any:
        try:
            return super().get_value(var, cast=cast, **options)
        except ValueError:
            raise ImproperlyConfigured(f"{var} is not a number. Set it to one, or unset it.") from None
        except OSError as error:
            raise ImproperlyConfigured(f"{var}_FILE names a file that cannot be read ({error.strerror}).") from None


_env = _Environment()

HOME: Final = Path(_env.str("ROUTEKIT_HOME", default=str(BASE_DIR / ".routekit"))).absolute()
EMBEDDED: Final = (HOME / "embedded.json").is_file() and not any(
    name in os.environ for name in ("SECRET_KEY", "SECRET_KEY_FILE", "KEK", "KEK_FILE")
)


def _file_of(name: str) -> Path | None:
    """Where a key lies: NAME_FILE, or in the embedded mode its file under HOME."""
    if EMBEDDED:
        return HOME / "keys" / name.lower()
    named = os.environ.get(f"{name}_FILE")
    return Path(named) if named else None


def _kept(path: Path) -> str:
    """A key that `make up` made. Raises ImproperlyConfigured for one that is gone, or that a full disk or a power cut left empty."""
    try:
        value = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{path} cannot be read ({error}). Restore it from a backup.") from None
    if not value:
        raise ImproperlyConfigured(f"{path} is empty. Restore it from a backup.")
    return value


def _key(name: str, *, required: bool = True) -> str:
    """A key from the environment, or in the embedded mode from its file under HOME. Refuses what is missing or weak."""
    if EMBEDDED:
        return _kept(HOME / "keys" / name.lower())
    value: str = _env.str(name, default="")
    if not value and not required:
        return ""
    if not value:
        raise ImproperlyConfigured(f"{name} is missing. Set {name} or {name}_FILE to at least {MIN_KEY_LENGTH} random characters.")
    return strong(name, value)


def _keyring() -> tuple[str, tuple[str, ...]]:
    """The KEK and the others, as they are at the start. Raises ImproperlyConfigured for one that is missing, weak, or the SECRET_KEY."""
    kek = _key("KEK", required=not ROOT_KEY)
    if EMBEDDED:
        return kek, read_keyring()[1]
    others: str = _env.str("KEK_OTHERS", default="")
    return kek, _checked(kek, others)


def _checked(kek: str, others: str) -> tuple[str, ...]:
    found = tuple(strong("KEK_OTHERS", other) for other in others.split())
    if kek and kek == SECRET_KEY:
        raise ImproperlyConfigured("KEK is the SECRET_KEY. Set it to random characters of its own.")
    if SECRET_KEY in found:
        raise ImproperlyConfigured("KEK_OTHERS names the SECRET_KEY. A KEK has random characters of its own.")
    return found


def read_keyring() -> tuple[str, tuple[str, ...]]:
    """The KEK and the others, read anew where they lie in files. Raises OSError and ImproperlyConfigured."""
    kek_file, others_file = _file_of("KEK"), _file_of("KEK_OTHERS")
    if EMBEDDED:
        return _key("KEK"), tuple(others_file.read_text().split()) if others_file and others_file.exists() else ()
    kek = kek_file.read_text().strip() if kek_file else KEK
    return strong("KEK", kek) if kek_file else kek, _checked(kek, others_file.read_text() if others_file else " ".join(KEK_OTHERS))


def _flag(name: str, *, default: bool) -> bool:
    """On or off; a word that is neither would silently mean off."""
    text = _env.str(name, default="").strip().lower()
    if text and text not in {*environ.Env.BOOLEAN_TRUE_STRINGS, "false", "off", "n", "no", "0"}:
        raise ImproperlyConfigured(f"{name} is neither on nor off. Set it to 1 or 0.")
    return text in environ.Env.BOOLEAN_TRUE_STRINGS if text else default


def _mebibytes(name: str, *, default: float) -> int:
    """A size that is given in MB, in bytes; 0 for a quota is none."""
    return int(_env.float(name, default=default) * 1024 * 1024)


def _options(name: str) -> dict[str, Any]:
    try:
        given = json.loads(_env.str(name, default="") or "{}")
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise ImproperlyConfigured(f"{name} is not a JSON object.")
    return given


def _log_level() -> str:
    level: str = _env.str("ROUTEKIT_LOG_LEVEL", default="INFO").upper()
    if level not in LOG_LEVELS:
        raise ImproperlyConfigured(f"ROUTEKIT_LOG_LEVEL is none of {', '.join(LOG_LEVELS)}.")
    return level


def _origin(name: str) -> str:
    """`https://host[:port]`, or "": then links name the host that was asked for, which is one of ALLOWED_HOSTS."""
    origin: str = _env.str(name, default="").rstrip("/")
    parts = urlsplit(origin)
    if origin and (parts.scheme not in {"http", "https"} or not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}"):
        raise ImproperlyConfigured(f"{name} is not an origin. Write it as https://routekit.example.com, without a path.")
    return origin


def _is_redis_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "unix" or (parts.scheme in {"redis", "rediss"} and parts.port != 0)
    except ValueError:
        return False


def _redis_url() -> str:
    """REDIS_URL, or in the embedded mode the URL that `make up` wrote when it started Valkey."""
    if REDIS_URL_GIVEN:
        if not _is_redis_url(REDIS_URL_GIVEN):
            raise ImproperlyConfigured("REDIS_URL is not a server's address. Write it as redis://:PASSWORD@HOST:6379/0.")
        return REDIS_URL_GIVEN
    written = HOME / "run" / "redis.url"
    if EMBEDDED and written.is_file():
        return written.read_text().strip()
    return "redis://127.0.0.1:6379/0"


def _embedded_facts() -> dict[str, object]:
    path = HOME / "embedded.json"
    try:
        facts: dict[str, object] = json.loads(path.read_text()) if EMBEDDED else {}
    except (OSError, ValueError):
        raise ImproperlyConfigured(f"{path} cannot be read. Mend it, or remove it: the next `make up` writes it anew.") from None
    return facts


SECRET_KEY: Final = _key("SECRET_KEY")
ROOT_KEY: Final = _env.str("ROUTEKIT_ROOT_KEY", default="")
"""The dotted path of a RootKey, which then wraps in place of the KEK; a KEK beside it still unwraps."""
KEK, KEK_OTHERS = _keyring()
KEYRING_FILES: Final = tuple(path for path in (_file_of("KEK"), _file_of("KEK_OTHERS")) if path)
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
HTTPS: Final = _flag("ROUTEKIT_HTTPS", default=not EMBEDDED)

ADMIN_PASSWORD: Final = _env.str("ROUTEKIT_ADMIN_PASSWORD", default="")
SIGNUP: Final = _flag("ROUTEKIT_SIGNUP", default=False)
ORIGIN: Final = _origin("ROUTEKIT_ORIGIN")
SESSION_IDLE_S: Final = _env.int("ROUTEKIT_SESSION_IDLE", default=7 * 86_400)
SESSION_MAX_S: Final = _env.int("ROUTEKIT_SESSION_MAX", default=30 * 86_400)
LOGIN_PAUSE_S: Final = _env.int("ROUTEKIT_LOGIN_PAUSE", default=900)
THROTTLE_PER_MINUTE: Final = _env.int("ROUTEKIT_THROTTLE", default=6000)
FAILED_TOKENS_PER_MINUTE: Final = _env.int("ROUTEKIT_FAILED_TOKENS", default=600)
OIDC: Final = single_sign_on.oidc(_env.str)
SAML: Final = single_sign_on.saml(_env.str)


def _mail() -> dict[str, Any]:
    """Django's settings of the mail server that ROUTEKIT_EMAIL_URL names; none where it is unset."""
    url: str = _env.str("ROUTEKIT_EMAIL_URL", default="")
    if not url:
        return {}
    try:
        found: dict[str, Any] = environ.Env.email_url_config(url)
    except (KeyError, ValueError, ImproperlyConfigured):  # none of which is to show the address, for it may hold a password
        found = {}
    if not found.get("EMAIL_HOST"):
        raise ImproperlyConfigured("ROUTEKIT_EMAIL_URL is not a mail server's address. Write it as smtp+tls://USER:PASSWORD@HOST:587.")
    return found


MAIL: Final = _mail()
MAIL_FROM: Final = _env.str("ROUTEKIT_EMAIL_FROM", default="routekit@localhost")

DEMO: Final = _flag("ROUTEKIT_DEMO", default=EMBEDDED)
DEMO_SERVICE_URL: Final = _env.str("ROUTEKIT_DEMO_SERVICE_URL", default=str(_facts.get("demo_service_url", "")))
PRIVATE_HOSTS: Final[list[str]] = sorted(
    {*_env.list("ROUTEKIT_PRIVATE_HOSTS", default=[]), *(str(host) for host in _facts.get("private_hosts", []))}  # type: ignore[attr-defined]
)

MAX_MESSAGE_CHARS: Final = _env.int("ROUTEKIT_MAX_MESSAGE_CHARS", default=200_000)
MAX_BYTES: Final = {
    "image": _mebibytes("ROUTEKIT_MAX_IMAGE_MB", default=20),
    "document": _mebibytes("ROUTEKIT_MAX_DOCUMENT_MB", default=32),
    "text": _mebibytes("ROUTEKIT_MAX_TEXT_FILE_MB", default=1),
    "audio": _mebibytes("ROUTEKIT_MAX_AUDIO_MB", default=32),
    "video": _mebibytes("ROUTEKIT_MAX_VIDEO_MB", default=64),
}
"""Of one attachment, by kind; `text` is a document that is read as text."""
MAX_IMAGE_PIXELS: Final = int(_env.float("ROUTEKIT_MAX_IMAGE_MEGAPIXELS", default=50) * 1_000_000)
MAX_INLINE_BYTES: Final = _mebibytes("ROUTEKIT_MAX_INLINE_MB", default=16)
MAX_REQUEST_MEDIA_BYTES: Final = _mebibytes("ROUTEKIT_MAX_REQUEST_MEDIA_MB", default=64)
ATTACHMENTS_QUOTA: Final = _mebibytes("ROUTEKIT_ATTACHMENTS_QUOTA_MB", default=10_000)
ATTACHMENTS_STORAGE: Final = _env.str("ROUTEKIT_ATTACHMENTS_STORAGE", default="django.core.files.storage.FileSystemStorage")
ATTACHMENTS_OPTIONS: Final[dict[str, Any]] = _options("ROUTEKIT_ATTACHMENTS_OPTIONS")
ATTACHMENT_UNUSED_S: Final = _env.float("ROUTEKIT_ATTACHMENT_UNUSED", default=86_400.0)

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
MODELS_REFRESH_S: Final = _env.float("ROUTEKIT_MODELS_REFRESH", default=86_400.0)
AUDIT_HEADS_S: Final = _env.float("ROUTEKIT_AUDIT_HEADS", default=300.0)
"""How often the heads of the audit chains are written out; 0 for never."""
AUDIT_HEADS_FILE: Final = _env.str("ROUTEKIT_AUDIT_HEADS_PATH", default=str(HOME / "audit-heads.jsonl"))
AUDIT_ARCHIVE: Final = _env.str("ROUTEKIT_AUDIT_ARCHIVE", default="")
"""The folder that takes audit events which their retention removes; empty for none."""
KEY_GRACE_S: Final = _env.float("ROUTEKIT_KEY_GRACE", default=86_400.0)
"""So long a replaced provider key is kept sealed, to be brought back; 0 keeps none."""
KEY_CHECK_S: Final = _env.float("ROUTEKIT_KEY_CHECK", default=10.0)
"""So long a new key may take to be checked before it replaces one that works."""
ROTATION_GRACE_S: Final = _env.float("ROUTEKIT_ROTATION_GRACE", default=60.0)
"""So long a replaced data key or KEK is kept for what was under way with it."""
WEB_THREADS: Final = _env.int("ROUTEKIT_WEB_THREADS", default=16)
WORKER_SLOTS: Final = _env.int("ROUTEKIT_WORKER_SLOTS", default=256)
LOG_LEVEL: Final = _log_level()


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
        "AZURE_OPENAI_DEPLOYMENT",
        "AZURE_OPENAI_DEPLOYMENT_NAME",
        "OLLAMA_HOST",
    )
    return {name: value for name in names if (value := _env.str(name, default=""))}
