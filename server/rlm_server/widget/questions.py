"""Questions of one widget, one at a time: from the arguments of a run to its result, which a page works out.

In: questions of the kernel or of the person, and requests of the notebook's pages. Out: the job for the page that
begins, answers to its calls, and the result. One page does the work; after a reload another continues it, by its log.
Nothing here knows of anywidget.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rlm_core import ConfigError, RLMError

from ..headless.arguments import Arguments, RunArguments, parsed
from ..headless.context_upload import Upload, uploaded, uploaded_log
from ..headless.live_run import LiveRun, live_run
from ..headless.python_provider import PythonProvider
from ..headless.python_side import PythonSide, ended_result, question_json, settings_json
from ..headless.result import HeadlessResult
from .asset_files import read_asset
from .kernel_provider import Backends, open_provider
from .requests import Reply, Send

PART_BYTES = 4 << 20
AT_WORK = "the widget is at work on a question: await done(), or stop() it, before you ask the next."
CLOSED = "the widget was closed."
NOTHING = "there is no question: write one."


@dataclass(eq=False)
class Asked:
    """A question.

    Attributes:
        page: name of the page that does the work, empty before one has begun.
        log: file of the log that the run is made from.
    """

    question: str
    arguments: Arguments
    ended: Future[HeadlessResult] = field(default_factory=Future)
    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    page: str = ""
    live: LiveRun | None = None
    files: Upload | None = None
    log: Path | None = None
    open: ExitStack = field(default_factory=ExitStack)


class Questions:
    """The questions of one widget. All of it but the constructor is for one event loop.

    Args:
        arguments: of each run.
        send: to the pages.
        backends: of the provider, where the arguments have none.
        on_ended: called after each question.
    """

    def __init__(
        self,
        arguments: Mapping[str, object],
        send: Send,
        backends: Backends,
        *,
        on_ended: Callable[[], object] = lambda: None,
    ) -> None:
        self._arguments = parsed(arguments, RunArguments)
        self._send = send
        self._backends = backends
        self._on_ended = on_ended
        self._side = PythonSide(self._send_piece, self._stop_child)
        self._is_closed = False
        self.current: Asked | None = None

    async def ask(self, question: str) -> Asked:
        """Have a page answer `question`.

        Raises:
            ConfigError: the one before is not answered, or there is none.
        """
        asked = self._next(question)
        self._send({"command": "ask"}, [])
        return asked

    async def stop(self) -> None:
        """Stop the question at work, whose result is then the partial one; one that no page has begun is dropped."""
        asked = self.current
        if asked is None or asked.ended.done():
            return
        if asked.live is None:
            await self._settle(asked, RLMError("the question was stopped before a page had begun it."))
        else:
            asked.live.is_stopped = True
            self._send({"command": "stop", "id": asked.live.id}, [])

    async def close(self) -> None:
        """End: a question that is not answered never will be."""
        self._is_closed = True
        if self.current is not None and not self.current.ended.done():
            await self._settle(self.current, RLMError(CLOSED))

    async def answer(self, page: str, kind: str, body: Any) -> Reply:
        """Answer a request of the notebook's page of that name.

        Raises:
            RLMError: it cannot be answered.
        """
        if kind == "read":
            return await asyncio.to_thread(self._part, body)
        return await self._value(page, kind, body), []

    async def _value(self, page: str, kind: str, body: Any) -> Any:
        match kind:
            case "hello":
                return {"state": self._state(page)}
            case "begin":
                return await self._begin(page, body["question"], takes=body["takes"])
            case "ended":
                return await self._end(body["id"], body["outcome"])
            case "stop":
                await self.stop()
            case "here":
                pass
            case "notify":
                self._side.notify(body["id"], body["lines"])
            case "tool":
                return await self._side.call(body["id"], body["tool"], body["args"])
            case "egress":
                return await self._side.may_leave(body["id"], body["request"])
            case "model":
                return await self._side.model(body["id"], body["number"], body["call"])
            case "modelStop":
                self._side.stop_model(body["id"], body["number"])
            case _:
                raise ConfigError(f"the page is of another version: it asks for {kind:.40}. Reload the page.")
        return {}

    def _state(self, page: str) -> str:
        if self.current is None or self.current.ended.done():
            return "idle"
        return "elsewhere" if self.current.page not in ("", page) else "pending"

    def _next(self, question: str) -> Asked:
        if self._is_closed:
            raise ConfigError(CLOSED)
        if self.current is not None and not self.current.ended.done():
            raise ConfigError(AT_WORK)
        if not question.strip():
            raise ConfigError(NOTHING)
        self.current = Asked(question, self._arguments)
        return self.current

    async def _begin(self, page: str, question: str | None, *, takes: bool) -> dict[str, Any]:
        """The job of the question that waits, of one that another page leaves, or of the person's."""
        asked = self.current
        if asked is None or asked.ended.done():
            asked = self._next(question or "")
        elif asked.page not in ("", page) and not takes:
            return {"elsewhere": True}
        log = await self._left(asked)
        asked.page = page
        try:
            return await self._job(asked, log)
        except RLMError as fault:
            await self._settle(asked, fault)
            raise

    async def _left(self, asked: Asked) -> Mapping[str, object]:
        """What the run is made from: the log so far, where another page had begun it."""
        before, asked.live = asked.live, None
        if before is None:
            return asked.arguments.log
        self._send({"command": "stop", "id": before.id}, [])
        await self._over(before)
        return {"resume": "".join(f"{line}\n" for line in before.lines)} if before.lines else asked.arguments.log

    async def _job(self, asked: Asked, log: Mapping[str, object]) -> dict[str, Any]:
        arguments = asked.arguments
        if arguments.provider is None:
            model = arguments.options.get("model")
            provider = await open_provider(
                await self._backends.backend(), asked.run, None if model is None else str(model)
            )
            arguments = replace(arguments, provider=PythonProvider(provider))
        files = asked.files
        if files is None:
            files = await asyncio.to_thread(asked.open.enter_context, uploaded(arguments.context))
            asked.files = files
        described_log, logs = asked.open.enter_context(uploaded_log(log))
        asked.log = logs[0] if logs else None
        asked.live = live = live_run(arguments, watch=lambda event: None)
        self._side.runs[live.id] = live
        settings = settings_json(arguments, described_log)
        own = question_json(live, asked.question, arguments, kind=files.kind, names=files.names)
        key = arguments.key or asked.run  # a page of plain http cannot make one
        return {
            "job": {**settings, **own, "key": key},
            "files": [{"name": name} for name in files.names],
            "log": asked.log is not None,
        }

    async def _end(self, run: str, outcome: str) -> dict[str, Any]:
        """Take the outcome of a run; one that another page has taken over is not ended by it."""
        asked = self.current
        if asked is None or asked.live is None or asked.live.id != run:
            return {"error": "another page continued this question.", "late": True}
        try:
            end: HeadlessResult | RLMError = ended_result(outcome, asked.arguments)
        except RLMError as fault:
            end = fault
        await self._settle(asked, end)
        return {"error": str(end)} if isinstance(end, RLMError) else {}

    async def _settle(self, asked: Asked, end: HeadlessResult | RLMError) -> None:
        live, asked.live = asked.live, None
        if live is not None:
            await self._over(live)
        await asyncio.to_thread(asked.open.close)
        if isinstance(end, RLMError):
            asked.ended.set_exception(end)
        else:
            asked.ended.set_result(end)
        asyncio.get_running_loop().call_soon(self._on_ended)

    async def _over(self, live: LiveRun) -> None:
        live.is_left = True
        del self._side.runs[live.id]
        await live.end()

    def _part(self, body: Mapping[str, Any]) -> Reply:
        """A part of a file: of the context, the log, or the assets."""
        offset: int = body["offset"]
        if body["what"] == "asset":
            asset = read_asset(body["path"])
            if asset is None:
                return {"missing": True}, []
            data, size = asset.data[offset : offset + PART_BYTES], len(asset.data)
            return {"size": size, "packed": asset.packed}, [data]
        asked = self.current
        path = None if asked is None else _file_of(asked, body)
        if path is None:
            return {"missing": True}, []
        with path.open("rb") as file:
            file.seek(offset)
            return {"size": path.stat().st_size}, [file.read(PART_BYTES)]

    async def _send_piece(self, number: int, text: str) -> None:
        page = "" if self.current is None else self.current.page
        self._send({"page": page, "command": "piece", "number": number, "text": text}, [])

    async def _stop_child(self, run: str, path: Sequence[int]) -> None:
        self._send({"command": "stopChild", "id": run, "path": [*path]}, [])


def _file_of(asked: Asked, body: Mapping[str, Any]) -> Path | None:
    if body["what"] == "log":
        return asked.log
    paths = () if asked.files is None else asked.files.paths
    index = int(body["index"])
    return paths[index] if 0 <= index < len(paths) else None
