"""Blocking sandbox: `Sandbox` for programs without an event loop.

In and out as there. The loop runs in a thread; so do coroutine tools. Ctrl-C stops the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..headless.blocking import Blocking
from .execution import Execution
from .host_half import Functions
from .sandbox import Sandbox


class BlockingSandbox(Blocking):
    """`Sandbox` without `async`: `with BlockingSandbox() as sandbox: sandbox.execute(...)`. Threads may share it.

    Raises:
        ConfigError: an argument is impossible.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._sandbox = Sandbox(*args, **kwargs)
        super().__init__(self._sandbox)

    def execute(
        self, code: str, variables: Mapping[str, Any] | None = None, tools: Functions | None = None
    ) -> Execution:
        """As `Sandbox.execute`; Ctrl-C stops the code."""
        return self._opened().wait(self._sandbox.execute(code, variables, tools))

    def reset(self) -> None:
        """As `Sandbox.reset`."""
        self._opened().wait(self._sandbox.reset())

    def close(self) -> None:
        """As `Sandbox.close`."""
        self.__exit__(None, None, None)
