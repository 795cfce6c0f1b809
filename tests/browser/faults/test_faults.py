"""The fault table: whatever dies, the run ends as it would have, and no answered call is asked for twice."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Error, Page

from rlm_core.events import BlockFinished
from rlm_core.trajectory import read
from tests.browser.faults.upstream import FAULTS, Upstream
from tests.browser.lab import code
from tests.browser.scripted_endpoint import EMPTY, ScriptedEndpoint

DEATHS = {
    "os._exit": "import os; os._exit(3)",
    "os.abort": "import os; os.abort()",
    "raise_signal": "import signal; signal.raise_signal(signal.SIGABRT)",
    "a fatal error": "import ctypes; ctypes.pythonapi.Py_FatalError(b'fatal')",
    "an abort in a destructor": "import os\nclass Last:\n    def __del__(self): os.abort()\nx = Last(); del x",
    "a block that cannot be interrupted": "sum(range(10**13))",
}
FIRST = "x = llm_query('one'); print('first block done')"
THIRD = "print('third block done', y)"
LAST = "FINAL(x + ' ' + y)"
QUERY = "y = llm_query('two')"
BATCH = "y = ' '.join(llm_batch(['two', 'three']))"


@dataclass(frozen=True)
class Row:
    """A fault in the second of four iterations, and all calls at the upstream."""

    block: str
    again: str = QUERY
    at: dict[str, Any] | None = None
    asked: list[str] = field(default_factory=lambda: ["one", "two"])
    iterations: int = 4

    def paid(self) -> list[str]:
        """Calls that are paid for: each of them once."""
        return sorted([*self.asked, *(f"root {number}" for number in range(self.iterations))])


ROWS = {
    **{f"{name}, while it runs": Row(death) for name, death in DEATHS.items()},
    **{f"{name}, after a sub-call": Row(f"{QUERY}\n{death}") for name, death in DEATHS.items()},
    **{
        f"{name}, after a batch": Row(f"{BATCH}\n{death}", again=BATCH, asked=["one", "two", "three"])
        for name, death in DEATHS.items()
    },
    "the worker is killed while a root model is asked": Row("y = ''", at={"type": "call_started", "nth": 3}),
    "the worker is killed while a model is asked": Row(QUERY, again=THIRD, at={"type": "call_started", "nth": 4}),
    "the worker is killed while a batch is asked": Row(
        BATCH, again=THIRD, at={"type": "call_started", "nth": 5}, asked=["one", "two", "three"]
    ),
    "the worker is killed when a reply came": Row(QUERY, again=THIRD, at={"type": "call_finished", "nth": 4}),
    "the worker is killed when a block begins": Row(QUERY, again=THIRD, at={"type": "block_started", "nth": 2}),
    "the worker is killed when a block prints": Row(
        f"print('here')\n{QUERY}", again=THIRD, at={"type": "output", "nth": 2}
    ),
    "the worker is killed when a block ends": Row(QUERY, again=THIRD, at={"type": "block_finished", "nth": 2}),
}
RELOADS = {
    "run_started": 1,
    "iteration_started": 2,
    "call_started": 4,
    "egress": 4,
    "call_finished": 4,
    "block_started": 2,
    "output": 2,
    "block_finished": 2,
    "iteration_finished": 2,
    "notice": 1,
}


@pytest.fixture
def page(bare_page: Page) -> Page:
    return bare_page


def replies(row: Row) -> list[str]:
    return [code(FIRST), code(row.block), code(row.again), code(LAST)]


def check(result: Any, upstream: Upstream, row: Row) -> None:
    """The run ended as an undisturbed one, its log is whole, and nothing was asked twice."""
    assert result.get("error") is None, result
    y = "sub:two sub:three" if "three" in row.asked else "sub:two"
    assert (result["answer"], result["stoppedBy"]) == (f"sub:one {y}", "final_answer")
    log = read(result["trajectory"].splitlines())
    assert sorted(upstream.asked) == row.paid()
    assert log.notes == ()
    assert [event.seq for event in log.events] == list(range(len(log.events)))
    ended = [(event.iteration, event.block) for event in log.events if isinstance(event, BlockFinished)]
    assert len(ended) == len(set(ended)) == row.iterations


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_death_is_an_observation(lasting_page: Page, endpoint: ScriptedEndpoint, row: Row) -> None:
    upstream = Upstream(replies(row))
    endpoint.answer = upstream.answer
    at = row.at and {"fault": "kill", **row.at}
    result = lasting_page.evaluate("(job) => faults.start(job)", {"at": at, "options": {"blockTimeout": 1_500}})
    check(result, upstream, row)
    lost = any("the Python worker was lost" in event.get("text", "") for event in result["events"])
    assert lost or at is None


@pytest.mark.parametrize(("event", "nth"), RELOADS.items(), ids=RELOADS.keys())
def test_a_reloaded_tab_goes_on(page: Page, endpoint: ScriptedEndpoint, event: str, nth: int) -> None:
    row = Row(f"print('second block')\n{QUERY}", again=THIRD)
    upstream = Upstream(replies(row))
    endpoint.answer = upstream.answer
    reload_at(page, {"type": event, "nth": nth})
    result = page.evaluate("(job) => faults.goOn(job)", {})
    check(result, upstream, row)
    assert page.evaluate("faults.left()") == 0


def reload_at(page: Page, at: dict[str, Any], **options: Any) -> None:
    """Begin a run with a journal; it is cut off by a reload of its tab."""
    job = {"at": {"fault": "reload", **at}, "options": {"journal": "the-run", **options}}
    with page.expect_navigation(wait_until="load"), suppress(Error):  # reloaded before the answer came
        page.evaluate("(job) => void faults.start(job)", job)


DAMAGE = {
    "cut off inside the last line": lambda log: log[:-25],
    "a line in the middle is not JSON": lambda log: "".join(
        "{broken\n" if number == 12 else line for number, line in enumerate(log.splitlines(keepends=True))
    ),
    "an event of an unknown type": lambda log: log + '{"type": "surprise"}\n',
    "without its end": lambda log: log.rsplit("\n", 2)[0] + "\n",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_log_is_read_up_to_the_damage(lasting_page: Page, endpoint: ScriptedEndpoint, damage: Any) -> None:
    row = Row(QUERY, again=THIRD)
    endpoint.answer = Upstream(replies(row)).answer
    log = lasting_page.evaluate("(job) => faults.start(job)", {})["trajectory"]
    kept = "".join(line for line in log.splitlines(keepends=True) if "run_finished" not in line)
    upstream = Upstream(replies(row))
    endpoint.answer = upstream.answer
    result = lasting_page.evaluate("(job) => faults.start(job)", {"resume": damage(kept)})
    assert (result["answer"], result["stoppedBy"]) == ("sub:one sub:two", "final_answer")
    assert len(upstream.asked) == len(set(upstream.asked)) < 6
    notices = " ".join(event.get("text", "") for event in result["events"])
    is_whole = damage in (DAMAGE["without its end"], DAMAGE["an event of an unknown type"])
    assert ("is damaged" in notices) == (not is_whole)
    assert ("of an unknown type left out" in notices) == (damage is DAMAGE["an event of an unknown type"])


def test_a_second_tab_on_the_same_run_is_refused(
    page: Page, context: BrowserContext, endpoint: ScriptedEndpoint, served: str
) -> None:
    endpoint.answer = Upstream([code("import time\nwhile True: time.sleep(0.05)")]).answer
    page.evaluate("() => void faults.start({options: {journal: 'the-run'}})")
    page.wait_for_function("() => navigator.locks.query().then(({held}) => held.length === 1)")
    other = context.new_page()
    other.goto(served + EMPTY)
    other.evaluate(FAULTS)
    refused = other.evaluate("() => faults.start({options: {journal: 'the-run'}})")
    assert refused["error"]["name"] == "ConfigError"
    assert "under way in another tab" in refused["error"]["message"]
    assert other.evaluate("faults.left()") == 0


def test_a_block_that_kills_its_tab_twice_is_not_tried_a_third_time(page: Page, endpoint: ScriptedEndpoint) -> None:
    row = Row("print('second block')\nimport time\nwhile True: time.sleep(0.05)")
    upstream = Upstream(replies(row))
    endpoint.answer = upstream.answer
    at = {"fault": "reloadWhenKept", "type": "output", "text": "second"}
    reload_at(page, at)
    with page.expect_navigation(wait_until="load"), suppress(Error):
        page.evaluate("(job) => void faults.goOn(job)", {"at": at})
    result = page.evaluate("(job) => faults.goOn(job)", {})
    check(result, upstream, row)
    errors = [event["observation"]["error"] for event in result["events"] if event["type"] == "block_finished"]
    assert "its tab was closed twice" in errors[1]


def test_a_full_store_pauses_the_run_before_the_next_call(page: Page, endpoint: ScriptedEndpoint) -> None:
    row = Row(QUERY, again=THIRD)
    upstream = Upstream(replies(row))
    endpoint.answer = upstream.answer
    page.evaluate(
        """() => {
          const put = IDBObjectStore.prototype.put;
          let full = 3;
          IDBObjectStore.prototype.put = function (value, key) {
            if (String(value).includes("call_started") && full-- > 0) {
              const abort = () => this.transaction.abort();
              Object.defineProperty(this.transaction, "error", {value: new DOMException("full", "QuotaExceededError")});
              abort();
              return undefined;
            }
            return put.call(this, value, key);
          };
        }"""
    )
    result = page.evaluate("(job) => faults.start(job)", {"options": {"journal": "full"}})
    check(result, upstream, row)
    assert any("storage is full" in event.get("text", "") for event in result["events"])
