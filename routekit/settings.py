"""Django's settings, with sign_in_settings.py and celery_settings.py. What differs between installations comes from `routekit.env`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from routekit import env
from routekit.celery_settings import *  # noqa: F403  # each of its names is a setting
from routekit.sign_in_settings import *  # noqa: F403

if TYPE_CHECKING:
    import logging

BASE_DIR = env.BASE_DIR
SECRET_KEY = env.SECRET_KEY
DEBUG = env.DEBUG
ALLOWED_HOSTS = env.ALLOWED_HOSTS
CSRF_TRUSTED_ORIGINS = env.CSRF_TRUSTED_ORIGINS

INSTALLED_APPS = [
    "llmconfig",
    "agent",
    "routekit.admin.AuditedAdminConfig",  # urls.py discovers: a worker has no use for the admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.usersessions",
    "axes",
    "csp",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "rest_framework",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "llmconfig.web.headers.PrivacyHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "llmconfig.web.sessions.SessionAges",
    "llmconfig.web.mfa_policy.RequiredMFA",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "routekit.urls"
ASGI_APPLICATION = "routekit.asgi.application"
WEB_THREADS = env.WEB_THREADS
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "llmconfig.tenancy.context.organization",
            ],
        },
    }
]

# --- data

DATABASES_KNOWN = {"postgres", "postgresql", "sqlite"}


def _database() -> dict[str, Any]:
    """Postgres with a psycopg pool, or SQLite in WAL mode whose transactions begin IMMEDIATE (a write never waits to upgrade its lock)."""
    if not env.DATABASE_URL:
        env.HOME.mkdir(parents=True, exist_ok=True)
    url = env.DATABASE_URL or f"sqlite:///{env.HOME / 'routekit.sqlite3'}"
    try:
        database: dict[str, Any] = environ.Env.db_url_config(url) if urlsplit(url).scheme in DATABASES_KNOWN else {}
    except ValueError:
        database = {}
    if not database:
        raise ImproperlyConfigured("DATABASE_URL is not a database's address. Write it as postgres://USER:PASSWORD@HOST:PORT/NAME.")
    if "sqlite" in database["ENGINE"]:
        database["ENGINE"] = "routekit.sqlite"
        database["CONN_MAX_AGE"] = 60  # of the web's few threads; a worker's unit of work closes its own
        # secure_delete: what is deleted is overwritten, a shredded data key for instance.
        pragmas = "PRAGMA secure_delete=ON; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=15000; "
        pragmas += "PRAGMA cache_size=-16000;"
        database["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 15, "init_command": pragmas}
    else:
        database["ENGINE"] = "django.db.backends.postgresql"
        database["OPTIONS"] = {**database.get("OPTIONS", {}), "pool": {"min_size": 1, "max_size": 20, "timeout": 10}}
    return database


DATABASES = {"default": _database()}
MIGRATION_MODULES = {"knox": None}  # its own token table is swapped for ours, but its old migrations would make it all the same
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.REDIS_URL
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_connect_timeout": 1.0, "socket_timeout": 1.0},  # of the wait for a Valkey that is away
    }
}

# Attachments lie here as they are: unlike keys they are not sealed, so encrypt the disk, or the bucket.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "attachments": {"BACKEND": env.ATTACHMENTS_STORAGE, "OPTIONS": env.ATTACHMENTS_OPTIONS},
}
if env.ATTACHMENTS_STORAGE.endswith(".FileSystemStorage"):
    _local = {"location": str(env.HOME / "attachments"), "file_permissions_mode": 0o600, "directory_permissions_mode": 0o700}
    STORAGES["attachments"]["OPTIONS"] = {**_local, **env.ATTACHMENTS_OPTIONS}

# --- HTTP

SECURE_SSL_REDIRECT = env.HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.HTTPS else None
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if env.HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.HTTPS
SECURE_HSTS_PRELOAD = env.HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.HTTPS
SESSION_COOKIE_NAME = "__Host-routekit_session" if env.HTTPS else "routekit_session"
CSRF_COOKIE_NAME = "__Host-csrftoken" if env.HTTPS else "csrftoken"  # read by static/js/api.js
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"  # Strict would lose the session on the way back from single sign-on
SESSION_COOKIE_AGE = env.SESSION_MAX_S
SESSION_IDLE_S, SESSION_MAX_S = env.SESSION_IDLE_S, env.SESSION_MAX_S
CSRF_FAILURE_VIEW = "routekit.errors.csrf_failure"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        "img-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "connect-src": [SELF],
    }
}
# Escaped, a character takes up to twelve bytes of JSON; inline media are base64. An uploaded file is not counted: it goes to the disk.
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * env.MAX_MESSAGE_CHARS + env.MAX_INLINE_BYTES * 4 // 3 + 64 * 1024
MAX_BODY_BYTES = max(*env.MAX_BYTES.values(), DATA_UPLOAD_MAX_MEMORY_SIZE) + 1024 * 1024
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # straight from the packages: nothing is collected
WHITENOISE_AUTOREFRESH = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "llmconfig.tenancy.rest.authentication.BearerAuthentication",
        "llmconfig.tenancy.rest.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["llmconfig.tenancy.rest.permissions.IsMember"],
    "DEFAULT_METADATA_CLASS": "llmconfig.tenancy.rest.metadata.Methods",
    "DEFAULT_THROTTLE_CLASSES": ["llmconfig.tenancy.rest.throttling.Throttle"],
    "DEFAULT_PARSER_CLASSES": ["llmconfig.tenancy.rest.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "llmconfig.tenancy.rest.pagination.NewestFirst",
    "DEFAULT_SCHEMA_CLASS": "llmconfig.tenancy.rest.schema.AutoSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
REST_KNOX = {
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_TTL": None,
    "TOKEN_MODEL": "llmconfig.ApiToken",
}
KNOX_TOKEN_MODEL = "llmconfig.ApiToken"  # noqa: S105  # a model's name
DRF_STANDARDIZED_ERRORS = {"EXCEPTION_HANDLER_CLASS": "llmconfig.tenancy.rest.errors.ExceptionHandler"}
SPECTACULAR_SETTINGS = {
    "TITLE": "routekit",
    "DESCRIPTION": "AI agents over your own tools, with your own provider keys.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["llmconfig.tenancy.rest.permissions.Public"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api",
    "PATH_CONVERTER_OVERRIDES": {"id": {"type": "string", "format": "uuid"}},
    "ENUM_NAME_OVERRIDES": {
        "AuditOutcomeEnum": "llmconfig.tenancy.audit.models.Outcome",
        "OutcomeEnum": ["ran", "run_again", "skip"],
        "PartTypeEnum": ["text", "image", "document", "audio", "video"],
        "MediaKindEnum": ["image", "document", "audio", "video"],
        "ProviderKindEnum": ["vendor", "gateway", "self_hosted"],
        "RoleEnum": "llmconfig.tenancy.models.Role",
        "InvitationStatusEnum": ["pending", "accepted", "expired"],
        "ConfigStatusEnum": "llmconfig.models.ConfigStatus",
        "RetiredKeyReasonEnum": "llmconfig.models.retired_key.RetiredKey.Reason",
    },
}

# --- routekit

KEK = env.KEK
KEK_OTHERS = env.KEK_OTHERS
KEYRING_FILES = env.KEYRING_FILES
KEYRING_IS_OURS = env.EMBEDDED  # else whoever runs routekit writes these files
READ_KEYRING = env.read_keyring  # a function: a process that runs reads them anew
ROOT_KEY = env.ROOT_KEY
ROTATION_GRACE_S = env.ROTATION_GRACE_S
THROTTLE_PER_MINUTE = env.THROTTLE_PER_MINUTE
FAILED_TOKENS_PER_MINUTE = env.FAILED_TOKENS_PER_MINUTE
DEMO = env.DEMO
DEMO_SERVICE_URL = env.DEMO_SERVICE_URL
PRIVATE_HOSTS = env.PRIVATE_HOSTS
PROVIDER_KEYS = env.provider_keys  # a function: the keys themselves are no setting
MAX_MESSAGE_CHARS = env.MAX_MESSAGE_CHARS
MAX_BYTES = env.MAX_BYTES
MAX_IMAGE_PIXELS = env.MAX_IMAGE_PIXELS
MAX_REQUEST_MEDIA_BYTES = env.MAX_REQUEST_MEDIA_BYTES
ATTACHMENTS_QUOTA = env.ATTACHMENTS_QUOTA
ATTACHMENT_UNUSED_S = env.ATTACHMENT_UNUSED_S
MAX_STEPS = env.MAX_STEPS
APPROVAL_TTL_S = env.APPROVAL_TTL_S
LEASE_S = env.LEASE_S
HEARTBEAT_S = env.HEARTBEAT_S
RUN_TIMEOUT_S = env.RUN_TIMEOUT_S
TOOL_TIMEOUT_S = env.TOOL_TIMEOUT_S
CONNECT_TIMEOUT_S = env.CONNECT_TIMEOUT_S
FIRST_TOKEN_TIMEOUT_S = env.FIRST_TOKEN_TIMEOUT_S
IDLE_TIMEOUT_S = env.IDLE_TIMEOUT_S
MODELS_REFRESH_S = env.MODELS_REFRESH_S
AUDIT_HEADS_S = env.AUDIT_HEADS_S
AUDIT_HEADS_FILE = env.AUDIT_HEADS_FILE
AUDIT_ARCHIVE = env.AUDIT_ARCHIVE
KEY_GRACE_S = env.KEY_GRACE_S
KEY_CHECK_S = env.KEY_CHECK_S

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True


def _without_traceback(record: logging.LogRecord) -> bool:
    """A stranger's request is no fault of ours: one line says it."""
    record.exc_info = record.exc_text = None
    return True


LOGGING_CONFIG = "routekit.scrubbing.logs.configure"
DEFAULT_EXCEPTION_REPORTER = "routekit.scrubbing.reports.Reporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "routekit.scrubbing.reports.ReporterFilter"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname:<7} {name}: {message}", "style": "{"}},
    "filters": {"without_traceback": {"()": "django.utils.log.CallbackFilter", "callback": _without_traceback}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.LOG_LEVEL},
    "loggers": {
        "axes": {"level": "ERROR"},  # the audit trail and services/signin_events.py say it better
        "httpx2": {"level": "WARNING"},
        "mcp": {"level": "WARNING"},
        "uvicorn.access": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        "routekit.audit": {"level": "WARNING" if env.EMBEDDED else "INFO"},  # at home the file is enough
        "django.security.DisallowedHost": {"filters": ["without_traceback"]},
    },
}
