"""Values as JSON text cross unchanged between a program and the REPL: numbers and the order of keys, tools and logs."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page

from rlm_core.events import ToolCalled
from rlm_core.trajectory import read
from tests.browser.lab import LAB, code

EXACT = '{"10": 9007199254740993, "2": [1.0, -0.0, 123456789012345678901234567890], "a": "\\ud800"}'
"""JSON text that JavaScript changes: of numbers, and in the order of keys."""

RUN = """async ({replies, log}) => {
  const { jsonText } = await import("/rlm/rlm.js");
  const calls = [];
  const tools = {
    value: jsonText(%(exact)s),
    described: { tool: jsonText(%(exact)s), description: "a value" },
    echo() { calls.push(this.json); return jsonText(JSON.stringify(0) && this.json); },
    broken: () => jsonText("{"),
  };
  const result = await lab.run({ replies, context: jsonText(%(context)s), options: { tools }, log });
  return { ...result, calls };
}"""

SAME = f"""
import json
exact = json.loads({EXACT!r})
def same(value):
    return repr(value) == repr(exact)
"""


def run(page: Page, block: str, context: str = json.dumps(EXACT), log: Any = None) -> Any:
    page.evaluate(LAB)
    script = RUN % {"exact": json.dumps(EXACT), "context": context}
    replies = [] if log else [code(SAME + block)]
    return page.evaluate(script, {"replies": replies, "log": log or {}})


def test_contexts_and_values_of_tools_are_parsed_by_python_alone(shared_page: Page) -> None:
    result = run(shared_page, "FINAL((same(context), same(value), same(described)))")
    assert result["answer"] == "(True, True, True)", result


def test_a_context_of_json_may_be_a_blob(shared_page: Page) -> None:
    result = run(shared_page, "FINAL(same(context))", context=f"new Blob([{json.dumps(EXACT)}])")
    assert result["answer"] == "True", result


def test_arguments_and_results_of_functions_cross_unchanged_also_through_a_log(shared_page: Page) -> None:
    block = "got = echo(exact, n=exact)\nFINAL((same(got['args'][0]), same(got['kwargs']['n'])))"
    result = run(shared_page, block)
    assert result["answer"] == "(True, True)", result
    (call,) = result["calls"]
    assert repr(json.loads(call)["args"][0]) == repr(json.loads(EXACT))
    (called,) = [event for event in read(result["trajectory"].splitlines()).events if isinstance(event, ToolCalled)]
    assert called.result_json == called.arguments_json == call
    again = run(shared_page, "", log={"replay": result["trajectory"]})
    assert (again.get("error"), again["answer"], again["calls"]) == (None, "(True, True)", [])


def test_a_result_that_is_no_json_is_an_error_of_the_function(shared_page: Page) -> None:
    block = "try:\n    broken()\nexcept ToolError as error:\n    FINAL(str(error))"
    assert "the result of broken is not JSON" in run(shared_page, block)["answer"]


def test_arguments_that_json_has_not_are_refused_in_model_code(shared_page: Page) -> None:
    block = "try:\n    echo(float('nan'))\nexcept TypeError as error:\n    FINAL(str(error))"
    assert "echo(...) takes JSON values" in run(shared_page, block)["answer"]


def test_text_that_is_no_json_is_refused_before_anything_runs(shared_page: Page) -> None:
    refused = run(shared_page, "FINAL(1)", context="'[1, NaN]'")
    assert refused["error"]["name"] == "ConfigError"
    assert "the context is not JSON" in refused["error"]["message"]


def test_a_mounted_file_has_the_time_of_its_last_change(shared_page: Page) -> None:
    shared_page.evaluate(LAB)
    script = """(replies) => {
      const context = [1_000_000_000_000, 1_500_000_000_500].map(
        (lastModified, at) => new File(["text"], `${at}/a.txt`, { lastModified }),
      );
      return lab.run({ replies, context });
    }"""
    block = "import os\nFINAL([os.stat('/context/' + name).st_mtime for name in sorted(context)])"
    result = shared_page.evaluate(script, [code(block)])
    assert result["answer"] == "[1000000000.0, 1500000000.5]", result


def test_lone_surrogates_of_a_text_are_reported(shared_page: Page) -> None:
    shared_page.evaluate(LAB)
    script = "(replies) => lab.run({ replies, context: 'a\\ud800b\\udc00 \\ud83d\\ude00' })"
    result = shared_page.evaluate(script, [code("FINAL(ascii(context))")])
    assert result["answer"] == "'a\\ufffdb\\ufffd \\U0001f600'"
    notices = [event["text"] for event in result["events"] if event["type"] == "notice"]
    assert any("the context holds 2 lone surrogates" in text for text in notices)
