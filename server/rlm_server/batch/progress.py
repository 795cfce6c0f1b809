"""Progress of a batch: its counts, and lines of text about them.

In: outcomes as they come, and ticks of a clock. Out: a line now and then, written over on a terminal, and the summary.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

TERMINAL_SECONDS = 1.0
LINE_SECONDS = 30.0
"""Time between two lines, on a terminal and where each line stays."""
CLEARED = "\r\x1b[K"


@dataclass(slots=True)
class Counts:
    """Lines of a batch.

    Attributes:
        earlier: answered by an earlier start.
        answered: answered now.
        failed: ended without an answer now.
        spent: USD of all starts; `None` where a price is unknown.
    """

    total: int
    earlier: int = 0
    answered: int = 0
    failed: int = 0
    spent: float | None = 0.0

    @property
    def left(self) -> int:
        """Lines that have neither an answer nor an error."""
        return self.total - self.earlier - self.answered - self.failed


class Progress:
    """Write the counts to `write`; `tick` is called by a clock."""

    def __init__(
        self,
        write: Callable[[str], object],
        counts: Counts,
        *,
        is_terminal: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self.counts = counts
        self._is_terminal = is_terminal
        self._clock = clock
        self._began = self._last = clock()

    def tick(self) -> None:
        """Write a line where it is time."""
        now = self._clock()
        if now - self._last < (TERMINAL_SECONDS if self._is_terminal else LINE_SECONDS):
            return
        self._last = now
        text = self.line()
        self._write(f"{CLEARED}{text}" if self._is_terminal else f"{text}\n")

    def note(self, text: str) -> None:
        """A line that stays."""
        self._write(f"{CLEARED if self._is_terminal else ''}{text}\n")

    def line(self) -> str:
        """The counts in a line: answered of all, failed, left, lines a minute, time left and money spent."""
        counts, seconds = self.counts, max(1e-9, self._clock() - self._began)
        ended = counts.answered + counts.failed
        rate = ended / seconds
        parts = [
            f"{counts.earlier + counts.answered:,} of {counts.total:,} answered",
            f"{counts.failed:,} failed",
            f"{counts.left:,} left",
            f"{rate * 60:,.1f} a minute",
        ]
        if ended and counts.left:
            parts.append(f"about {_duration(counts.left / rate)} to go")
        return ", ".join([*parts, f"spent {dollars(counts.spent)}"])

    def summary(self) -> list[str]:
        """The end, in lines."""
        counts, seconds = self.counts, self._clock() - self._began
        earlier = f", {counts.earlier:,} of them by an earlier start" if counts.earlier else ""
        lines = [
            f"{counts.earlier + counts.answered:,} of {counts.total:,} lines have their answer{earlier}; "
            f"{counts.failed:,} failed, {counts.left:,} not run.",
            f"{_duration(seconds)}, spent {dollars(counts.spent)}.",
        ]
        return ["", *lines] if self._is_terminal else lines


def dollars(spent: float | None) -> str:
    """
    >>> dollars(0.01234), dollars(None)
    ('$0.0123', 'an unknown sum')
    """
    return "an unknown sum" if spent is None else f"${spent:,.4f}"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"
