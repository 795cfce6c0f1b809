"""Functions of the page as tools of model code, through the channel."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.lab import LAB, code, printed

RUN = """async ({replies, tools, options}) => {
  const given = await (0, eval)(`(${tools})`);
  return lab.run({replies, options: {...options, ...given}});
}"""


def run_with(page: Page, tools: str, replies: list[str], **options: Any) -> Any:
    """Run with `tools`, the JavaScript text of an object of options."""
    page.evaluate(LAB)
    return page.evaluate(RUN, {"replies": replies, "tools": tools, "options": options})


TOOLS = """{tools: {
  add: (a, b) => a + b,
  later: {tool: async (value) => value, description: "gives it back"},
  both() { return this; },
  fail() { throw new Error("no tea here"); },
  odd: () => new Date(0),
  nothing() {},
}}"""
CASES = {
    "FINAL(add(1, 2))": "3",
    "FINAL(later({'a': [None, 'é']}))": "{'a': [None, 'é']}",
    "FINAL(both(1, b=2))": "{'args': [1], 'kwargs': {'b': 2}}",
    "FINAL(str(nothing()))": "None",
    "try: fail()\nexcept ToolError as error: FINAL(str(error))": "fail: no tea here",
    "try: odd()\nexcept ToolError as error: FINAL(str(error))": "odd: the result of odd is a Date, which is not JSON.",
}


@pytest.mark.parametrize(("block", "answer"), CASES.items())
def test_a_function_of_the_page_is_called_like_one_of_python(shared_page: Page, block: str, answer: str) -> None:
    assert run_with(shared_page, TOOLS, [code(block)])["answer"] == answer


def test_a_function_is_called_a_thousand_times(shared_page: Page) -> None:
    block = "print(sum(add(i, 1) for i in range(1_000)))"
    result = run_with(shared_page, TOOLS, [code(block), code("FINAL(1)")])
    assert printed(result) == "500500\n"
    called = [event for event in result["events"] if event["type"] == "tool_called"]
    assert len(called) == 1_000
    assert called[-1] | {"seq": 0, "seconds": 0} == {
        "type": "tool_called", "seq": 0, "path": [], "seconds": 0,
        "name": "add", "args": [999, 1], "kwargs": {}, "result": 1000, "error": None,
        "arguments_json": None, "result_json": None,
    }  # fmt: skip


def test_children_have_the_tools_of_their_own(shared_page: Page) -> None:
    replies = [code("FINAL(rlm_query('Who?'))"), code("FINAL(add(1, 2))")]
    below = TOOLS[:-1] + ", subTools: {add: (a, b) => a * b}}"
    assert run_with(shared_page, TOOLS, replies, maxDepth=2)["answer"] == "3"
    assert run_with(shared_page, below, replies, maxDepth=2)["answer"] == "2"


def test_a_function_that_never_ends_does_not_keep_a_run_from_stopping(shared_page: Page) -> None:
    hang = "{tools: {hang: () => new Promise(() => {})}}"
    result = run_with(shared_page, hang, [code("answer['content'] = 'half'\nhang()")], maxTimeout=1_500)
    assert (result["stoppedBy"], result["answer"]) == ("max_seconds", "half")
