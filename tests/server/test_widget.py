"""The kernel's half of the notebook's widget, without anywidget and without a browser: the test is the page."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from rlm_core import ConfigError, RLMError
from rlm_server.assets import find_assets
from rlm_server.headless import ProviderCall
from rlm_server.settings import Settings
from rlm_server.widget import asset_files, questions
from rlm_server.widget.kernel_provider import Backends
from rlm_server.widget.questions import Questions
from rlm_server.widget.requests import Requests
from tests.server.conftest import PLANTED_KEY, make_settings, settings_for
from tests.server.fake_upstream import FakeUpstream, Turn, openai_turn

TEXT = "The lease of the mill was signed by Mara Lindqvist."
EVENT = json.dumps({"type": "run_started", "path": []})
EGRESS = {"calls": 0, "denied": 0, "destinations": []}
RESULT = {
    "answer": "Mara Lindqvist",
    "valueJson": None,
    "evidence": [{"quote": "Mara Lindqvist", "status": "exact", "byteStart": 36, "checkedBy": "host"}],
    "checks": {"numbers": [], "supported": True},
    "iterations": 1,
    "totalTime": 1_500,
    **{name: {} for name in ("usage", "usageByPath", "usageFromRecord", "usageOfCompaction")},
    "egress": EGRESS,
    "stoppedBy": "final_answer",
    "detail": "",
    "fault": None,
    "trajectory": f"{EVENT}\n",
}


class Notebook:
    """A widget's questions, and pages that ask them for things, as the module of the notebook does."""

    def __init__(self, backends: Backends, arguments: dict[str, object]) -> None:
        self.sent: list[dict[str, Any]] = []
        self.bytes: list[bytes] = []
        self.questions = Questions(arguments, self._take, backends)
        self._requests = Requests(self.questions.answer, self._take)
        self._numbers = count(1)

    def _take(self, message: dict[str, Any], buffers: Sequence[bytes]) -> None:
        self.sent.append(json.loads(json.dumps(message)))
        self.bytes += buffers

    def commands(self) -> list[str]:
        return [message["command"] for message in self.sent if "command" in message]

    async def request(self, kind: str, body: object = None, *, page: str = "a") -> Any:
        """The kernel's value; an error is raised with its words."""
        number, text = next(self._numbers), json.dumps(body)
        for at in range(0, len(text), 7):
            last = at + 7 >= len(text)
            part = {"page": page, "number": number, "kind": kind, "text": text[at : at + 7], "last": last}
            await self._requests.take(part)
        [reply] = [message for message in self.sent if message.get("number") == number and "command" not in message]
        assert reply["page"] == page
        if "error" in reply:
            raise RLMError(reply["error"])
        return reply["value"]

    async def begin(self, question: str | None = None, *, page: str = "a", takes: bool = False) -> Any:
        return await self.request("begin", {"question": question, "takes": takes}, page=page)

    async def file(self, **place: object) -> bytes:
        """A whole file, in parts."""
        whole = b""
        while True:
            value = await self.request("read", {**place, "offset": len(whole)})
            whole += self.bytes.pop()
            if len(whole) >= value["size"]:
                return whole

    async def end(self, run: str, outcome: object, *, page: str = "a") -> Any:
        return await self.request("ended", {"id": run, "outcome": json.dumps(outcome)}, page=page)


@asynccontextmanager
async def notebook(settings: Callable[[], Settings] = make_settings, **arguments: object) -> AsyncIterator[Notebook]:
    backends = Backends(settings)
    try:
        yield Notebook(backends, arguments)
    finally:
        await backends.close()


def played(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 20))


def call_of(job: dict[str, Any], prompt: str, **more: object) -> dict[str, Any]:
    call = {"messages": [{"role": "user", "content": prompt}], "model": None, "images": [], "schema": None}
    return {"id": job["id"], "number": 1, "call": json.dumps({**call, "options": {}, **more})}


def test_a_question_goes_to_the_page_and_its_result_comes_back() -> None:
    async def work() -> None:
        async with notebook(context=TEXT, max_iterations=3) as book:
            asked = await book.questions.ask("Who signed?")
            assert book.commands() == ["ask"]
            assert await book.request("hello") == {"state": "pending"}
            begun = await book.begin()
            job = begun["job"]
            assert (job["question"], job["kind"], job["options"]) == ("Who signed?", "text", {"maxIterations": 3})
            assert job["provider"]["label"] == "builtin:extractive by the notebook's kernel"
            assert await book.file(what="context", index=0) == TEXT.encode()
            assert await book.request("hello") == {"state": "pending"}
            assert not asked.ended.done()
            assert await book.end(job["id"], {"ok": RESULT}) == {}
            result = asked.ended.result()
            assert (result.answer, result.total_time, result.iterations) == ("Mara Lindqvist", 1.5, 1)
            assert result.evidence[0]["byte_start"] == 36
            assert await book.request("hello") == {"state": "idle"}
            assert await book.request("read", {"what": "context", "index": 1, "offset": 0}) == {"missing": True}

    played(work)


