"""The chat over a session that is played: the arguments of its questions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rlm_server.command.chat import _Chat
from rlm_server.command.stop_signals import StopSignals
from rlm_server.headless import browser_rlm
from rlm_server.headless.page import BrowserLost
from rlm_server.headless.result import partial_result


class PlayedSession:
    """Keeps the questions."""

    async def __aenter__(self) -> PlayedSession:
        return self

    async def __aexit__(self, *fault: object) -> None:
        pass


@pytest.mark.parametrize("direct", [False, True])
def test_each_question_is_one_direct_call_where_that_is_said(direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = iter(["Where?", "When?", None])
    asked: list[tuple[str, dict[str, Any]]] = []

    @asynccontextmanager
    async def for_one_run(server: Any) -> AsyncIterator[Any]:
        yield type("RLM", (), {"session": lambda self, **arguments: PlayedSession()})()

    async def question(self: _Chat) -> str | None:
        return next(questions)

    async def answer(self: _Chat, session: Any, text: str, more: dict[str, Any]) -> int:
        asked.append((text, more))
        return 0

    monkeypatch.setattr(browser_rlm, "for_one_run", for_one_run)
    monkeypatch.setattr(_Chat, "_question", question)
    monkeypatch.setattr(_Chat, "_answer", answer)
    with StopSignals() as signals:
        chat = _Chat((Path("a.txt"),), signals, [], None, verbose=False, direct=direct)
        assert asyncio.run(chat.converse({})) == 0
    more = {"direct": True} if direct else {}
    assert asked == [("Where?", {"context": (Path("a.txt"),), **more}), ("When?", more)]


class LostSession:
    """Its browser ends with each entry."""

    async def execute(self, code: str) -> None:
        raise BrowserLost("The browser was lost.", partial_result([], detail=""))


def test_code_that_is_stopped_with_its_browser_has_the_status_of_the_signal() -> None:
    async def main(signals: StopSignals) -> int:
        chat = _Chat((), signals, [], None, verbose=False, direct=False)
        chat._loop = asyncio.get_running_loop()
        return await chat._execute(LostSession(), "1")  # type: ignore[arg-type]

    signals = StopSignals()
    with pytest.raises(BrowserLost):
        asyncio.run(main(signals))
    signals.status = 130
    assert asyncio.run(main(signals)) == 130
