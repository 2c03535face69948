"""One run in one worker: the task's thread owns the database, the process's loop owns the network; a queue of intents joins them."""

from __future__ import annotations

import asyncio
import logging
import queue
from typing import TYPE_CHECKING, Any, Protocol, cast
from uuid import UUID, uuid4

from django.conf import settings
from django.db import InterfaceError, OperationalError

from agent.loop.attempt import AttemptFailed
from agent.loop.intents import EndRun, FenceLost, Intent, RevealKey, Unopened
from agent.loop.runner import Runner
from agent.services.claims import Claim, claim_run
from agent.services.journal import commit_intent
from agent.services.media import RunMedia, read_media, wanted_media
from agent.services.plans import Refused, Work, known_seq, load_work
from agent.services.units import reading, unit_of_work
from agent.stream import LogStale, RunLog
from agent.worker.runtime import Active, Runtime
from agent.worker.toolcalls import ServiceToolCaller
from llmconfig.services import preload_provider

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmconfig.llm import Provider
    from llmconfig.services import ClientPool, Deployment, Revealed

logger = logging.getLogger(__name__)
INTERNAL = "Something went wrong inside routekit. The log of the worker has the details; try again."


class Post(Protocol):
    """An intent on its way from the loop to the thread, and the way back."""

    intent: Intent
    seq: int

    def answer(self, verdict: Any, error: BaseException | None = None) -> None: ...


Inbox = queue.SimpleQueue["Post | None"]


def execute_run(run_id: UUID) -> None:
    """Claim the run and see it through: to its end, to a question for a person, or until it is given back."""
    with Runtime.entered() as runtime:
        with unit_of_work():
            claim = claim_run(run_id)
        if claim is None:
            return
        stored = 0 if claim.is_first else runtime.call(lambda: _take_log(runtime, claim))
        if stored is None:
            return
        work = _load(claim, stored)
        if isinstance(work, Work):
            preload_provider(work.client.provider)
        inbox: Inbox = queue.SimpleQueue()
        runtime.loop.call_soon_threadsafe(_start, runtime, claim, work, inbox, stored)
        while (post := inbox.get()) is not None:
            _commit(claim, post)


def _load(claim: Claim, last_seq: int) -> Work | Refused:
    """What the run needs. A run that cannot be read ends as failed, rather than coming back with every sweep."""
    try:
        with reading():
            wanted = wanted_media(claim.run)
            if not wanted.rows:
                return load_work(claim.run, last_seq=last_seq, media=RunMedia(wanted=wanted))
        media = read_media(wanted)  # the storage may be a network away: no connection is held meanwhile
        with reading():
            return load_work(claim.run, last_seq=last_seq, media=media)
    except (OperationalError, InterfaceError):
        raise  # the database is away: the run waits for it, until its lease has lapsed
    except Exception:
        logger.exception("Run %s cannot be read", claim.run)
        with reading():
            return Refused("internal_error", INTERNAL, max(last_seq, known_seq(claim.run)))


async def _take_log(runtime: Runtime, claim: Claim) -> int | None:
    """Become the one writer of the run's log; its last seq, or None when a later claim already is."""
    try:
        return await runtime.flusher.take(str(claim.run), claim.fence)
    except LogStale:
        return None


def _commit(claim: Claim, post: Post) -> None:
    try:
        verdict = commit_intent(claim, post.intent, seq=post.seq)
    except FenceLost as lost:
        post.answer(None, lost)
    except Exception as error:
        logger.exception("Run %s: %s could not be stored", claim.run, type(post.intent).__name__)
        post.answer(None, error)
    else:
        post.answer(verdict)


def _start(runtime: Runtime, claim: Claim, work: Work | Refused, inbox: Inbox, stored: int) -> None:
    """On the loop: one task a run."""
    task = runtime.loop.create_task(_drive(runtime, claim, work, inbox, stored), name=f"run {claim.run}")
    if (displaced := runtime.active.get(claim.run)) is not None:
        displaced.halt("stale")  # its lease lapsed under it; nothing else would tell it while it waits
    running = runtime.active[claim.run] = Active(claim, task)
    deadline = runtime.loop.call_later(settings.RUN_TIMEOUT_S, running.halt, "deadline")

    def over(_: asyncio.Task[None]) -> None:
        deadline.cancel()
        if runtime.active.get(claim.run) is running:
            del runtime.active[claim.run]
        inbox.put(None)

    task.add_done_callback(over)
    if runtime.is_stopping:
        runtime.loop.call_soon(running.halt, "shutdown")  # once it has begun: a task cancelled before that never runs


