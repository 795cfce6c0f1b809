"""Chaos: server, renderer and command are killed at any moment; the answer is right, and no call is unexplained.

`CHAOS=30 pytest tests/browser/faults/test_chaos.py` kills thirty times; without the variable it is six, for each run of
the suite. A call is asked once more only if it was under way when something was killed: each other one once.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from rlm_core.events import CallFinished, CallStarted
from rlm_core.trajectory import read
from rlm_server.headless.browser import QUIET
from tests.browser.faults.test_upstream_faults import Server
from tests.browser.faults.upstream import FAULTS
from tests.browser.lab import code
from tests.browser.leases import Lease, leases_in
from tests.server.fake_upstream import FakeUpstream, Seen, Turn, json_turn, openai_turn, usage_of_all

KILLS = int(os.environ.get("CHAOS", "6"))
TARGETS = ("server", "renderer", "command")
KILLS_A_RUN = 4
REPLIES = [
    code("x = llm_query('q0')"),
    code("a = llm_batch(['b0', 'b1', 'b2'])\nprint(a)"),
    code("y = llm_query('q1 of ' + x)"),
    code("z = llm_query('q2')"),
    code("FINAL(' '.join([x, y, z, *a, context]))"),
]
ANSWER = "sub:q0 sub:q1 of sub:q0 sub:q2 sub:b0 sub:b1 sub:b2 of a context"
CALLS = {*(f"root {number}" for number in range(len(REPLIES))), "q0", "b0", "b1", "b2", "q1 of sub:q0", "q2"}
ANSWER_SECONDS = 0.1
QUEUED_SECONDS = 5 * ANSWER_SECONDS
"""Longest time until the vendor, which answers one call at a time, notes a call that left before a kill."""
UNDER_WAY_SECONDS = 1.5
"""From a call's arrival until its reply is in the store of a server that lasts."""
LAST_KILL = len(CALLS) - 2
"""Calls after which nothing is killed any more: a run that is over has nothing to resume."""
SEED = 20261128
WAIT_SECONDS = 240.0
QUESTION = "What?"
OPTIONS = {"endpoint": "/api/rlm", "model": "openai:m"}


class Chaos:
    """A slow vendor, and the moments to kill at: by the number of its calls that were made, and a while after.

    Attributes:
        leases: calls that killed servers had under way.
        logged: for each killed command the number of calls so far, and those whose replies its log holds.
    """

    def __init__(self, upstream: FakeUpstream, target: str, kills: int, number: int) -> None:
        self.leases: set[Lease] = set()
        self.logged: list[tuple[int, set[str]]] = []
        self.asked: list[tuple[float, str]] = []
        self.killed: list[float] = []
        chance = random.Random(f"{SEED} {target} {number}")
        self._moments = [(at, chance.random() * 0.2) for at in sorted(chance.sample(range(1, LAST_KILL), kills))]
        upstream.reset()
        upstream.answer = self._answer

    def moments(self, is_over: Callable[[], bool]) -> Iterator[None]:
        """Each moment to kill at, when it comes; none are left once the run is over."""
        for calls, seconds in self._moments:
            ends = time.monotonic() + WAIT_SECONDS
            while len({name for _, name in self.asked}) < calls and not is_over():
                assert time.monotonic() < ends, f"the run stands still after {self.asked}"
                time.sleep(0.01)
            time.sleep(seconds)
            if is_over():
                return
            self.killed.append(time.monotonic())
            yield

    def check(self) -> None:
        """Each call was made, and once more only where it was under way when something was killed."""
        times = Counter(name for _, name in self.asked)
        assert set(times) == CALLS
        for before, kept in self.logged:
            assert kept.isdisjoint(name for _, name in self.asked[before:]), (self.asked, self.logged)
        explained = Counter(
            name
            for name in CALLS
            for killed in self.killed
            if any(self._is_under_way(at, name, killed) for at in self.asked)
        )
        if self.logged:
            explained = Counter(name for name in CALLS for _, kept in self.logged if name not in kept)
        if self.leases:
            assert times.total() - len(times) <= len(self.leases), (self.asked, self.leases)
            return
        unexplained = {name: count for name, count in times.items() if count > 1 + explained[name]}
        assert unexplained == {}, (self.asked, self.killed)

    def _is_under_way(self, asked: tuple[float, str], name: str, killed: float) -> bool:
        at, what = asked
        return what == name and killed - UNDER_WAY_SECONDS <= at <= killed + QUEUED_SECONDS

    def _answer(self, seen: Seen) -> Turn:
        if seen.method == "GET":
            return json_turn({"data": [{"id": "m"}]})
        body = seen.json()
        messages = body["messages"]
        assert isinstance(messages, list)
        iterations = sum(message["role"] == "assistant" for message in messages)
        is_root = messages[0]["role"] == "system"
        name = f"root {iterations}" if is_root else str(messages[-1]["content"])
        self.asked.append((time.monotonic(), name))
        time.sleep(ANSWER_SECONDS)
        text = REPLIES[iterations] if is_root else f"sub:{name}"
        return openai_turn(seen, text, usage=usage_of_all(seen))


