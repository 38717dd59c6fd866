"""What a thread finds reaches the event loop: in order, whole, bounded, and not at all once nobody reads."""

import asyncio
import contextlib
import threading
import time

import pytest

from pfdcmd.edge.pacs.work import Stream, perform
from pfdcmd.errors import PacsFault, PeerFailed, PeerTimeout

FAR_AHEAD = 10_000


async def _in_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    return thread


async def _until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


def test_everything_comes_in_order_and_then_the_end():
    async def check():
        stream = Stream()

        def put():
            for number in range(FAR_AHEAD):
                stream.put(number)
            stream.end()

        thread = await _in_thread(put)
        read = []
        while items := await stream.take():
            read += items
        thread.join()
        assert read == list(range(FAR_AHEAD))
        assert await stream.take() == []

    asyncio.run(check())


def test_a_thread_that_is_far_ahead_waits_for_the_reader():
    async def check():
        stream, put = Stream(), []

        def work():
            with contextlib.suppress(PacsFault):
                for number in range(FAR_AHEAD):
                    stream.put(number)
                    put.append(number)

        thread = await _in_thread(work)
        await _until(lambda: len(put) == 256)
        first = await stream.take()
        assert len(first) == 256
        await _until(lambda: len(put) == 512)
        assert thread.is_alive()
        stream.abandon()
        thread.join(10)
        assert not thread.is_alive()
        assert len(put) == 512

    asyncio.run(check())


def test_nothing_is_put_for_a_reader_that_has_gone():
    async def check():
        stream = Stream()
        stream.abandon()
        with pytest.raises(PacsFault):
            stream.put(1)

    asyncio.run(check())


class FakeLink:
    """Does as it is told: its work goes on until it is stopped or, when it listens to that, cancelled."""

    def __init__(self, *, listens=True, overdue=None, can_cancel=True):
        self.overdue = overdue
        self.listens, self.can_cancel = listens, can_cancel
        self.done = threading.Event()
        self.calls = []

    def open(self):
        self.calls.append("open")

    def close(self):
        self.calls.append("close")

    def cancel(self):
        self.calls.append("cancel")
        if self.listens:
            self.done.set()
        return self.can_cancel

    def stop(self, fault):
        self.calls.append("stop")
        self.done.set()


async def _perform(link, *, limit_seconds=60.0, cancels=False):
    given_back = asyncio.Event()
    task = asyncio.ensure_future(
        perform(link, lambda: link.done.wait(30), limit_seconds, given_back.set, cancels=cancels)
    )
    await _until(lambda: link.calls)
    return task, given_back


@pytest.mark.parametrize(
    ("link", "cancels", "calls"),
    [
        (FakeLink(), True, ["open", "cancel", "close"]),
        (FakeLink(can_cancel=False, listens=False), True, ["open", "cancel", "stop", "close"]),
        (FakeLink(), False, ["open", "stop", "close"]),
    ],
)
def test_whoever_is_cancelled_has_the_pacs_told_first_where_that_helps(link, cancels, calls):
    async def check():
        task, given_back = await _perform(link, cancels=cancels)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(given_back.wait(), 10)
        assert link.calls == calls

    asyncio.run(check())


def test_a_pacs_that_does_not_listen_is_stopped(monkeypatch):
    monkeypatch.setattr("pfdcmd.edge.pacs.work.CANCEL_SECONDS", 0.01)

    async def check():
        link = FakeLink(listens=False)
        task, given_back = await _perform(link, cancels=True)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(given_back.wait(), 10)
        assert link.calls == ["open", "cancel", "stop", "close"]

    asyncio.run(check())


def test_the_time_for_all_of_it_and_the_time_for_an_answer():
    async def check():
        link = FakeLink()
        task, given_back = await _perform(link, limit_seconds=0.01)
        with pytest.raises(PeerTimeout, match=r"within 0\.01 s"):
            await task
        await asyncio.wait_for(given_back.wait(), 10)
        late = FakeLink(overdue=PeerTimeout("It owes us an answer."))
        task, given_back = await _perform(late)
        with pytest.raises(PeerTimeout, match="owes us"):
            await task
        await asyncio.wait_for(given_back.wait(), 10)

    asyncio.run(check())


def test_a_fault_of_the_work_is_the_callers():
    async def check():
        given_back = asyncio.Event()
        link = FakeLink()

        def fail():
            raise PeerFailed("no")

        with pytest.raises(PeerFailed):
            await perform(link, fail, 10, given_back.set)
        await asyncio.wait_for(given_back.wait(), 10)
        assert link.calls == ["open", "close"]

    asyncio.run(check())