def test_a_person_asks_from_the_page_and_may_ask_again() -> None:
    async def work() -> None:
        async with notebook(provider=lambda call: "x") as book:
            for question in ("Who?", "When?"):
                job = (await book.begin(question))["job"]
                assert (job["question"], job["kind"]) == (question, "none")
                await book.end(job["id"], {"ok": RESULT})
            with pytest.raises(RLMError, match="there is no question: write one"):
                await book.begin(" ")

    played(work)


def test_model_calls_are_answered_with_the_environments_key_which_no_page_gets(upstream: FakeUpstream) -> None:
    upstream.answer = lambda seen: openai_turn(seen, "Ma", "ra")

    async def work() -> None:
        async with notebook(lambda: settings_for(upstream), context=TEXT, model="openai:m") as book:
            job = (await book.begin("Who?"))["job"]
            assert job["provider"]["label"] == "openai:m by the notebook's kernel"
            outcome = json.loads(await book.request("model", call_of(job, "Who?", model="openai:m")))
            assert (outcome["reply"]["text"], outcome["reply"]["usage"]["input_tokens"]) == ("Mara", 7)
            assert outcome["reply"]["usage"]["cost"] is None
            pieces = [message for message in book.sent if message.get("command") == "piece"]
            assert "".join(piece["text"] for piece in pieces) == "Mara"
            assert {piece["page"] for piece in pieces} == {"a"}
        assert PLANTED_KEY not in json.dumps(book.sent)

    played(work)
    assert PLANTED_KEY in str(upstream.seen[-1].headers)


def test_a_failure_of_the_provider_is_told_with_the_servers_words(upstream: FakeUpstream) -> None:
    upstream.script(Turn(status=401))

    async def work() -> None:
        async with notebook(lambda: settings_for(upstream), model="openai:m") as book:
            job = (await book.begin("Who?"))["job"]
            outcome = json.loads(await book.request("model", call_of(job, "Who?", model="openai:m")))
        error = outcome["error"]
        assert (error["name"], error["type"], error["retryable"]) == ("ProviderError", "upstream-key-refused", False)
        assert PLANTED_KEY not in json.dumps(book.sent)

    played(work)


def test_a_model_that_nobody_answers_for_is_refused_before_a_run() -> None:
    async def work() -> None:
        async with notebook(model="anthropic:claude") as book:
            asked = await book.questions.ask("Who?")
            with pytest.raises(RLMError, match="Anthropic has no key"):
                await book.begin()
            assert isinstance(asked.ended.exception(), ConfigError)
            assert await book.request("hello") == {"state": "idle"}

    played(work)


def test_the_providers_are_opened_once_and_end_from_another_task() -> None:
    async def work() -> None:
        made = [make_settings(), make_settings(), make_settings(default_model="builtin:extractive")]
        backends = Backends(lambda: made.pop(0))
        first = await asyncio.create_task(backends.backend())
        assert await backends.backend() is first
        assert await backends.backend() is not first
        await backends.close()

    played(work)


def test_tools_gate_callbacks_and_a_provider_are_the_kernels() -> None:
    seen: list[object] = []

    def provider(call: ProviderCall) -> str:
        call.on_delta("Ma")
        return f"{call.messages[-1]['content']}!"

    arguments: dict[str, object] = {
        "provider": provider,
        "tools": {"double": lambda number: number * 2},
        "on_egress": lambda request: {"deny": f"{request['context_chars']} are too many"},
        "on_event": seen.append,
    }

    async def work() -> None:
        async with notebook(make_settings, **arguments) as book:
            job = (await book.begin("Who?"))["job"]
            assert {name for name, is_wanted in job["wants"].items() if is_wanted} == {"events", "egress"}
            about = {"id": job["id"]}
            called = await book.request("tool", {**about, "tool": 0, "args": json.dumps({"args": [21], "kwargs": {}})})
            assert called == {"result": "42", "error": None}
            denied = await book.request("egress", {**about, "request": json.dumps({"contextChars": 9})})
            assert denied == {"deny": "9 are too many"}
            assert json.loads(await book.request("model", call_of(job, "Hello"))) == {"reply": {"text": "Hello!"}}
            await book.request("notify", {**about, "lines": f"event {EVENT}"})
            assert seen == [json.loads(EVENT)]

    played(work)


