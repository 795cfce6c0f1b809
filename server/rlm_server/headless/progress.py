"""Progress: events as lines for a terminal.

In: events in their JSON form. Out: text. One call per event; output of running code appears as it is printed. Text of
models and code is made visible: it cannot command the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .visible_text import visible

CLEARED = "\r\x1b[K"
"""Back to the begin of the line, and nothing on it."""


class Progress:
    """Write each event to `write` in a few readable lines.

    Args:
        write: takes text as it is, newlines included (`sys.stderr.write`).
        is_terminal: whether a line may be written over: then one grows while the root model writes its reply.
    """

    def __init__(self, write: Callable[[str], object], *, is_terminal: bool = False) -> None:
        self._write = write
        self._is_terminal = is_terminal
        self._calls: set[int] = set()
        self._failed = 0
        self._at_line_start = True
        self._is_over_written = False

    def __call__(self, event: dict[str, Any]) -> None:
        """Show one event; types that say nothing to a reader are passed over."""
        show = getattr(self, f"_{event['type']}", None)
        if show is not None:
            show(event)

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
            f"\nStopped by {event['stopped_by']} after {event['iterations']} iterations, {calls} model calls, "
            f"{event['seconds']:.1f} s"
        )
