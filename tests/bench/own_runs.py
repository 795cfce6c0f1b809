"""This project in one checkout: the bench's works as a user makes them, through the real server.

`python -m tests.bench.own_runs URL`, with the checkout as its folder and first on PYTHONPATH. In: on each line of stdin
a side ("BrowserRLM", "page" or "command"), the name of a work, and how many times. Out: for each a line of JSON, as
`peer_runs` prints it, with the CPU seconds of the program, of the browser with its driver, and of the server.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.peer_runs import QUESTIONS, THREADS, WEIGHED, haystack, works
from tests.bench.processes import cpu_seconds, peak_memory

DONE = "FINAL('done')"
LOOP = "loop"
"""The work whose runs follow each other in one tab or program from its start, without a pause."""
ONE_TAB = frozenset({LOOP, "batch", "thousand"})
"""Works that the page is asked in a tab that has answered before, as `BrowserRLM` has; others in a new tab."""
MODELS = "openai:wait-0,openai:wait-100,openai:wait-200,openai:wait-2000,openai:write-3000"
CODE = works(
    {
        "query": "llm_query(str(n))",
        "batch": "llm_batch([str(n) for n in range(200)])",
        "search": "print(context.index('needle in'))",
        "children": "print(len(rlm_batch([CHILD] * 16)))",
    },
    DONE,
) | {
    "overlap": (writing := ["\n".join(["llm_batch([str(n) for n in range(8)])", *["x = 1"] * 60, DONE])]),
    "no overlap": writing,
    "thousand": [f"llm_batch([str(n) for n in range(1000)])\n{DONE}"],
    "long": (long := [*(f"print('{number:03}' * 7_000)" for number in range(149)), DONE]),
    "fork": long,
    "big log": [f"llm_batch([f'{{n:03}}' * 330_000 for n in range(200)])\n{DONE}"],
}
SUB_MODELS = {"batch": "wait-200", "thousand": "wait-100", "overlap": "wait-2000", "no overlap": "wait-2000"}
ROOT_MODELS = {"overlap": "write-3000", "no overlap": "write-3000"}
OPTIONS: dict[str, Any] = {"max_iterations": 160, "max_sub_calls": 10_000, "max_depth": 2, "max_concurrency": 16}
WHOLE: dict[str, Any] = {"compact_at": False}
"""Of the long run and its fork: the conversation is never summed up, so that it grows to 3 MB."""
LONG = frozenset({"long", "fork"})
RENDERER = "--type=renderer"
READY_SECONDS = 3
"""Pause before the first run, in which a page makes its snapshot and boots a worker: a person types meanwhile."""
AT_ONCE = """async () => {
  const { openBroker } = await import("/rlm/calls/broker.js");
  const witness = { started: () => 0, finished() {}, noticed() {}, replyPiece() {}, reasoningPiece() {} };
  const ways = await import("/rlm/calls/call_socket.js").catch(() => null); // of an older tree: requests alone
  const fetcher = ways?.fetchOverSocket("/api/rlm");
  const broker = openBroker({ endpoint: "/api/rlm", witness, fetcher });
  const one = (number) => {
    const call = { model: "openai:wait-200", messages: [{ role: "user", content: `at once ${number}` }] };
    const answer = { signal: new AbortController().signal, write() {}, end() {} };
    return broker.handle(JSON.stringify({ op: "complete", kind: "sub", calls: [call] }), answer);
  };
  await one(-1);
  const began = performance.now();
  await Promise.all(Array.from({ length: 24 }, (_, number) => one(number)));
  return (performance.now() - began) / 1000;
}"""
ASK = """async (question) => {
  const isFinished = () => document.querySelector("#status")?.classList.contains("finished") ?? false;
  let isAsked = !isFinished(); // else the run before is shown until this one begins
  const began = performance.now();
  const isOver = () => {
    isAsked ||= !isFinished();
    return isAsked && isFinished();
  };
  const over = new Promise((resolve) => {
    const watch = new MutationObserver(() => isOver() && resolve());
    watch.observe(document.querySelector("#app"), { subtree: true, childList: true, attributeFilter: ["class"] });
  });
  document.querySelector("#run").click();
  await over;
  const seconds = (performance.now() - began) / 1000;
  const said = document.querySelector("#outcome").innerText;
  if (!said.includes("done")) throw new Error(said);
  return seconds;
}"""


@dataclass
class Figures:
    """Of one work: seconds of each time, most memory, CPU seconds over all times."""

    seconds: list[float]
    bytes: int
    cpu: dict[str, float]


@dataclass
class Bench:
    """A running server, and files for works."""

    url: str
    server: int
    folder: Path
    environment: dict[str, str]
    used: dict[str, float] = field(default_factory=dict)
    """CPU seconds of the work that was done last, without the start and the end of its browser."""

    async def measured(self, side: str, work: str, times: int) -> Figures:
        sides: dict[str, Callable[[str, int], Awaitable[list[float]]]] = {
            "BrowserRLM": self.by_program,
            "page": self.by_page,
            "command": self.by_command,
        }
        seconds = await sides[side](work, times)
        used = self.used
        if work not in WEIGHED | LONG:
            return Figures(seconds, 0, used)
        with peak_memory(named=RENDERER if work in LONG else "") as memory:  # reading it takes time of its own
            await sides[side](work, 1)
        return Figures(seconds, memory.bytes, used)

    async def by_program(self, work: str, times: int) -> list[float]:
        from rlm_server.headless import BrowserRLM

        seconds = []
        log = await self.log_of("long", **WHOLE) if work == "fork" else None
        async with BrowserRLM(self.url, model="openai:wait-0", **OPTIONS) as rlm:
            await rlm.run(question_of([DONE]))
            if work != LOOP:
                await asyncio.sleep(READY_SECONDS)
            context = self.haystack() if work == "search" else None
            more = {"model": f"openai:{ROOT_MODELS.get(work, 'wait-0')}"} | (WHOLE if work in LONG else {})
            more |= {"overlap": True} if work == "overlap" else {}

            async def ask() -> None:
                models = more | {"sub_model": f"openai:{SUB_MODELS.get(work, 'wait-0')}"}
                if log is None:
                    result = await rlm.run(question_of(CODE[work]), context=context, **models)
                else:
                    result = await rlm.fork(log, len(CODE[work]), **models)
                assert result.stopped_by == "final_answer", result.detail

            before = self.cpu()
            for _ in range(times):
                began = time.perf_counter()
                if work == "at once":
                    assert rlm._page is not None
                    seconds.append(float(await rlm._page.evaluate(AT_ONCE)))
                    continue
                if work == "questions":
                    await in_turns(ask)
                else:
                    await ask()
                seconds.append(time.perf_counter() - began)
            self.used = self.since(before)
        return seconds

    async def by_page(self, work: str, times: int) -> list[float]:
        """A person's page, its timeline drawn; each time in a new tab of one visitor, or all in one (`ONE_TAB`)."""
        from playwright.async_api import async_playwright

        from rlm_server.headless.browser import find_browser, launch_options

        settings: dict[str, Any] = {"model": "openai:wait-0", "subModel": f"openai:{SUB_MODELS.get(work, 'wait-0')}"}
        settings |= {"maxIterations": 160, "maxSubCalls": 10_000}
        kept = f"localStorage.setItem('pyodide-rlm.settings', {json.dumps(json.dumps(settings))})"
        seconds = []
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=find_browser(), **launch_options(self.url))
            visit = await browser.new_context()
            await visit.add_init_script(kept)
            before = self.cpu()
            page = None
            for attempt in range(times + 1):
                if page is None or work not in ONE_TAB:
                    page = await visit.new_page()
                    await page.goto(self.url)
                    await page.locator("#model[placeholder^='Default: ']").wait_for(state="attached")
                if work == "search":
                    await page.set_input_files("#context-files", self.haystack())
                await page.fill("#question", question_of([DONE] if attempt == 0 else CODE[work]))
                if work != LOOP:
                    await asyncio.sleep(READY_SECONDS)
                took = float(await page.evaluate(ASK))
                if attempt > 0:
                    seconds.append(took)
                if work not in ONE_TAB:
                    await page.close()
            self.used = self.since(before)
            await browser.close()
        return seconds

    async def by_command(self, work: str, times: int) -> list[float]:
        """Whole processes, from the command to the answer; the first start is not measured."""
        log = await self.log_of("big log") if work == "replay" else None
        line = ["replay", str(log)] if log else ["run", question_of([DONE]), "--model", "openai:wait-0"]
        seconds = []
        before = self.cpu()
        for attempt in range(times + (log is None)):
            began = time.perf_counter()
            await asyncio.to_thread(self.command, line)
            if log is not None or attempt > 0:
                seconds.append(time.perf_counter() - began)
        self.used = self.since(before)
        return seconds

    def command(self, line: Sequence[str]) -> None:
        environment = {**self.environment, "PYODIDE_RLM_CACHE": str(self.folder / "cache")}
        line = [sys.executable, "-m", "rlm_server", *line]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-200:]

    async def log_of(self, work: str, **options: Any) -> Path:
        """The log of a run of `work`: of "big log" it has 200 MB of prompts."""
        from rlm_server.headless import BrowserRLM

        log = self.folder / f"{work}.jsonl"
        if not log.exists():
            async with BrowserRLM(self.url, model="openai:wait-0", **OPTIONS) as rlm:
                log.write_text((await rlm.run(question_of(CODE[work]), **options)).trajectory)
        return log

    def haystack(self) -> Path:
        path = self.folder / "haystack.txt"
        if not path.exists():
            path.write_text(haystack())
        return path

    def since(self, before: dict[str, float]) -> dict[str, float]:
        return {part: used - before[part] for part, used in self.cpu().items()}

    def cpu(self) -> dict[str, float]:
        own, server = cpu_seconds(os.getpid(), without=self.server), cpu_seconds(self.server)
        program = time.process_time()
        return {"program": program, "browser": own - program, "server": server}


