"""Exit status: how a command ends.

In: a result, or an error of ours. Out: 0 a final answer, 1 a fault, 2 wrong usage, 3 a limit, 130 Ctrl-C, 143 SIGTERM.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from rlm_core import ConfigError, RLMError

from ..headless.visible_text import visible

if TYPE_CHECKING:
    from ..headless.result import HeadlessResult
    from .stop_signals import StopSignals

FINAL, FAULT, USAGE, LIMIT, INTERRUPTED = 0, 1, 2, 3, 130
EXIT_STATUS = {"final_answer": FINAL, "cancelled": INTERRUPTED, "provider_error": FAULT, "worker_lost": FAULT}


@contextmanager
def reported() -> Iterator[None]:
    """An error of ours becomes one line on stderr and an exit status."""
    try:
        yield
    except RLMError as fault:
        click.echo(f"error: {visible(str(fault))}", err=True)
        sys.exit(USAGE if isinstance(fault, ConfigError) else FAULT)


def status_of(result: HeadlessResult, signals: StopSignals) -> int:
    status = EXIT_STATUS.get(result.stopped_by, LIMIT)
    return signals.status or status if result.stopped_by == "cancelled" else status
