"""Item lines: the lines of a batch on their way to its client.

In: a line for each item, as it finishes. Out: messages of lines: those of a moment together, since a message costs page
and browser as much as many lines. A client that is slow holds the items back at `UNSENT_BYTES`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

GATHER_SECONDS = 0.02
"""Longest time that a line waits for others."""
UNSENT_BYTES = 1 << 20
"""Bytes that may wait for the client before an item does."""


class ItemLines:
    """The lines of one batch; `write` sends one message."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write
        self._turn = asyncio.Lock()
        self._have_come = asyncio.Event()
        self._lines: list[bytes] = []
        self._bytes = 0

    async def add(self, line: bytes) -> None:
        """Take a line; wait only where the client is slow."""
        self._lines.append(line)
        self._bytes += len(line)
        self._have_come.set()
        if self._bytes > UNSENT_BYTES:
            await self.write_all()

    async def write_gathered(self) -> None:
        """Write lines a moment after the first of them came, until this is cancelled."""
        while True:
            await self._have_come.wait()
            await asyncio.sleep(GATHER_SECONDS)
            await self.write_all()

    async def write_all(self) -> None:
        """Write the lines that wait, after those that are being written."""
        async with self._turn:
            if self._lines:
                together = b"".join(self._lines)
                self._lines.clear()
                self._bytes = 0
                self._have_come.clear()
                await self._write(together)
