"""Progress: events as lines for a terminal.

In: events in their JSON form, and ticks of a clock. Out: text. One call per event; output of running code appears as it
is printed, and between events a line tells how long the run has waited. Text of models and code is made visible: it
cannot command the terminal.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from .names import counted
from .visible_text import visible

CLEARED = "\r\x1b[K"
"""Back to the begin of the line, and nothing on it."""
TICK_SECONDS = 1.0
"""Time without a line on a terminal, after which one reports that the run is at work."""
LINE_SECONDS = 60.0
"""The same where each such line stays."""


class Progress:
    """Write each event to `write` in a few readable lines.

    Args:
        write: takes text as it is, newlines included (`sys.stderr.write`).
        is_terminal: whether a line may be written over: then one grows while the root model writes its reply.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        *,
        is_terminal: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._is_terminal = is_terminal
        self._calls: set[int] = set()
        self._failed = 0
        self._at_line_start = True
        self._is_over_written = False
        self._clock = clock
        self._open: dict[int, str] = {}
        self._is_running = False
        self._last_event = self._last_line = clock()

    def __call__(self, event: dict[str, Any]) -> None:
        """Show one event; types that say nothing to a reader are passed over."""
        self._last_event = self._last_line = self._clock()
        self._follow(event)
        show = getattr(self, f"_{event['type']}", None)
        if show is not None:
            show(event)

    def tick(self) -> None:
        """Tell how long nothing has happened, where that is long; called by a clock."""
        now = self._clock()
        if now - self._last_line < (TICK_SECONDS if self._is_terminal else LINE_SECONDS) or not self._at_line_start:
            return
        work = self._work()
        if work == "":
            return
        self._last_line = now
        line = f"  {work}: {now - self._last_event:.0f} s"
        if self._is_terminal:
            self._write(CLEARED + line)
            self._is_over_written = True
        else:
            self._line(line)

    def _follow(self, event: dict[str, Any]) -> None:
        if event["type"] == "call_started":
            self._open[event["call"]] = event["kind"]
        elif event["type"] == "call_finished":
            self._open.pop(event["call"], None)
        elif event["type"] in ("block_started", "block_finished") and not event.get("path"):
            self._is_running = event["type"] == "block_started"
        elif event["type"] == "run_finished" and not event.get("path"):
            self._open, self._is_running = {}, False

    def _work(self) -> str:
        """The activity that may take long, "" where there is none."""
        if len(self._open) > 1 or (self._is_running and self._open):
            return f"waiting for {len(self._open):,} model call{'s' * (len(self._open) > 1)}"
        if self._open:
            return "waiting for the root model"
        return "running code" if self._is_running else ""

    def _reply_written(self, event: dict[str, Any]) -> None:
        self._growing(event, "the root model has written {chars:,} characters")

    def _reasoning_written(self, event: dict[str, Any]) -> None:
        self._growing(event, "the root model is thinking: {chars:,} characters of reasoning")

    def _growing(self, event: dict[str, Any], words: str) -> None:
        """A line that is written over while a reply comes."""
        if self._is_terminal and event["path"] == []:
            chars = event["at"] + len(event["text"])
            self._write(f"{CLEARED}  {words.format(chars=chars)}")
            self._is_over_written = True

    def _line(self, text: str = "") -> None:
        if self._is_over_written:
            self._write(CLEARED)
            self._is_over_written = False
        self._write(("" if self._at_line_start else "\n") + text + "\n")
        self._at_line_start = True

    def _lines(self, begin: str, text: str) -> None:
        """Text of others: each of its lines stands behind `begin`, or as far in."""
        first, *others = visible(text.removesuffix("\n")).split("\n")
        self._line(begin + first)
        for line in others:
            self._line(" " * len(begin) + line)

    def _notice(self, event: dict[str, Any]) -> None:
        self._lines("  note: ", event["text"])

    def _iteration_started(self, event: dict[str, Any]) -> None:
        self._line(f"\nIteration {event['iteration']}  ({event['seconds']:.1f} s)")

    def _block_started(self, event: dict[str, Any]) -> None:
        self._line("  code:")
        self._lines("    ", event["code"])
        self._line("  output:")

    def _output(self, event: dict[str, Any]) -> None:
        for line in re.findall(r"[^\n]*\n|[^\n]+", visible(event["text"])):
            self._write(("    " if self._at_line_start else "") + line)
            self._at_line_start = line.endswith("\n")

    def _call_started(self, event: dict[str, Any]) -> None:
        if event["kind"] == "sub":
            self._calls.add(event["call"])

    def _egress(self, event: dict[str, Any]) -> None:
        if event["denied"] is not None:
            self._lines("  denied: ", event["denied"])

    def _call_finished(self, event: dict[str, Any]) -> None:
        self._failed += event["call"] in self._calls and event["error"] is not None

    def _block_finished(self, event: dict[str, Any]) -> None:
        observation = event["observation"]
        if observation["value"] is not None:
            self._lines("    ", observation["value"])
        if observation["error"]:
            self._lines("    ", observation["error"])
        if self._calls:
            self._line(f"  sub-calls: {len(self._calls)}, failed: {self._failed}")
        self._calls, self._failed = set(), 0

    def _run_finished(self, event: dict[str, Any]) -> None:
        calls = sum(usage["calls"] for usage in event["usage"].values())
        self._line(
            f"\nStopped by {event['stopped_by']} after {counted(event['iterations'], 'iteration')}, "
            f"{counted(calls, 'model call')}, {event['seconds']:.1f} s"
        )