async def in_turns(ask: Callable[[], Awaitable[None]]) -> None:
    """All questions, some at a time."""
    left = iter(range(QUESTIONS))

    async def some() -> None:
        for _ in left:
            await ask()

    await asyncio.gather(*(some() for _ in range(THREADS)))


def question_of(blocks: Sequence[str]) -> str:
    child = f"blocks:{base64.b64encode(json.dumps([DONE]).encode()).decode()}"
    filled = [block.replace("CHILD", repr(child)) for block in blocks]
    return f"blocks:{base64.b64encode(json.dumps(filled).encode()).decode()}"


@contextmanager
def served(environment: dict[str, str]) -> Iterator[tuple[str, int]]:
    """The server of this checkout as a user starts it: its URL, and the number of its process."""
    line = [sys.executable, "-m", "rlm_server", "serve", "--port", "0"]
    with tempfile.TemporaryDirectory() as folder, (log := Path(folder) / "log").open("w") as printed:
        running = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=printed)
        try:
            found = None
            while found is None:
                assert running.poll() is None, "the server did not start"
                time.sleep(0.05)
                found = re.search(r"http://[\d.:]+", log.read_text())
            yield found.group(), running.pid
        finally:
            running.terminate()
            running.wait()


def main() -> None:
    provider = {"OPENAI_BASE_URL": f"{sys.argv[1]}/v1", "OPENAI_API_KEY": "bench", "RLM_MODELS": MODELS}
    environment = {**os.environ, **provider, "OLLAMA_BASE_URL": "none"}
    with served(environment) as (url, server), tempfile.TemporaryDirectory() as folder:
        bench = Bench(url, server, Path(folder), environment)
        for line in sys.stdin:
            side, work, times = line.rstrip("\n").split("\t")
            try:
                figures = asyncio.run(bench.measured(side, work, int(times)))
                print(json.dumps(vars(figures)), flush=True)
            except Exception as fault:  # noqa: BLE001 - one work that fails leaves the others
                print(json.dumps({"failed": f"{type(fault).__name__}: {fault}"[:300]}), flush=True)


if __name__ == "__main__":
    main()
