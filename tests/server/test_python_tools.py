"""Functions of a Python program: they end their call, and neither the event loop nor a caller that waits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from rlm_server.headless.blocking import LoopThread
from rlm_server.headless.python_tools import Tools


async def leaves() -> None:
    sys.exit("no such folder")


@pytest.mark.parametrize("tool", [lambda: sys.exit("no such folder"), leaves])
def test_a_tool_that_exits_fails_alone(tool: Callable[[], Any]) -> None:
    tools = Tools({"leaves": tool, "stays": lambda: 4})
    loop = LoopThread()
    with pytest.raises(RuntimeError, match="SystemExit: no such folder"):
        loop.wait(tools.call(0, '{"args": [], "kwargs": {}}'))
    assert loop.wait(tools.call(1, '{"args": [], "kwargs": {}}')) == "4"
    loop.close()
