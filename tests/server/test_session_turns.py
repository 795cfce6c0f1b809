"""Turns of a session: one question or entry at a time, also where two begin at once, over a page that is played."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rlm_core import ConfigError
from rlm_server.headless.browser_rlm import Run, Session


class PlayedPage:
    """Holds each question and entry until `over`."""

    def __init__(self) -> None:
        self.opened, self.closed, self.over = 0, 0, asyncio.Event()

    async def open_session(self, *arguments: Any) -> None:
        self.opened += 1
        await asyncio.sleep(0)

    async def close_session(self, session: str) -> None:
        self.closed += 1

    async def run(self, *arguments: Any) -> str:
        await self.over.wait()
        return "the result"

    async def execute(self, *arguments: Any) -> list[Any]:
        await self.over.wait()
        return []


def test_of_two_questions_that_begin_at_once_the_second_is_refused() -> None:
    async def main() -> None:
        page = PlayedPage()
        session = Session(page, {}, set())  # type: ignore[arg-type]
        first, second = await asyncio.gather(session.start("Who?"), session.start("When?"), return_exceptions=True)
        assert isinstance(first, Run)
        assert isinstance(second, ConfigError)
        assert page.opened == 1
        page.over.set()
        result: object = await first
        assert result == "the result"

    asyncio.run(main())


def test_a_question_is_refused_while_an_entry_is_at_work() -> None:
    async def main() -> None:
        page = PlayedPage()
        session = Session(page, {}, set())  # type: ignore[arg-type]
        listing = asyncio.ensure_future(session.variables())
        while session._entry is None:
            await asyncio.sleep(0)
        with pytest.raises(ConfigError, match="at work on a question"):
            await session.start("Who?")
        page.over.set()
        assert await listing == []

    asyncio.run(main())


def test_a_session_that_is_closed_while_it_opens_is_closed_on_the_page() -> None:
    async def main() -> int:
        page = PlayedPage()
        session = Session(page, {}, set())  # type: ignore[arg-type]
        question = asyncio.create_task(session.start("What?"))
        while page.opened == 0:
            await asyncio.sleep(0)
        await session.close()
        with pytest.raises(ConfigError, match="the session is over"):
            await question
        return page.closed

    assert asyncio.run(main()) == 1
