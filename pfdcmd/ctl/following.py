"""A retrieve followed to its end: by events where the server has them, else by asking again and again."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from pfdcmd.ctl.asking import call
from pfdcmd.ctl.problems import Interrupted, Problem, Unreachable
from pfdcmd.ctl.session import Session
from pfdcmd.ctl.subscribing import GIVE_UP_SECONDS, Event, NoEvents, follow

FINAL = frozenset(("complete", "partial", "failed", "cancelled"))
"""The states in which a job stays."""

_POLL_SECONDS = 1.0
# Events may be held back on their way without the connection breaking: now and then the server is asked as well.
_ASK_ANYWAY_SECONDS = 10.0

Job = Mapping[str, Any]


def follow_job(session: Session, job: Job, show: Callable[[Job], None]) -> tuple[Job, bool]:
    """Show the job each time that it has changed, until it has ended.

    Ctrl-C asks the server to cancel it, and the end is waited for; a second one leaves at once.

    Returns: the job when it had ended, and whether Ctrl-C ended it.

    Raises: Interrupted: left at once. Unreachable, Refused: the server is gone, or does not know the job any more.
    """
    return asyncio.run(_follow(session, job, show))


async def _follow(session: Session, job: Job, show: Callable[[Job], None]) -> tuple[Job, bool]:
    following = asyncio.create_task(_to_the_end(session, job, show))
    cancelling: set[asyncio.Task[Any]] = set()

    def interrupted() -> None:
        if cancelling:
            following.cancel()
            return
        session.screen.note("Cancelling the retrieve; Ctrl-C again leaves at once.", "yellow")
        cancelling.add(asyncio.create_task(_cancel(session, job["job"])))

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupted)
    try:
        ended = await following
        return ended, bool(cancelling) and ended["state"] != "complete"
    except asyncio.CancelledError:
        raise Interrupted(f"Left while {job['job']} goes on.", f"See it: pfdcmctl status {job['job']}") from None
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        for task in cancelling:
            task.cancel()
        await asyncio.gather(*cancelling, return_exceptions=True)


async def _to_the_end(session: Session, job: Job, show: Callable[[Job], None]) -> Job:
    show(job)
    if job["state"] in FINAL:
        return job
    async with contextlib.aclosing(_states(session, job["job"])) as states:
        async for latest in states:
            job = latest
            show(job)
            if job["state"] in FINAL:
                return job
    return job


async def _states(session: Session, job_id: str) -> AsyncGenerator[Job, None]:
    try:
        async with contextlib.aclosing(_told(session, job_id)) as told:
            async for job in told:
                yield job
    except (NoEvents, Unreachable):
        session.screen.note("The server sends no events; asking it every second.")
    async with contextlib.aclosing(_asked(session, job_id)) as asked:
        async for job in asked:
            yield job


async def _asked(session: Session, job_id: str) -> AsyncGenerator[Job, None]:
    """The job, asked for again and again; a job outlives a pfdcm that is started again, and so does the question."""
    loop = asyncio.get_running_loop()
    last_seen = loop.time()
    while True:
        try:
            yield await _ask(session, job_id)
            last_seen = loop.time()
        except Unreachable:
            if loop.time() - last_seen > GIVE_UP_SECONDS:
                raise
        await asyncio.sleep(_POLL_SECONDS)


async def _told(session: Session, job_id: str) -> AsyncGenerator[Job, None]:
    """The job at each event of it; what an event does not hold in full is asked for."""
    events = follow(session.settings.server, {"topic": f"jobs/{job_id}"})
    pending = asyncio.create_task(_next(events))
    try:
        while True:
            done, _ = await asyncio.wait([pending], timeout=_ASK_ANYWAY_SECONDS)
            if not done:
                with contextlib.suppress(Unreachable):  # follow tries to connect again
                    yield await _ask(session, job_id)
                continue
            data = pending.result().data
            yield data if isinstance(data, Mapping) and "state" in data else await _ask(session, job_id)
            pending = asyncio.create_task(_next(events))
    finally:
        pending.cancel()
        await asyncio.gather(pending, return_exceptions=True)
        await events.aclose()


async def _next(events: AsyncGenerator[Event, None]) -> Event:
    return await anext(events)


async def _ask(session: Session, job_id: str) -> Job:
    job = await call(session.settings.server, "retrieve.status", {"job": job_id})
    if not isinstance(job, Mapping):
        raise Unreachable(f"{session.settings.server.url} does not answer as pfdcm does.")
    return job


async def _cancel(session: Session, job_id: str) -> None:
    try:
        await call(session.settings.server, "retrieve.cancel", {"job": job_id})
    except Problem as problem:
        session.screen.problem(f"The retrieve could not be cancelled: {problem.message}", problem.do)
