"""Page: the headless browser, and the runs that its page has under way.

In: checked arguments. Out: results; on the way the caller's callbacks and tools are called. Each run has its own id,
events, tools, callbacks and stop. No error of the browser's driver gets out: each becomes an `RLMError`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from rlm_core import ChannelError, ConfigError, ProtocolError, ReplayError, RLMError, RunCancelled

from .arguments import Arguments, Child
from .context_upload import uploaded, uploaded_log, uploaded_logs
from .live_run import LiveRun as LiveRun
from .live_run import live_run as live_run
from .names import snake_keys
from .python_provider import error_json
from .python_tools import awaited
from .report_form import ReportForm
from .result import HeadlessResult, partial_result, result_of
from .snapshot_file import SnapshotFile

if TYPE_CHECKING:
    from playwright.async_api import ElementHandle, JSHandle
    from playwright.async_api import Page as DriverPage

log = logging.getLogger(__name__)

FAULTS: Mapping[str, type[RLMError]] = {
    fault.__name__: fault for fault in (ChannelError, ConfigError, ProtocolError, ReplayError)
}
FILE_INPUT = """() => Object.assign(document.createElement("input"), { type: "file", multiple: true })"""
STOP_SECONDS = 5.0
"""Longest wait for the end of a run that was stopped, before its page is left alone with it."""
UNAUTHORIZED = 401
KEEP_SECONDS = 30.0
"""Longest wait at the end of the first browser of a build, for the snapshot that the next one starts from."""


class BrowserLost(RLMError):
    """The browser ended, or lost its page, in mid-run.

    Attributes:
        partial: result with all that had arrived; its `trajectory` can be resumed.
    """

    def __init__(self, message: str, partial: HeadlessResult) -> None:
        super().__init__(message)
        self.partial = partial

    def __reduce__(self) -> tuple[type[BrowserLost], tuple[str, HeadlessResult]]:
        return BrowserLost, (str(self), self.partial)


class Page:
    """The page, ready for runs. Made by `open_page`."""

    def __init__(self, page: DriverPage) -> None:
        self._page = page
        self._module: JSHandle | None = None
        self._runs: dict[str, LiveRun] = {}
        self._kept: Path | None = None

    async def load(self, url: str) -> None:
        """Bind Python's functions, and load the page's half of the runs."""
        with driver_errors(f"The page at {url} did not load"):
            await self._page.expose_function("rlmNotify", self._notify)
            await self._page.expose_function("rlmTool", self._call)
            await self._page.expose_function("rlmEgress", self._may_leave)
            await self._page.expose_function("rlmModel", self._model)
            await self._page.expose_function("rlmModelStop", self._stop_model)
            response = await self._page.goto(urljoin(f"{url.rstrip('/')}/", "page/headless.html"))
            if response is not None and response.status == UNAUTHORIZED:
                raise RLMError(f"The server at {url} asks for its token: pass BrowserRLM(url, token=...).")
            self._module = await self._page.evaluate_handle('import("./headless.js")')

    async def begin(self, kept: Path | None, *, has_spares: bool) -> None:
        """Boot the first worker, whose run comes soon.

        Args:
            kept: snapshot that it starts from.
            has_spares: whether a next worker is booted beside each run.
        """
        self._kept = kept
        element = await self._file_input([] if kept is None else [kept])
        await self._evaluate("(page, began) => page.open?.(...began)", [element, has_spares])  # older servers have none

    async def keep(self, file: SnapshotFile) -> None:
        """Keep the snapshot of this page in `file`, or drop the one there that no worker starts from."""
        try:
            async with asyncio.timeout(KEEP_SECONDS):
                is_usable = await self._evaluate("page => page.hasSnapshot()", None)
                if self._kept is not None and not is_usable:
                    file.discard()
                elif self._kept is None and is_usable:
                    await self._save(file)
        except (RLMError, TimeoutError) as fault:
            log.warning("no snapshot is kept for the next start: %s", fault)

    async def _save(self, file: SnapshotFile) -> None:
        with driver_errors("The snapshot cannot be saved"):
            async with self._page.expect_download() as download:
                await self._evaluate("page => page.saveSnapshot()", None)
            path = await (await download.value).path()
        await asyncio.to_thread(file.keep, path)

    async def run(
        self, live: LiveRun, question: str, arguments: Arguments, session: str | None = None
    ) -> HeadlessResult:
        """Answer `question`. A caller that is cancelled stops the run, and only this one.

        Args:
            session: id of the session that the question belongs to.

        Raises:
            ConfigError: an argument is impossible; nothing ran.
            ReplayError: the run is made from a log, and does not go as the recorded one.
            BrowserLost: the browser ended meanwhile.
            RLMError: the page failed; the message is its own.
        """
        await self._check(arguments)
        self._runs[live.id] = live
        try:
            with uploaded(arguments.context) as files, uploaded_log(arguments.log) as (log, log_files):
                element = await self._file_input(files.paths)
                log_element = await self._file_input(log_files) if log_files and await self._takes_log_files() else None
                given = arguments.log if log_element is None else log
                settings = {**arguments.settings(), "log": given, "key": arguments.key}
                own = settings if session is None else {"session": session}
                described = {"id": live.id, "question": question, "kind": files.kind, "names": files.names}
                wants = arguments.callbacks.wants()
                state = {"wants": {**wants, "events": live.is_watched}, "isStopped": live.is_stopped}
                state["schema"] = None if arguments.shape is None else arguments.shape.schema
                state["direct"] = arguments.direct
                function = "run" if session is None else "ask"
                job = [element, json.dumps({**own, **described, **state}), log_element]
                outcome = await self._until_end(live, function, job)
            result = result_of(_ok(outcome, arguments.in_python))
            return result if arguments.shape is None else arguments.shape.valued(result)
        finally:
            del self._runs[live.id]
            await live.end()

    async def open_session(
        self, session: str, arguments: Arguments, earlier: Sequence[str] = (), context: object = None
    ) -> None:
        """Open a session under the id `session`; of its `earlier` questions the first one had `context`.

        Raises:
            ConfigError: an option is impossible.
        """
        await self._check(arguments)
        with uploaded(context) as files, uploaded_logs(earlier) as logs:
            described = {"kind": files.kind, "names": files.names, "id": session}
            job: list[object] = [json.dumps({**arguments.settings(), **described})]
            job += [await self._file_input(paths) for paths in (logs, files.paths)]
            _ok(await self._evaluate("(page, job) => page.openSession(...job)", job), arguments.in_python)

    async def execute(self, live: LiveRun, code: str | None, session: str, arguments: Arguments) -> Any:
        """Run code in the REPL of a session, or list its variables where it is `None`; a cancel stops the code.

        Raises:
            ConfigError: the session is at work.
            RLMError: the page failed, or the browser was lost.
        """
        self._runs[live.id] = live
        try:
            job = json.dumps({"id": live.id, "session": session, "code": code})
            return _ok(await self._until_end(live, "execute", [job]), arguments.in_python)
        finally:
            del self._runs[live.id]
            await live.end()

    async def close_session(self, session: str) -> None:
        """End a session, and its worker."""
        await self._evaluate("(page, id) => page.closeSession(id)", session)

    async def report(self, log: str, form: ReportForm) -> str:
        """The report of the run whose log this is.

        Raises:
            ConfigError: it is no log of a run that ended.
        """
        with uploaded_log({"report": log}) as (_, files):
            element = await self._file_input(files)
            return str(_ok(await self._evaluate("(page, job) => page.report(...job)", [element, form])))

    async def stop(self, live: LiveRun) -> None:
        """Stop a run, also one that has not begun; its result is then the partial one."""
        live.is_stopped = True
        if live.has_begun:
            await self._evaluate("(page, id) => page.stop(id)", live.id)

    async def watch(self, live: LiveRun) -> None:
        """A reader takes the run's events from now on, as they happen."""
        live.is_watched = True
        if live.has_begun:
            with suppress(RLMError):  # a browser that is lost ends the run with that error
                await self._evaluate("(page, id) => page.watch(id)", live.id)

    async def evaluate(self, expression: str) -> Any:
        """Evaluate JavaScript in the page and return its JSON value."""
        with driver_errors("The page failed"):
            return await self._page.evaluate(expression)

    async def _check(self, arguments: Arguments) -> None:
        """Refuse a provider where the page is of a server that is older than this program."""
        if arguments.provider is not None and not await self._evaluate("page => page.takesProvider", None):
            raise ConfigError(
                "provider is not known to the server at url, which is older: update it, or leave url out."
            )

    async def _takes_log_files(self) -> bool:
        """Whether the page is of a server that is not older than this program."""
        return bool(await self._evaluate("page => page.takesLogFiles", None))

    async def _until_end(self, live: LiveRun, function: str, job: Sequence[object]) -> str:
        """The page's outcome. Left early, the run is stopped, and its end awaited."""
        live.has_begun = True
        ending = asyncio.ensure_future(self._evaluate(f"(page, job) => page.{function}(...job)", job))
        try:
            outcome: str = await asyncio.shield(ending)
        except asyncio.CancelledError:
            live.is_left = True
            ending.add_done_callback(_taken)
            if not ending.done():
                await self._stopped(live, ending)
            raise
        except RLMError as fault:
            raise BrowserLost(f"{fault} The run had begun: resume its log.", self._salvaged(live)) from fault
        return outcome

    async def _stopped(self, live: LiveRun, ending: asyncio.Future[str]) -> None:
        try:
            await self.stop(live)
            await asyncio.wait([ending], timeout=STOP_SECONDS)
        except RLMError:
            pass  # the browser is gone, and the run with it

    def _salvaged(self, live: LiveRun) -> HeadlessResult:
        return partial_result([*map(json.loads, live.lines)], detail="The browser was lost.")

    async def _evaluate(self, function: str, argument: object) -> Any:
        assert self._module is not None, "the page is not loaded"
        with driver_errors("The browser was lost"):
            return await self._module.evaluate(function, argument)

    async def _file_input(self, paths: Sequence[Path]) -> ElementHandle:
        with driver_errors("The context cannot be handed to the browser"):
            element = (await self._page.evaluate_handle(FILE_INPUT)).as_element()
            assert element is not None, "createElement gave no element"
            await element.set_input_files([str(path) for path in paths])
            return element

    def _notify(self, run: str, lines: str) -> None:
        """Take a message of the page: each line is a kind, a space and a JSON value."""
        live = self._runs.get(run)
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
            if live.id in self._runs:
                await self._evaluate("(page, child) => page.stopChild(...child)", [live.id, value["path"]])

        return Child(tuple(value["path"]), value["question"], value["model"], stop)

    async def _call(self, run: str, number: int, arguments: str) -> dict[str, str | None]:
        live = self._runs.get(run)
        if live is None or live.is_left:
            return {"result": None, "error": "the run is over."}
        try:
            return {"result": await live.answer(live.tools.call(number, arguments)), "error": None}
        except Exception as fault:  # noqa: BLE001 - the caller's function may raise anything; model code gets its message
            return {"result": None, "error": str(fault) or type(fault).__name__}

    async def _model(self, run: str, number: int, request: str) -> str:
        live = self._runs.get(run)
        if live is None or live.is_left or live.provider is None:
            return _refused(RunCancelled("the run is over."))

        async def send(text: str) -> None:
            with suppress(RLMError):  # a browser that is lost ends the run with that error
                await self._evaluate("(page, piece) => page.takePiece(...piece)", [number, text])

        call = asyncio.ensure_future(live.provider.answer(request, send))
        live.model_calls[number] = call
        try:
            outcome: str = await live.answer(_result_of(call))
        except RunCancelled as fault:
            return _refused(fault)
        finally:
            del live.model_calls[number]
        return outcome

    def _stop_model(self, run: str, number: int) -> None:
        live = self._runs.get(run)
        if live is not None and (call := live.model_calls.get(number)) is not None:
            call.cancel()

    async def _may_leave(self, run: str, request: str) -> object:
        live = self._runs.get(run)
        if live is None or live.is_left or live.callbacks.on_egress is None:
            return "deny"
        try:
            return await live.answer(awaited(live.callbacks.on_egress, snake_keys(json.loads(request))))
        except Exception as fault:  # noqa: BLE001 - the caller's function may raise anything; then it has denied
            return {"deny": f"on_egress failed: {fault}"}


@contextmanager
def driver_errors(what: str) -> Iterator[None]:
    """An error of the browser's driver as one of ours; its first line says enough, the rest is the driver's log."""
    from playwright.async_api import Error

    try:
        yield
    except Error as fault:
        raise RLMError(f"{what}: {fault.message.splitlines()[0]}.") from fault


async def _result_of(call: asyncio.Future[str]) -> str:
    return await call


def _refused(fault: RunCancelled) -> str:
    return json.dumps({"error": error_json(fault)})


def _ok(outcome: str, in_python: Callable[[str], str] = str) -> Any:
    parsed = json.loads(outcome)
    if "error" not in parsed:
        return parsed["ok"]
    error = parsed["error"]
    raise FAULTS.get(error["name"], RLMError)(in_python(error["message"]))


def _taken(ending: asyncio.Future[Any]) -> None:
    """Take the outcome of a run that nobody waits for, so that it is not reported as never retrieved."""
    if not ending.cancelled():
        ending.exception()
