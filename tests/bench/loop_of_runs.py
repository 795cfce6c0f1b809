"""Loop of runs: `BrowserRLM`, one run after the other, as a program of its own that other builds can run as well.

In: the number of runs. Out: their seconds; the browser's start and the first run are not measured.
"""

from __future__ import annotations

import asyncio
import sys
import time


async def seconds_of(runs: int) -> float:
    """The loop itself; only names that the first releases have too."""
    from rlm_server.headless import BrowserRLM

    async with BrowserRLM(model="openai:m") as rlm:
        await rlm.run("Question?", context="Text. " * 100)
        began = time.monotonic()
        for number in range(runs):
            await rlm.run(f"Question {number}?", context=f"Text {number}. " * 100)
        return time.monotonic() - began


if __name__ == "__main__":
    print(asyncio.run(seconds_of(int(sys.argv[1]))))
