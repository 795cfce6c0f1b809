"""Start: the first module of the command that is loaded, so that Ctrl-C has its exit status from the beginning."""

from __future__ import annotations

import signal
from types import FrameType

INTERRUPTED = 130


def main() -> None:
    """Run the command; Ctrl-C while it is loaded, or where nothing handles it, ends it with status 130."""
    signal.signal(signal.SIGINT, _end)
    from .cli import main as command

    command()


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(INTERRUPTED)
