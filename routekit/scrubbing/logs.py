"""Where a process writes what went wrong: every log record, and the hooks for what nobody caught.

Records are masked as they are made, not in a handler: libraries bring loggers and handlers of their own (uvicorn, Celery), and
a formatter prints the traceback that the record already holds instead of writing one.
"""

from __future__ import annotations

import logging
import logging.config
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from llmconfig.llm import Secret, watch
from routekit.scrubbing import mask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_installed: Final[list[object]] = []
_own: Final[list[Secret]] = []
"""The installation's own secrets, which the settings hold as long as the process lives."""


def configure(config: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG: from here on, nothing is written unmasked."""
    install()
    logging.config.dictConfig(config)
    _watch_settings()


def install() -> None:
    """For this process, once."""
    if _installed:
        return
    make = logging.getLogRecordFactory()
    _installed.append(make)

    def masked(*arguments: Any, **named: Any) -> logging.LogRecord:
        return scrub(make(*arguments, **named))

    logging.setLogRecordFactory(masked)
    logging.captureWarnings(True)
    # A hook that somebody else has set (a test's) writes nothing by itself.
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _write_uncaught
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _log_thread
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _log_unraisable


def scrub(record: logging.LogRecord) -> logging.LogRecord:
    """The record with its message, its traceback and its stack as they may be written."""
    try:
        said = record.getMessage()
        clean = mask(said)
    except Exception:  # noqa: BLE001  # a log call's own mistake, which its handler reports
        _scrub_broken(record)
    else:
        if clean != said:
            record.msg, record.args = clean, None
    if isinstance(record.exc_info, tuple) and record.exc_info[0] is not None:
        record.exc_text = _traceback(*record.exc_info)
    if record.stack_info:
        record.stack_info = mask(record.stack_info)
    return record


def _scrub_broken(record: logging.LogRecord) -> None:
    """The handler would print message and arguments as they are."""
    record.msg = mask(f"{record.msg!r} with arguments that do not fit it: {record.args!r}")
    record.args = None


def _traceback(kind: Any, error: Any, where: Any) -> str:
    try:
        return mask("".join(traceback.format_exception(kind, error, where)).rstrip("\n"))
    except Exception:  # noqa: BLE001  # an exception whose words cannot be had
        return f"{getattr(kind, '__name__', kind)} (it cannot be shown)"


def _write_uncaught(kind: Any, error: Any, where: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, where)
    else:
        print(_traceback(kind, error, where), file=sys.stderr)  # noqa: T201  # where Python itself would write it


def _log_thread(fault: threading.ExceptHookArgs) -> None:
    if fault.exc_type is SystemExit or fault.exc_value is None:
        return
    name = fault.thread.name if fault.thread is not None else "a thread"
    told = (fault.exc_type, fault.exc_value, fault.exc_traceback)
    logging.getLogger("threading").error("Uncaught in thread %s", name, exc_info=told)


def _log_unraisable(fault: Any) -> None:
    told = (fault.exc_type, fault.exc_value or fault.exc_type(), fault.exc_traceback)
    where = getattr(fault.object, "__qualname__", type(fault.object).__name__)
    logging.getLogger("unraisable").error("%s: %s", fault.err_msg or "Exception ignored in", where, exc_info=told)


def _watch_settings() -> None:
    from django.conf import settings  # noqa: PLC0415  # this module is imported while they are read

    del _own[:]
    for text in {str(text) for text in _secrets_of(settings) if text}:
        _own.append(Secret(text))
        watch(_own[-1])


def _secrets_of(settings: Any) -> Iterator[object]:
    yield settings.SECRET_KEY
    yield from settings.SECRET_KEY_FALLBACKS
    kek = getattr(settings, "KEK", "")
    yield from (kek.values() if isinstance(kek, dict) else kek if isinstance(kek, (list, tuple)) else (kek,))
    yield from (database.get("PASSWORD") for database in settings.DATABASES.values())
    yield from (urlsplit(str(url)).password for url in (settings.REDIS_URL, settings.CELERY_BROKER_URL))
    yield settings.EMAIL_HOST_PASSWORD
    stored: Mapping[str, Any] = settings.STORAGES.get("attachments", {}).get("OPTIONS", {})
    yield from (value for name, value in stored.items() if "key" in name or "secret" in name or "token" in name)
