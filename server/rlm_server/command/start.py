"""Start: the first module of the command that is loaded, so that signals have their exit status from the beginning."""

from __future__ import annotations

import signal
from types import FrameType

SHELL_BASE = 128
"""A process that a signal ended has the status 128 + its number, as shells show it."""


def main() -> None:
    """Run the command; Ctrl-C and SIGTERM end it with 130 and 143 where nothing else handles them."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    from .cli import main as command

    command()


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(SHELL_BASE + number)