async def _drive(runtime: Runtime, claim: Claim, work: Work | Refused, inbox: Inbox, stored: int) -> None:
    log = _open_log(runtime, claim, work, stored)
    journal = LoopJournal(log, inbox)
    running = runtime.active[claim.run]
    log.on_stale = lambda: running.halt("stale")
    try:
        if isinstance(work, Refused):
            await _refuse(journal, work)
        else:
            await _run(runtime, running, work, journal)
        await log.close()
    except (FenceLost, LogStale, asyncio.CancelledError):
        return
    except Exception:
        logger.exception("Run %s failed inside routekit", claim.run)
        await _give_up(journal, log)


def _open_log(runtime: Runtime, claim: Claim, work: Work | Refused, stored: int) -> RunLog:
    """Goes on after the last event that was given out. Those a lost worker never wrote leave no hole; a log that is gone stays gone."""
    if not stored:
        return runtime.flusher.open(str(claim.run), claim.fence, work.last_seq)
    log = runtime.flusher.open(str(claim.run), claim.fence, stored)
    while log.seq < work.last_seq:
        log.emit("run.event_lost", {})
    return log


async def _run(runtime: Runtime, running: Active, work: Work, journal: LoopJournal) -> None:
    caller = ServiceToolCaller(runtime.services, work.endpoints, journal, work.plan.tools)
    client = _Client(runtime.clients, work.client, journal)
    runner = Runner(work.plan, journal=journal, open_provider=client.open, tools=caller, new_id=lambda: str(uuid4()), stop=running.stop)
    try:
        await runner.run()
    finally:
        client.release()


class _Client:
    """The run's use of the worker's client for its deployment, which the task's thread opens a key for if there is none yet."""

    __slots__ = ("_client", "_deployment", "_journal", "_pool")

    def __init__(self, pool: ClientPool, deployment: Deployment, journal: LoopJournal) -> None:
        self._pool, self._deployment, self._journal = pool, deployment, journal
        self._client: Provider | None = None

    async def open(self) -> Provider:
        self._client = await self._pool.open(self._deployment, self._reveal)
        return self._client

    def release(self) -> None:
        if self._client is not None:
            self._pool.release(self._client)

    async def _reveal(self) -> Revealed:
        answer: Revealed | Unopened = await self._journal.commit(RevealKey())
        if isinstance(answer, Unopened):
            raise AttemptFailed(answer.kind, answer.detail)
        return answer


async def _refuse(journal: LoopJournal, refused: Refused) -> None:
    status = "cancelled" if refused.kind == "cancelled" else "failed"
    kind, detail = ("", "") if status == "cancelled" else (refused.kind, refused.detail)
    for message in refused.untold:
        journal.emit("message.completed", {"message": dict(message)})
    await journal.commit(EndRun(status, error_kind=kind, error_detail=detail))  # type: ignore[arg-type]
    journal.emit(f"run.{status}", {"kind": kind, "detail": detail} if kind else {})


async def _give_up(journal: LoopJournal, log: RunLog) -> None:
    try:
        await _refuse(journal, Refused("internal_error", INTERNAL, 0))
        await log.close()
    except Exception:
        logger.exception("Run %s could not even be marked as failed; its lease will lapse", log.run_id)


class LoopJournal:
    """The runner's journal on the loop: live events to the run's log, intents to the task's thread."""

    __slots__ = ("_inbox", "_log", "emit", "flush")

    def __init__(self, log: RunLog, inbox: Inbox) -> None:
        self._log, self._inbox = log, inbox
        self.emit: Callable[[str, dict[str, Any]], int] = log.emit
        self.flush = log.flush

    async def commit(self, intent: Intent) -> Any:
        """Durable when this returns. A cancel that comes meanwhile takes effect at the caller's next wait."""
        post = _Post(intent, self._log.seq)
        self._inbox.put(post)
        task, cancelled = cast("asyncio.Task[Any]", asyncio.current_task()), False
        while not post.reply.done():
            try:
                await asyncio.shield(post.reply)
            except asyncio.CancelledError:
                task.uncancel()
                cancelled = True
            except Exception:  # noqa: BLE001  # raised from result() below
                break
        if cancelled:
            task.cancel()
        return post.reply.result()


class _Post:
    __slots__ = ("_loop", "intent", "reply", "seq")

    def __init__(self, intent: Intent, seq: int) -> None:
        self.intent, self.seq = intent, seq
        self._loop = asyncio.get_running_loop()
        self.reply: asyncio.Future[Any] = self._loop.create_future()

    def answer(self, verdict: Any, error: BaseException | None = None) -> None:
        """From the task's thread."""
        self._loop.call_soon_threadsafe(self._settle, verdict, error)

    def _settle(self, verdict: Any, error: BaseException | None) -> None:
        if error is None:
            self.reply.set_result(verdict)
        else:
            self.reply.set_exception(error)
