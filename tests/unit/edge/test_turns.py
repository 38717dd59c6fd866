"""Turns: bounded for each address, some kept for queries, none lost."""

import asyncio

import pytest

from pfdcmd.edge.pacs.turns import Turns


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


def test_a_key_may_have_fewer_turns_than_others():
    async def check():
        turns = Turns(16)
        give_back = await turns.take("a", is_retrieve=True, limit=1)
        waiting = asyncio.ensure_future(turns.take("a", limit=1))
        await _settle()
        assert not waiting.done()
        give_back()
        (await asyncio.wait_for(waiting, 1))()
        assert turns._gates == {}

    asyncio.run(check())


def test_a_limit_that_was_raised_lets_the_next_one_in():
    async def check():
        turns = Turns(16)
        await turns.take("a", limit=1)
        waiting = asyncio.ensure_future(turns.take("a", limit=1))
        await _settle()
        await asyncio.wait_for(turns.take("a", limit=3), 1)
        assert waiting.done()

    asyncio.run(check())


def test_a_retrieve_that_waits_holds_up_no_query_behind_it():
    async def check():
        turns = Turns(4)
        for _ in range(3):
            await turns.take("a", is_retrieve=True)
        retrieve = asyncio.ensure_future(turns.take("a", is_retrieve=True))
        await _settle()
        await asyncio.wait_for(turns.take("a"), 1)
        assert not retrieve.done()
        retrieve.cancel()
        await asyncio.gather(retrieve, return_exceptions=True)

    asyncio.run(check())


def test_a_turn_granted_to_who_gives_up_at_that_moment_is_not_lost():
    async def check():
        turns = Turns(1)
        give_back = await turns.take("a")
        waiting = asyncio.ensure_future(turns.take("a"))
        await _settle()
        give_back()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        (await asyncio.wait_for(turns.take("a"), 1))()
        assert turns._gates == {}

    asyncio.run(check())
