"""Python side: the caller's callbacks, tools, gate and provider, for the runs that a page has under way.

In: calls of the page, each with the id of its run; a headless page makes them by Playwright, a notebook's widget by
messages. Out: their answers; and the job and the result of a run in the forms that cross. Nothing here sends anything.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from rlm_core import ChannelError, ConfigError, ProtocolError, ReplayError, RLMError, RunCancelled

from .arguments import Arguments, Child
from .live_run import LiveRun
from .names import snake_keys
from .python_provider import error_json
from .python_tools import awaited
from .result import HeadlessResult, result_of

FAULTS: Mapping[str, type[RLMError]] = {
    fault.__name__: fault for fault in (ChannelError, ConfigError, ProtocolError, ReplayError)
}


def settings_json(arguments: Arguments, log: Mapping[str, object]) -> dict[str, object]:
    """The part of a job that a session holds for all its questions, and the log that the run is made from."""
    return {**arguments.settings(), "log": log, "key": arguments.key}


def question_json(
    live: LiveRun, question: str, arguments: Arguments, *, kind: str, names: Sequence[str]
) -> dict[str, object]:
    """The part of a job that is one question's own, with the way to read the files of its context."""
    return {
        "id": live.id,
        "question": question,
        "kind": kind,
        "names": names,
        "wants": {**arguments.callbacks.wants(), "events": live.is_watched},
        "isStopped": live.is_stopped,
        "schema": None if arguments.shape is None else arguments.shape.schema,
        "direct": arguments.direct,
    }


def ended_result(outcome: str, arguments: Arguments) -> HeadlessResult:
    """The result in the page's outcome.

    Raises:
        RLMError: it is an error.
    """
    result = result_of(ok_of(outcome, arguments.in_python))
    return result if arguments.shape is None else arguments.shape.valued(result)


def ok_of(outcome: str, in_python: Callable[[str], str] = str) -> Any:
    """The value in the page's outcome, `{"ok": ...}` or `{"error": {"name", "message"}}` as JSON text.

    Args:
        in_python: spells the names of options in a message as the caller does.

    Raises:
        RLMError: it is an error.
    """
    parsed = json.loads(outcome)
    if "error" not in parsed:
        return parsed["ok"]
    error = parsed["error"]
    raise FAULTS.get(error["name"], RLMError)(in_python(error["message"]))


class PythonSide:
    """Answers to the calls of one page.

    Args:
        send_piece: hands a piece of a reply to the page, by the page's number of the call.
        stop_child: has the page stop a child run.

    Attributes:
        runs: those under way, by id.
    """

    def __init__(
        self,
        send_piece: Callable[[int, str], Awaitable[object]],
        stop_child: Callable[[str, Sequence[int]], Awaitable[object]],
    ) -> None:
        self._send_piece = send_piece
        self._stop_child = stop_child
        self.runs: dict[str, LiveRun] = {}

    def notify(self, run: str, lines: str) -> None:
        """Take a message of the page: each line is a kind, a space and a JSON value."""
        live = self.runs.get(run)
        if live is None:
            return
        for line in lines.split("\n"):
            kind, _, text = line.partition(" ")
            if kind == "event":
                live.lines.append(text)
            if kind in ("event", "passing"):
                self._event(live, text)
            else:
                self._call_back(live, kind, json.loads(text))

    def take_rest(self, run: str, outcome: str) -> None:
        """Take the last events of a run that began without a reader: they come with its outcome."""
        live = self.runs.get(run)
        if live is not None and live.is_watched and (rest := json.loads(outcome).get("rest")):
            self.notify(run, rest)

    async def call(self, run: str, number: int, arguments: str) -> dict[str, str | None]:
        """Call a tool; a failure of it is text for model code."""
        live = self.runs.get(run)
        if live is None or live.is_left:
            return {"result": None, "error": "the run is over."}
        try:
            return {"result": await live.answer(live.tools.call(number, arguments)), "error": None}
        except Exception as fault:  # noqa: BLE001 - the caller's function may raise anything; model code gets its message
            return {"result": None, "error": str(fault) or type(fault).__name__}

    async def model(self, run: str, number: int, request: str) -> str:
        """Answer a model call by the caller's provider; the outcome is JSON text."""
        live = self.runs.get(run)
        if live is None or live.is_left or live.provider is None:
            return _refused(RunCancelled("the run is over."))
        call = asyncio.ensure_future(live.provider.answer(request, lambda text: self._send_piece(number, text)))
        live.model_calls[number] = call
        try:
            outcome: str = await live.answer(_result_of(call))
        except RunCancelled as fault:
            return _refused(fault)
        finally:
            del live.model_calls[number]
        return outcome

    def stop_model(self, run: str, number: int) -> None:
        """End a model call that nobody waits for any more."""
        live = self.runs.get(run)
        if live is not None and (call := live.model_calls.get(number)) is not None:
            call.cancel()

    async def may_leave(self, run: str, request: str) -> object:
        """The answer of `on_egress` to a request before it leaves; no answer is a denial."""
        live = self.runs.get(run)
        if live is None or live.is_left or live.callbacks.on_egress is None:
            return "deny"
        try:
            return await live.answer(awaited(live.callbacks.on_egress, snake_keys(json.loads(request))))
        except Exception as fault:  # noqa: BLE001 - the caller's function may raise anything; then it has denied
            return {"deny": f"on_egress failed: {fault}"}

    def _event(self, live: LiveRun, text: str) -> None:
        if not live.is_watched:
            return
        event = json.loads(text)
        live.watch(event)
        live.notify("on_event", event)

    def _call_back(self, live: LiveRun, kind: str, value: Any) -> None:
        if kind == "iteration":
            blocks = [snake_keys(block) for block in value["codeBlocks"]]
            live.notify("on_iteration", {**snake_keys(value), "code_blocks": blocks})
        elif kind == "subLLMCall":
            live.notify("on_sub_llm_call", value)
        elif kind == "child":
            live.notify("on_child", self._child(live, value))

    def _child(self, live: LiveRun, value: Mapping[str, Any]) -> Child:
        async def stop() -> None:
            if live.id in self.runs:
                await self._stop_child(live.id, value["path"])

        return Child(tuple(value["path"]), value["question"], value["model"], stop)


async def _result_of(call: asyncio.Future[str]) -> str:
    return await call


def _refused(fault: RunCancelled) -> str:
    return json.dumps({"error": error_json(fault)})
