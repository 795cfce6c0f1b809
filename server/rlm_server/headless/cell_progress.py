"""Cell progress: a line in the notebook's cell that shows how far a run is, and goes when the run is over.

In: events of a run, from any thread, and the cell that runs now. Out: one line that is replaced, in Jupyter by a
display that is updated, in marimo by the cell's output. Outside a notebook, and where the caller takes the events
himself, nothing is shown.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from html import escape
from types import TracebackType
from typing import Any, Protocol

from .names import counted

SHOW_SECONDS = 0.25
"""Least time between two lines."""


class Cell(Protocol):
    """The output of a cell."""

    def show(self, markup: str) -> None:
        """Show `markup` in place of the one before."""

    def clear(self) -> None:
        """Show nothing."""


class CellProgress:
    """The progress of one run in `cell`."""

    def __init__(self, cell: Cell, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._cell = cell
        self._clock = clock
        self._began = clock()
        self._shown_at = float("-inf")
        self._iteration = 0
        self._calls = 0
        self._open = 0
        self._work = "starting Python"

    def __enter__(self) -> CellProgress:
        self.show()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cell.clear()

    def take(self, event: Mapping[str, Any]) -> None:
        """Follow an event, from any thread."""
        kind = event["type"]
        if kind == "call_started":
            self._calls, self._open = self._calls + 1, self._open + 1
        elif kind == "call_finished":
            self._open -= 1
        elif event.get("path"):
            return
        elif kind == "iteration_started":
            self._iteration, self._work = event["iteration"], ""
        elif kind in ("block_started", "block_finished"):
            self._work = "running code" if kind == "block_started" else ""

    @asynccontextmanager
    async def ticking(self) -> AsyncIterator[None]:
        """Show the line of now in the loop of the cell, again and again: the last event before a wait counts too."""
        with self:
            ticks = asyncio.create_task(self._tick())
            try:
                yield
            finally:
                ticks.cancel()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(SHOW_SECONDS)
            self.show()

    def show(self) -> None:
        """Show the line of now, in the thread of the cell."""
        now = self._clock()
        if now - self._shown_at >= SHOW_SECONDS:
            self._shown_at = now
            self._cell.show(f"<small>{escape(self.line())}</small>")

    def line(self) -> str:
        """Iteration, work, calls and seconds."""
        waiting = "waiting for a model" if self._open == 1 else f"waiting for {self._open} model calls"
        parts = [
            f"Iteration {self._iteration}" if self._iteration else "",
            waiting if self._open else self._work,
            counted(self._calls, "model call") if self._calls else "",
            f"{self._clock() - self._began:.0f} s",
        ]
        return ", ".join(part for part in parts if part)


def progress_for(*arguments: Mapping[str, object]) -> CellProgress | None:
    """The progress to show for a run with these arguments; none where it has a reader, or there is no cell."""
    has_reader = any(name in chosen for chosen in arguments for name in ("on_event", "onEvent"))
    cell = None if has_reader else running_cell()
    return None if cell is None else CellProgress(cell)


def running_cell() -> Cell | None:
    """The cell of the notebook that this thread runs, if any."""
    ipython, marimo = sys.modules.get("IPython"), sys.modules.get("marimo")
    if marimo is not None and marimo.running_in_notebook():
        return _MarimoCell(marimo)
    shell = None if ipython is None else ipython.get_ipython()
    return None if getattr(shell, "kernel", None) is None else _JupyterCell()


class _JupyterCell:
    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, markup: str) -> None:
        from IPython.display import HTML, display

        if self._handle is None:
            self._handle = display(HTML(markup), display_id=True)
        else:
            self._handle.update(HTML(markup))

    def clear(self) -> None:
        self.show("")


class _MarimoCell:
    def __init__(self, marimo: Any) -> None:
        self._marimo = marimo

    def show(self, markup: str) -> None:
        self._marimo.output.replace(self._marimo.Html(markup))

    def clear(self) -> None:
        self._marimo.output.clear()
