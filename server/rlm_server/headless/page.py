"""Page: the headless browser, and the runs that its page has under way.

In: checked arguments. Out: results; on the way the caller's callbacks and tools are called. Each run has its own id,
events, tools, callbacks and stop. No error of the browser's driver gets out: each becomes an `RLMError`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from rlm_core import ConfigError, RLMError

from .arguments import Arguments
from .context_upload import uploaded, uploaded_log, uploaded_logs
from .live_run import LiveRun as LiveRun
from .live_run import live_run as live_run
from .python_side import PythonSide, ended_result, ok_of, question_json, settings_json
from .report_form import ReportForm
from .result import HeadlessResult, partial_result
from .snapshot_file import SnapshotFile

if TYPE_CHECKING:
    from playwright.async_api import ElementHandle, JSHandle
    from playwright.async_api import Page as DriverPage

log = logging.getLogger(__name__)

FILE_INPUT = """() => Object.assign(document.createElement("input"), { type: "file", multiple: true })"""
NO_FILES = {"files": None}
"""In place of a file input for a run without files: two messages to the browser and back, and an element, less."""
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
        self._side = PythonSide(self._send_piece, self._stop_child)
        self._runs = self._side.runs
        self._kept: Path | None = None

    async def load(self, url: str) -> None:
        """Bind Python's functions, and load the page's half of the runs."""
        with driver_errors(f"The page at {url} did not load"):
            await self._page.expose_function("rlmNotify", self._side.notify)
            await self._page.expose_function("rlmTool", self._side.call)
            await self._page.expose_function("rlmEgress", self._side.may_leave)
            await self._page.expose_function("rlmModel", self._side.model)
            await self._page.expose_function("rlmModelStop", self._side.stop_model)
            response = await self._page.goto(urljoin(f"{url.rstrip('/')}/", "page/headless.html"))
            if response is not None and response.status == UNAUTHORIZED:
                raise RLMError(f"The server at {url} asks for its token: pass BrowserRLM(url, token=...).")
            self._module = await self._page.evaluate_handle('import("./headless.js")')

    async def begin(self, kept: Path | None, *, has_spares: bool, is_kept: bool) -> None:
        """Boot the first worker, whose run comes soon.

        Args:
            kept: snapshot that it starts from.
            has_spares: whether a next worker is booted beside each run.
            is_kept: whether the snapshot may be kept after the page; what nobody keeps takes less memory.
        """
        self._kept = kept
        element = NO_FILES if kept is None else await self._file_input([kept])
        began = [element, has_spares, is_kept]
        await self._evaluate("(page, began) => page.open?.(...began)", began)  # older servers have none

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
                element = await self._file_input(files.paths) if files.paths else NO_FILES
                log_element = await self._file_input(log_files) if log_files and await self._takes_log_files() else None
                given = arguments.log if log_element is None else log
                own = {"session": session} if session is not None else settings_json(arguments, given)
                is_watched = live.is_watched
                described = question_json(live, question, arguments, kind=files.kind, names=files.names)
                function = "run" if session is None else "ask"
                job = [element, json.dumps({**own, **described}), log_element]
                outcome = await self._until_end(live, function, job)
                if not is_watched:
                    self._side.take_rest(live.id, outcome)
            return ended_result(outcome, arguments)
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
            ok_of(await self._evaluate("(page, job) => page.openSession(...job)", job), arguments.in_python)

    async def execute(self, live: LiveRun, code: str | None, session: str, arguments: Arguments) -> Any:
        """Run code in the REPL of a session, or list its variables where it is `None`; a cancel stops the code.

        Raises:
            ConfigError: the session is at work.
            RLMError: the page failed, or the browser was lost.
        """
        self._runs[live.id] = live
        try:
            job = json.dumps({"id": live.id, "session": session, "code": code})
            return ok_of(await self._until_end(live, "execute", [job]), arguments.in_python)
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
            return str(ok_of(await self._evaluate("(page, job) => page.report(...job)", [element, form])))

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

    async def _send_piece(self, number: int, text: str) -> None:
        with suppress(RLMError):  # a browser that is lost ends the run with that error
            await self._evaluate("(page, piece) => page.takePiece(...piece)", [number, text])

    async def _stop_child(self, run: str, path: Sequence[int]) -> None:
        await self._evaluate("(page, child) => page.stopChild(...child)", [run, [*path]])

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


@contextmanager
def driver_errors(what: str) -> Iterator[None]:
    """An error of the browser's driver as one of ours; its first line says enough, the rest is the driver's log."""
    from playwright.async_api import Error

    try:
        yield
    except Error as fault:
        raise RLMError(f"{what}: {fault.message.splitlines()[0]}.") from fault


def _taken(ending: asyncio.Future[Any]) -> None:
    """Take the outcome of a run that nobody waits for, so that it is not reported as never retrieved."""
    if not ending.cancelled():
        ending.exception()
