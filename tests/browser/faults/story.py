"""Story: the facts of a log, less those in which two runs of the same question may differ."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from rlm_core.events import BlockFinished
from rlm_core.trajectory import read

TOLD = {
    "iteration_started": ("iteration",),
    "block_started": ("iteration", "block", "code"),
    "call_finished": ("text", "error"),
    "tool_called": ("name", "args", "result", "error"),
    "iteration_finished": ("iteration", "reply"),
    "run_finished": ("answer", "iterations", "stopped_by", "usage"),
}
Story = dict[tuple[int, ...], list[tuple[Any, ...]]]


def story(log: str) -> Story:
    """Steps of each run of the tree, in their order; the numbers of events, their times and notices are left out."""
    trajectory = read(log.splitlines())
    assert trajectory.notes == ()
    assert [event.seq for event in trajectory.events] == list(range(len(trajectory.events)))
    told: Story = defaultdict(list)
    for event in trajectory.events:
        if isinstance(event, BlockFinished):
            seen = event.observation
            told[event.path].append((event.type, event.iteration, event.block, seen.stdout, seen.value, seen.error))
        elif event.type in TOLD:
            told[event.path].append((event.type, *(getattr(event, name) for name in TOLD[event.type])))
    return dict(told)


def notices(result: Any) -> str:
    """All that a run said beside its log."""
    return " | ".join(event["text"] for event in result["events"] if event["type"] == "notice")
