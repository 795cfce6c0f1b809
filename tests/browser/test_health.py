"""A block that changes the interpreter for good: the run continues in a fresh worker, as if the block had never run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.lab import code, printed, run

POISONS = {
    "an audit hook": ("import sys\nsys.addaudithook(lambda *_: 1 / 0)", "added an audit hook"),
    "no modules": ("import sys\nsys.modules.clear()", "deleted sys.modules: "),
    "no library": ("import os\nos.unlink('/lib/python314.zip')", "deleted or changed /lib/python314.zip"),
    "ast": ("import ast\nast.parse = lambda *_, **__: None", "replaced ast.parse"),
    "traceback": ("import traceback as t\nt.TracebackException.format = t.format_exc = None", "replaced traceback."),
    "io": ("import io\nio.StringIO = io.TextIOWrapper = None", "replaced io."),
    "our globals": (
        "import sys\nvars(sys.modules['rlm_core.repl'])['shown'] = lambda *_: 'FORGED'",
        "replaced rlm_core.repl.shown",
    ),
    "our closures": (
        "import sys\nsys.modules['rlm_core.surroundings'].written_to.__closure__[0].cell_contents = None",
        "changed a variable that a function of the REPL holds",
    ),
    "our code": (
        "import sys\nsys.modules['rlm_core.repl'].Repl.execute.__code__ = (lambda *_, **__: None).__code__",
        "changed the function rlm_core.repl.Repl.execute",
    ),
}  # fmt: skip
HARMLESS = [
    "import openpyxl, bs4, mammoth",
    "import csv, sys\nsys.modules.pop('csv')\nimport csv",
    "import openpyxl\nopenpyxl.load_workbook = lambda *_: 'mine'",
    "import builtins\nbuiltins.print = None\nbuiltins.len = lambda _: 0",
    "import sqlite3, asyncio, unittest.mock, html.parser, decimal\nasyncio.run(asyncio.sleep(0))",
    "from collections import namedtuple\nP = namedtuple('P', 'x')\nprint(P(1))",
    "import warnings, time\nwarnings.warn = lambda *a, **k: None\ntime.sleep(0)",
]
AFTER = code("y += 1\nprint('healthy', x, 40 + 2)")


def events(log: str, kind: str) -> list[dict[str, Any]]:
    return [event for event in map(json.loads, log.splitlines()) if event["type"] == kind]


@pytest.fixture(scope="module")
def poisoned(shared_page: Page) -> Any:
    """A run with all poisons; after each of them a harmless block."""
    replies = [code("x = llm_query('one')\ny = 0")]
    for poison, _ in POISONS.values():
        replies += [code(f"y = 100\nprint('seen')\nz = llm_query('asked before')\n{poison}"), AFTER]
    return run(shared_page, [*replies, code("FINAL((x, y, 'z' in globals()))")], options={"maxIterations": 40})


def test_the_run_continues_without_the_effects_of_the_blocks(poisoned: Any) -> None:
    assert poisoned["answer"] == f"('sub:one', {len(POISONS)}, False)"
    assert printed(poisoned).count("healthy sub:one 42\n") == len(POISONS)


@pytest.mark.parametrize("name", POISONS)
def test_the_model_sees_which_change_it_was(poisoned: Any, name: str) -> None:
    at = 2 * list(POISONS).index(name) + 2
    block = next(b for b in events(poisoned["trajectory"], "block_finished") if b["iteration"] == at)
    assert block["lost"]
    assert block["observation"]["stdout"] == "seen\n"
    assert f"This block {POISONS[name][1]}" in block["observation"]["error"]
    assert "effects are gone" in block["observation"]["error"]


def test_each_worker_that_is_replaced_has_its_notice_and_nothing_is_paid_twice(poisoned: Any) -> None:
    notices = [notice for notice in events(poisoned["trajectory"], "notice") if notice["code"] == "worker_replaced"]
    assert len(notices) == len(POISONS)
    prompts = [post["prompt"] for post in poisoned["posts"] if "prompt" in post]
    assert prompts == ["one", "asked before"]  # the same question of later blocks is answered by the kept reply


def test_its_replay_and_its_fork_agree(shared_page: Page, poisoned: Any) -> None:
    replay = run(shared_page, [], log={"replay": poisoned["trajectory"]}, options={"maxIterations": 40})
    assert (replay.get("error"), replay.get("answer"), replay["posts"]) == (None, poisoned["answer"], [])
    fork = run(
        shared_page,
        [code("FINAL(('forked', x, y))")],
        log={"fork": {"log": poisoned["trajectory"], "iteration": 4}},
        options={"maxIterations": 40},
    )
    assert fork["answer"] == "('forked', 'sub:one', 1)"


def test_a_session_goes_on_without_the_block(shared_page: Page) -> None:
    poison = POISONS["ast"][0]
    replies = [
        code("x = llm_query('one')\nFINAL(x)"),
        code(f"x = 'spoilt'\n{poison}\nanswer.update(content='spoilt', ready=True)"),
        code("FINAL(x + ' again')"),
        code("FINAL(x + ' third')"),
    ]
    asked: Any = [{"question": f"Q{number}?", "context": None} for number in range(3)]
    result = run(shared_page, replies, question=asked)
    answers = [each["answer"] for each in result["results"]]
    assert answers == ["sub:one", "sub:one again", "sub:one third"]


def test_ordinary_code_replaces_no_worker(shared_page: Page) -> None:
    result = run(shared_page, [*map(code, HARMLESS), code("print(len([1]))\nFINAL(csv.reader.__name__)")])
    assert result["answer"] == "reader"
    codes = [notice["code"] for notice in events(result["trajectory"], "notice")]
    assert [each for each in codes if each in ("worker_replaced", "worker_lost")] == []
