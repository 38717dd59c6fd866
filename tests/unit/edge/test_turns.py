"""Turns: bounded for each address, some kept for queries, none lost."""

import asyncio

import pytest

from pfdcmd.edge.turns import Turns


async def _settle():
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_turn_beyond_the_limit_waits_for_one_to_be_given_back():
    async def check():
        turns = Turns(2)
        first, _ = await turns.take("a"), await turns.take("a")
        third = asyncio.ensure_future(turns.take("a"))
        await _settle()
        assert not third.done()
        await turns.take("b")
        first()
        await _settle()
        assert third.done()

    asyncio.run(check())


def test_retrieves_leave_turns_for_queries():
    async def check():
        turns = Turns(4)
        for _ in range(3):
            await turns.take("a", is_retrieve=True)
        fourth = asyncio.ensure_future(turns.take("a", is_retrieve=True))
        await _settle()
        assert not fourth.done()
        await asyncio.wait_for(turns.take("a"), 1)
        fourth.cancel()
        await asyncio.gather(fourth, return_exceptions=True)

    asyncio.run(check())


@pytest.mark.parametrize("is_retrieve", [False, True])
def test_one_association_is_enough_for_both(is_retrieve):
    async def check():
        turns = Turns(1)
        give_back = await turns.take("a", is_retrieve=is_retrieve)
        give_back()
        await asyncio.wait_for(turns.take("a", is_retrieve=not is_retrieve), 1)

    asyncio.run(check())


def test_who_gives_up_waiting_takes_no_turn_and_leaves_nothing_behind():
    async def check():
        turns = Turns(1)
        give_back = await turns.take("a")
        waiting = asyncio.ensure_future(turns.take("a", is_retrieve=True))
        await _settle()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        give_back()
        (await asyncio.wait_for(turns.take("a", is_retrieve=True), 1))()
        assert turns._gates == {}

    asyncio.run(check())
