"""Item lines: how the lines of a batch reach its client. The whole batch is in test_api.py."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress

from rlm_server.http.item_lines import UNSENT_BYTES, ItemLines


class Client:
    """Takes messages, unless it has stopped to read."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.reads = asyncio.Event()
        self.reads.set()

    async def write(self, message: bytes) -> None:
        await self.reads.wait()
        self.messages.append(message)


async def passes(step: Awaitable[None]) -> bool:
    """Whether `step` is done without the client."""
    task = asyncio.ensure_future(step)
    for _ in range(5):
        await asyncio.sleep(0)
    return task.done()


def test_lines_of_a_moment_are_one_message() -> None:
    async def moment() -> list[bytes]:
        client = Client()
        lines = ItemLines(client.write)
        writing = asyncio.create_task(lines.write_gathered())
        for number in range(3):
            await lines.add(b"%d\n" % number)
            await asyncio.sleep(0)
        while not client.messages:
            await asyncio.sleep(0.001)
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        return client.messages

    assert asyncio.run(moment()) == [b"0\n1\n2\n"]


def test_an_item_waits_for_no_writing_until_its_client_is_slow() -> None:
    async def slow() -> tuple[bool, bool, bool]:
        client = Client()
        client.reads.clear()
        lines = ItemLines(client.write)
        is_writing = not await passes(_added_and_written(lines, b"first\n"))
        is_free = await passes(lines.add(b"second\n"))
        is_held = not await passes(lines.add(b"x" * UNSENT_BYTES))
        client.reads.set()
        await lines.write_all()
        assert b"".join(client.messages) == b"first\nsecond\n" + b"x" * UNSENT_BYTES
        return is_writing, is_free, is_held

    async def _added_and_written(lines: ItemLines, line: bytes) -> None:
        await lines.add(line)
        await lines.write_all()

    assert asyncio.run(slow()) == (True, True, True)


def test_the_end_waits_for_what_is_being_written() -> None:
    async def end() -> tuple[bool, list[bytes]]:
        client = Client()
        client.reads.clear()
        lines = ItemLines(client.write)
        await lines.add(b"a\n")
        writing = asyncio.ensure_future(lines.write_all())
        await asyncio.sleep(0)
        await lines.add(b"b\n")
        ending = asyncio.ensure_future(lines.write_all())
        has_ended = await passes(asyncio.shield(ending))
        client.reads.set()
        await asyncio.gather(writing, ending)
        return has_ended, client.messages

    assert asyncio.run(end()) == (False, [b"a\n", b"b\n"])
