"""BrowserRLM: runs in a headless browser, from Python."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from rlm_core import ConfigError
from rlm_server.headless import BlockingBrowserRLM, BrowserRLM
from tests.browser.lab import code

T = TypeVar("T")
PLAY = """(replies) => {
  const native = globalThis.fetch.bind(globalThis);
  globalThis.fetch = async (url, init) => {
    if (!String(url).endsWith("/api/rlm")) return native(url, init);
    return Response.json({text: replies.shift(), model: "m", usage: {calls: 1, input_tokens: 1, output_tokens: 1}});
  };
}"""


def elsewhere(work: Callable[[], T]) -> T:
    """Do `work` in a thread of its own: the one of the tests belongs to Playwright's synchronous half."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def driven(url: str, use: Callable[[BrowserRLM], Coroutine[Any, Any, T]], *replies: str, **options: Any) -> T:
    """Result of `use` on a `BrowserRLM` whose root model says `replies`."""

    async def main() -> T:
        async with BrowserRLM(url, **options) as rlm:
            assert rlm._page is not None
            await rlm._page.evaluate(f"({PLAY})({json.dumps(replies)})")
            return await use(rlm)

    return elsewhere(lambda: asyncio.run(main()))


pytestmark = pytest.mark.usefixtures("chromium")

CONTEXTS: dict[str, tuple[object, str]] = {
    "text": ("naïve 🦊", "'naïve 🦊'"),
    "bytes": (b"\x00\xff", r"b'\x00\xff'"),
    "JSON": ({"a": [1, None]}, "{'a': [1, None]}"),
    "nothing": (None, "'What?'"),
}


@pytest.mark.parametrize(("context", "shown"), CONTEXTS.values(), ids=CONTEXTS.keys())
def test_a_context_arrives_as_what_it_is(served: str, context: object, shown: str) -> None:
    result = driven(served, lambda rlm: rlm.run("What?", context=context), code("FINAL(repr(context))"))
    assert (result.answer, result.stopped_by, result.iterations) == (shown, "final_answer", 1)


def test_a_folder_arrives_under_its_paths(served: str, tmp_path: Path) -> None:
    (tmp_path / "papers" / "old").mkdir(parents=True)
    (tmp_path / "papers" / "old" / "a.txt").write_text("A")
    (tmp_path / "papers" / "b.bin").write_bytes(b"\xff")
    block = code("FINAL([context['papers/old/a.txt'], context['papers/b.bin'].read_bytes()])")
    result = driven(served, lambda rlm: rlm.run("What?", context=tmp_path / "papers"), block)
    assert result.answer == "['A', b'\\xff']"


def test_files_are_contexts(served: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A")
    (tmp_path / "b.txt").write_text("B")
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    result = driven(served, lambda rlm: rlm.run("What?", context=paths), code("FINAL(str(context))"))
    assert result.answer == "{'a.txt': 'A', 'b.txt': 'B'}"


def test_tools_are_functions_of_this_process(served: str) -> None:
    async def later(value: str) -> str:
        await asyncio.sleep(0)
        return value.upper()

    def fail() -> None:
        raise ValueError("no tea here")

    block = "try: fail()\nexcept ToolError as error: said = str(error)\nFINAL([add(1, b=2), later('x'), said, limit])"
    tools = {"add": lambda a, b: a + b, "later": {"tool": later}, "fail": fail, "limit": 5}
    result = driven(served, lambda rlm: rlm.run("What?", tools=tools), code(block))
    assert result.answer == "[3, 'X', 'fail: no tea here', 5]"


def test_events_are_given_as_they_happen(served: str) -> None:
    async def use(rlm: BrowserRLM) -> list[str]:
        return [event["type"] async for event in rlm.events("What?")]

    types = driven(served, use, code("FINAL(1)"))
    assert types[0] == "run_started"
    assert types[-1] == "run_finished"


def test_an_impossible_option_is_refused_by_name(served: str) -> None:
    with pytest.raises(ConfigError, match="maxIterations must be"):
        driven(served, lambda rlm: rlm.run("What?", maxIterations=0))


def test_it_must_be_open() -> None:
    with pytest.raises(ConfigError, match="not open"):
        elsewhere(lambda: asyncio.run(BrowserRLM("http://nowhere.invalid").run("What?")))


def test_the_blocking_twin_starts_a_server_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def use() -> str:
        with BlockingBrowserRLM(model="builtin:extractive", subModel="builtin:extractive") as rlm:
            return rlm.run("Where is the lamp?", context="The lamp is in the attic.").answer

    assert "attic" in elsewhere(use)


SUB_CALL = code("try: FINAL(llm_query('the prompt'))\nexcept SubCallError as error: FINAL(str(error))")


async def say(answer: object, request: dict[str, Any]) -> object:
    await asyncio.sleep(0)
    return "allow" if request["kind"] == "root" else answer


ANSWERS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a function": (lambda request: {"deny": "not today"} if request["kind"] == "sub" else "allow", "not today"),
    "a coroutine": (functools.partial(say, "deny"), "onEgress said no"),
    "nonsense": (functools.partial(say, True), "onEgress gave no answer"),
    "a fault": (lambda request: "allow" if request["kind"] == "root" else 1 / 0, "on_egress failed: division by zero"),
}


@pytest.mark.parametrize(("on_egress", "why"), ANSWERS.values(), ids=ANSWERS.keys())
def test_on_egress_decides_in_this_process(
    served: str, on_egress: Callable[[dict[str, Any]], object], why: str
) -> None:
    result = driven(served, lambda rlm: rlm.run("What?", context="x" * 90), SUB_CALL, on_egress=on_egress)
    assert f"denied before it left: {why}" in result.answer
    assert (result.egress["calls"], result.egress["denied"]) == (1, 1)