def test_a_page_that_is_reloaded_continues_the_run_by_its_log() -> None:
    async def work() -> None:
        async with notebook(context=TEXT) as book:
            asked = await book.questions.ask("Who?")
            first = (await book.begin())["job"]["id"]
            await book.request("notify", {"id": first, "lines": f"event {EVENT}\npassing {EVENT}"})
            assert await book.request("hello", page="b") == {"state": "elsewhere"}
            assert await book.begin(page="b") == {"elsewhere": True}
            begun = await book.begin(page="b", takes=True)
            assert begun["job"]["log"] == {"resume": ""}
            assert begun["log"]
            assert (await book.file(what="log")).decode() == f"{EVENT}\n"
            assert {"command": "stop", "id": first} in book.sent
            late = await book.end(first, {"ok": {**RESULT, "answer": "of the first page"}})
            assert late == {"error": "another page continued this question.", "late": True}
            assert not asked.ended.done()
            await book.end(begun["job"]["id"], {"ok": RESULT}, page="b")
            assert asked.ended.result().answer == "Mara Lindqvist"

    played(work)


def test_one_question_at_a_time_and_a_stop_ends_it() -> None:
    async def work() -> None:
        async with notebook() as book:
            dropped = await book.questions.ask("Who?")
            with pytest.raises(ConfigError, match="at work on a question"):
                await book.questions.ask("When?")
            await book.questions.stop()
            with pytest.raises(RLMError, match="before a page had begun it"):
                dropped.ended.result()
            asked = await book.questions.ask("When?")
            run = (await book.begin())["job"]["id"]
            await book.questions.stop()
            assert book.sent[-1] == {"command": "stop", "id": run}
            await book.end(run, {"ok": {**RESULT, "stoppedBy": "cancelled", "answer": ""}})
            assert asked.ended.result().stopped_by == "cancelled"

    played(work)


def test_a_widget_that_is_closed_ends_its_question_and_takes_no_other() -> None:
    async def work() -> None:
        async with notebook(context=TEXT) as book:
            asked = await book.questions.ask("Who?")
            job = (await book.begin())["job"]
            path = book.questions.current and book.questions.current.files and book.questions.current.files.paths[0]
            assert isinstance(path, Path)
            await book.questions.close()
            assert not path.exists()
            with pytest.raises(RLMError, match="the widget was closed"):
                asked.ended.result()
            with pytest.raises(ConfigError, match="the widget was closed"):
                await book.questions.ask("When?")
            assert json.loads(await book.request("model", call_of(job, "x")))["error"]["name"] == "RunCancelled"

    played(work)


def test_an_error_of_the_page_is_that_of_the_result_in_pythons_spelling() -> None:
    async def work() -> None:
        async with notebook(max_depth=9) as book:
            asked = await book.questions.ask("Who?")
            run = (await book.begin())["job"]["id"]
            ended = await book.end(run, {"error": {"name": "ConfigError", "message": "maxDepth must be at most 5."}})
            assert ended == {"error": "max_depth must be at most 5."}
            with pytest.raises(ConfigError, match="max_depth must be at most 5"):
                asked.ended.result()

    played(work)


def test_a_page_of_another_version_is_told_to_reload_and_a_fault_of_ours_has_an_answer() -> None:
    async def work() -> None:
        async with notebook() as book:
            with pytest.raises(RLMError, match="another version"):
                await book.request("dance")
            with pytest.raises(RLMError, match="the kernel failed: KeyError"):
                await book.request("begin", {})

    played(work)


def test_assets_come_by_the_names_of_the_manifest_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(questions, "PART_BYTES", 1 << 16)
    folder = find_assets().assets
    manifest = json.loads((folder / "manifest.json").read_text())
    core, script = (manifest["files"][name]["path"] for name in ("core.zip", "worker.js"))

    async def work() -> None:
        async with notebook() as book:
            assert await book.file(what="asset", path=core) == (folder / core).read_bytes()
            packed = await book.file(what="asset", path=script)
            assert gzip.decompress(packed) == (folder / script).read_bytes()
            for path in (
                "../pyproject.toml",
                "page/widget.js",
                f"packages/../{core}",
                "/etc/hostname",
                "vendor/marked.js",
            ):
                assert await book.request("read", {"what": "asset", "path": path, "offset": 0}) == {"missing": True}

    played(work)
    (tmp_path / "pyodide-lock.json").write_text(json.dumps({"packages": {"x": {"file_name": "x.whl"}}}))
    for name in ("x.whl", "y.whl"):
        (tmp_path / name).write_bytes(name.encode())
    added = {path: asset_files.read_asset(f"packages/{path}", tmp_path) for path in ("x.whl", "y.whl", "../x.whl")}
    assert added == {"x.whl": (b"x.whl", False), "y.whl": None, "../x.whl": None}


def test_the_widget_names_the_package_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(RLMError, match=r"anywidget is not installed. Run `pip install 'pyodide-rlm\[widget\]'`"):
        from rlm_server.widget import Ask  # noqa: F401
