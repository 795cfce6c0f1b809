"""Lazy pool: a `BrowserPool` that opens with the first run, for an actor or a server that may get none.

In: the arguments of a pool. Out: the pool, open; the first callers wait for the same one. It is closed by its owner.
"""

from __future__ import annotations

import asyncio
from typing import Any

from .pool import BrowserPool


class LazyPool:
    """Opens `BrowserPool(*arguments)` once."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._made = BrowserPool(*arguments, **named)
        self._pool: BrowserPool | None = None
        self._turn = asyncio.Lock()

    async def opened(self) -> BrowserPool:
        """The pool.

        Raises:
            RLMError: Playwright is not installed.
        """
        async with self._turn:
            if self._pool is None:
                self._pool = await self._made.__aenter__()
            return self._pool

    async def close(self) -> None:
        """Close the browser, and end the runs under way; the next run opens another."""
        async with self._turn:
            pool, self._pool = self._pool, None
            if pool is not None:
                await pool.__aexit__(None, None, None)
