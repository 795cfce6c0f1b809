"""Stop signals: Ctrl-C and SIGTERM of a command that runs something.

In: the two signals. Out: before anything runs, the end of the process with status 130 or 143; during a run, its stop,
with a partial result and then that status. A second signal ends the process at once.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from .start import SHELL_BASE

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """In a `with` block the two signals are handled here.

    Attributes:
        status: exit status for the first signal that came; `None` before.
        stop: called at the first signal, from the main thread in the middle of anything; without it the process ends.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.stop: Callable[[], object] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        is_first = self.status is None
        self.status = self.status or SHELL_BASE + number
        if self.stop is None or not is_first:
            raise SystemExit(self.status)
        self.stop()