def runs_of(target: str) -> list[tuple[str, int, int]]:
    """The runs in which a target is killed: target, number and kills of each."""
    left = KILLS // len(TARGETS)
    counts = [KILLS_A_RUN] * (left // KILLS_A_RUN) + ([left % KILLS_A_RUN] if left % KILLS_A_RUN else [])
    return [(target, number, kills) for number, kills in enumerate(counts)]


@pytest.fixture(scope="module")
def own_browser(browser: Browser, chromium: Path) -> Iterator[Browser]:
    """A browser whose processes are no other test's."""
    arguments = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    running = browser.browser_type.launch(executable_path=chromium, args=arguments)
    yield running
    running.close()


RUNS = [run for target in TARGETS for run in runs_of(target)]


@pytest.mark.parametrize(
    ("target", "number", "kills"), RUNS, ids=[f"{run[0]} {run[1]}: {run[2]} kills" for run in RUNS]
)
def test_kills_change_no_answer_and_no_call_is_unexplained(
    upstream: FakeUpstream, own_browser: Browser, tmp_path: Path, target: str, number: int, kills: int
) -> None:
    chaos = Chaos(upstream, target, kills, number)
    if target == "command":
        answer = killed_command(chaos, upstream, tmp_path)
    else:
        answer = killed_page(chaos, upstream, own_browser, tmp_path, target)
    assert answer == ANSWER
    chaos.check()
    print(f"{target}: {len(chaos.killed)} kills, {len(chaos.asked)} calls of {len(CALLS)}")


# ------------------------------------------------------------------------------------------------- server and renderer


def killed_page(chaos: Chaos, upstream: FakeUpstream, browser: Browser, folder: Path, target: str) -> str:
    context = browser.new_context()
    server = Server(upstream, folder / "replies")
    server.start()
    pages = [opened(context.new_page(), server.url)]
    begin(pages[-1], {"journal": "chaos"}, "start")
    try:
        for _ in chaos.moments(lambda: is_over(pages[-1])):
            if target == "server":
                server.kill()
                chaos.leases |= leases_in(folder / "replies", folder / f"killed {len(chaos.killed)}")
                time.sleep(0.2)
                server.start()
                continue
            end_renderers(browser)
            pages[-1].close()
            pages.append(opened(context.new_page(), server.url))
            begin(pages[-1], {}, "goOn")
        pages[-1].wait_for_function("() => globalThis.ended", timeout=WAIT_SECONDS * 1_000)
        result = pages[-1].evaluate("ended")
        assert result.get("error") is None, result
        return str(result["answer"])
    finally:
        context.close()
        server.kill()


def opened(page: Page, url: str) -> Page:
    page.goto(url)
    page.evaluate(FAULTS)
    return page


def begin(page: Page, options: dict[str, str], by: str) -> None:
    job = {"question": QUESTION, "context": "of a context", "options": {**OPTIONS, **options}}
    page.evaluate(f"(job) => void faults.{by}(job).then((result) => (globalThis.ended = result))", job)


def is_over(page: Page) -> bool:
    return bool(page.evaluate("globalThis.ended !== undefined"))


def end_renderers(browser: Browser) -> None:
    """End the process of each page at once."""
    session = browser.new_browser_cdp_session()
    for process in session.send("SystemInfo.getProcessInfo")["processInfo"]:
        if process["type"] == "renderer":
            os.kill(process["id"], signal.SIGKILL)
    session.detach()


# ------------------------------------------------------------------------------------------------------------- command


def killed_command(chaos: Chaos, upstream: FakeUpstream, folder: Path) -> str:
    context = folder / "context.txt"
    context.write_text("of a context", encoding="utf-8")
    environment = {**os.environ, "OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": upstream.url}
    line = [sys.executable, "-m", "rlm_server", "run", QUESTION, "--context", str(context), "--model", "openai:m"]
    logs = [folder / "log-0.jsonl"]
    processes = [started([*line, "--trajectory", str(logs[0])], environment)]
    for _ in chaos.moments(lambda: processes[-1].poll() is not None):
        os.killpg(processes[-1].pid, signal.SIGKILL)
        processes[-1].communicate()
        last = max(logs, key=lambda log: (events_in(log), logs.index(log)))
        chaos.logged.append((len(chaos.asked), answered_in(last)))
        logs.append(folder / f"log-{len(logs)}.jsonl")
        again = ["--resume", str(last)] if events_in(last) > 0 else []
        processes.append(started([*line, *again, "--trajectory", str(logs[-1])], environment))
    answer, told = processes[-1].communicate(timeout=WAIT_SECONDS)
    assert processes[-1].returncode == 0, told
    return answer.rstrip("\n")


def started(line: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(line, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def answered_in(log: Path) -> set[str]:
    """Names of the calls whose replies a log holds; a root call that was cut off stands in it without one."""
    events = read(log).events if events_in(log) > 0 else ()
    started = {event.call: event for event in events if isinstance(event, CallStarted)}
    answered = [started[event.call] for event in events if isinstance(event, CallFinished) and event.error is None]
    roots = [call for call in answered if call.kind == "root"]
    subs = {str(call.messages[-1].content) for call in answered if call.kind != "root"}
    return subs | {f"root {number}" for number in range(len(roots))}


def events_in(log: Path) -> int:
    return len(read(log).events) if log.exists() and log.stat().st_size > 0 else 0
