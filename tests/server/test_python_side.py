"""Python side: the events of a run whose reader came after its begin."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rlm_server.headless.arguments import RunArguments, parsed
from rlm_server.headless.live_run import live_run
from rlm_server.headless.python_side import PythonSide


async def nothing(*given: object) -> None:
    pass


@pytest.mark.parametrize("has_reader", [True, False])
def test_a_reader_that_came_late_gets_the_events_that_come_with_the_outcome(has_reader: bool) -> None:
    events: list[dict[str, Any]] = []
    live = live_run(parsed({}, RunArguments), watch=events.append)
    live.is_watched = has_reader
    side = PythonSide(nothing, nothing)
    side.runs[live.id] = live
    rest = [f"event {json.dumps({'seq': seq})}" for seq in range(2)]
    side.take_rest(live.id, json.dumps({"ok": {}, "rest": "\n".join(rest)}))
    side.take_rest(live.id, json.dumps({"ok": {}}))
    assert events == ([{"seq": 0}, {"seq": 1}] if has_reader else [])
