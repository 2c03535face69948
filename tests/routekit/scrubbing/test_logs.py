"""Whatever a process writes is masked, whoever wrote it and wherever it goes."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmconfig.llm import Secret, watch

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
CANARY = "c4n4ry0123456789abcdef"


@pytest.fixture
def opened() -> Secret:
    secret = Secret(CANARY)
    watch(secret)
    return secret


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a handler of somebody else's writes, with a formatter of its own."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.getLogger("somebody.else")
    logger.addHandler(handler)
    logger.propagate = False
    yield stream
    logger.removeHandler(handler)
    logger.propagate = True


def test_messages_arguments_and_stacks_are_masked(opened: Secret, written: io.StringIO) -> None:
    log = logging.getLogger("somebody.else")
    log.warning("said %s of %s", CANARY, {"key": CANARY})
    log.warning(CANARY, stack_info=True)
    log.warning("%(a)s", {"a": f"x{CANARY}x"})
    assert CANARY not in written.getvalue()
    assert written.getvalue().count("••••") >= 4


def test_a_whole_chain_of_exceptions_is_masked(opened: Secret, written: io.StringIO) -> None:
    def fail() -> None:
        try:
            raise ValueError(f"inner {CANARY}")
        except ValueError as inner:
            raise RuntimeError(f"outer {CANARY}") from inner

    try:
        fail()
    except RuntimeError:
        logging.getLogger("somebody.else").exception("It broke")
    assert CANARY not in written.getvalue()
    assert "ValueError: inner ••••" in written.getvalue()
    assert "RuntimeError: outer ••••" in written.getvalue()


def test_a_log_call_that_does_not_fit_prints_no_arguments(opened: Secret, written: io.StringIO) -> None:
    """A handler would print them, with a traceback, past every formatter."""
    logging.getLogger("somebody.else").warning("%s and %s", CANARY)
    assert written.getvalue() == "WARNING '%s and %s' with arguments that do not fit it: ('••••',)\n"


def test_an_exception_that_cannot_be_shown_is_named(written: io.StringIO) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError(CANARY)

    logging.getLogger("somebody.else").error("It broke", exc_info=Mute())
    assert CANARY not in written.getvalue()


def test_what_is_not_masked_keeps_its_arguments(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("somebody.else").warning("%d of %d", 1, 2)
    assert caplog.records[-1].args == (1, 2)


SCRIPT = """
import asyncio, gc, logging, sys, threading, warnings
import django
django.setup()
from llmconfig.llm import Secret, watch
canary = Secret("c4n4ry0123456789" + "abcdef")
watch(canary)
text = canary.reveal()
def thread(): raise ValueError(text)
t = threading.Thread(target=thread); t.start(); t.join()
async def forgotten():
    async def failing(): raise ValueError(f"in a task {text}")
    task = asyncio.create_task(failing(), name=text)
    await asyncio.sleep(0)
    del task
    gc.collect()
asyncio.run(forgotten())
class Falling:
    def __del__(self): raise ValueError(text)
Falling()
warnings.warn(f"careful with {text}")
logging.getLogger("uvicorn.error").error("key=%s", text)
from django.conf import settings
logging.getLogger("x").error("%s %s", settings.SECRET_KEY, settings.KEK)
logging.getLogger("x").error("%s", settings.DATABASES)
raise RuntimeError(f"uncaught {text}") from ValueError(text)
"""


def test_what_nobody_caught_is_masked_in_a_process_of_its_own() -> None:
    """Threads, forgotten tasks, finalizers, warnings, other people's loggers, and the end of the process."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=60, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    for told in ("Uncaught in thread", "Task exception was never retrieved", "Falling", "careful with ••••", "RuntimeError: uncaught ••••"):
        assert told in said, told
    assert CANARY not in said
    assert os.environ["SECRET_KEY"] not in said
    assert os.environ["KEK"] not in said


def test_a_strangers_request_stays_a_line(caplog: pytest.LogCaptureFixture) -> None:
    from routekit.settings import _without_traceback

    try:
        raise ValueError("a host that is none of ours")
    except ValueError:
        logging.getLogger("somebody.else").exception("Invalid HTTP_HOST header")
    record = caplog.records[-1]
    assert _without_traceback(record)
    assert "Traceback" not in logging.Formatter("%(message)s").format(record)
