"""Child outcome: the end of a child run, as its parent's model sees it.

In: the child's result. Out: its answer as a reply, or the reason why there is none. The end of the tree is raised.
"""

from __future__ import annotations

import dataclasses

from . import prompts
from .errors import ProviderError, RunCancelled
from .events import Emit, Event
from .limits import Budget
from .types import ModelUsage, Reply, RunResult


def child_outcome(result: RunResult, budget: Budget) -> Reply | ProviderError:
    """Outcome of a child run for its parent; an end of the whole tree is raised.

    Raises:
        LimitReached: a limit of the tree is reached.
        RunCancelled: the user pressed stop.
    """
    if result.stopped_by == "cancelled":
        raise RunCancelled("The run was stopped.")
    if budget.root.reached is not None:
        raise budget.root.reached
    if result.stopped_by == "final_answer":
        return Reply(result.answer, usage=ModelUsage())
    return ProviderError(prompts.child_failed(result.stopped_by, result.detail, result.answer))


def emit_at(path: tuple[int, ...], emit: Emit, event: Event) -> None:
    """Emit `event` of the run at `path`; one of a run below it has its own path already."""
    emit(dataclasses.replace(event, path=event.path or path))
