"""The public class `RLM` on the page: its options, refusals by name, and how contexts arrive in the REPL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.lab import FINISH, LAB, code, printed, run

# --- Arguments ------------------------------------------------------------------------------------------------------

REFUSED = {
    "new RLM({endpoint: ''})": "endpoint must be a URL",
    "new RLM({maxIterations: 0})": "maxIterations must be a whole number",
    "new RLM({maxTimeout: -1})": "maxTimeout must be a number of milliseconds",
    "new RLM({model: 7})": "model must be",
    "new RLM({onIteration: 1})": "onIteration must be a function",
    "new RLM({apiKey: 'x'})": "unknown option apiKey",
    "new RLM({tools: {'a b': 1}})": 'tool "a b"',
    "new RLM({tools: {context: 1}})": 'tool "context"',
    "new RLM({tools: {lambda: () => 1}})": 'tool "lambda"',
    "new RLM({subTools: {rlm_query: () => 1}})": 'tool "rlm_query"',
    "new RLM({tools: {d: {tool: {when: new Date()}}}})": 'tool "d".when is a Date',
    "new RLM({tools: {n: [1, NaN]}})": 'tool "n"[1] is NaN',
    "new RLM().run('  ')": "the question must be text",
    "new RLM().run('q', {context: {f() {}}})": "context.f is a function",
}


@pytest.mark.parametrize(("call", "message"), REFUSED.items())
def test_an_impossible_argument_is_refused_by_name(shared_page: Page, call: str, message: str) -> None:
    script = f"""async () => {{
      const {{RLM}} = await import("/rlm/rlm.js");
      try {{ await {call}; }} catch (error) {{ return [error.name, error.message]; }}
    }}"""
    name, told = shared_page.evaluate(script)
    assert name == "ConfigError"
    assert message in told


def test_tools_are_variables_and_lines_of_the_prompt(shared_page: Page) -> None:
    tools = {"prices": {"tool": {"tea": 3}, "description": "prices in EUR"}, "limit": 5}
    result = run(shared_page, [code("print(prices, limit)"), FINISH], options={"tools": tools})
    assert printed(result) == "{'tea': 3} 5\n"
    assert "prices in EUR" in result["posts"][0]["messages"][0]["content"]


def test_a_callback_that_throws_does_not_touch_the_run(page: Page, faults: list[str]) -> None:
    script = """async () => {
      const {RLM} = await import("/rlm/rlm.js");
      const rlm = new RLM({onEvent() { throw new Error("the caller's own"); }});
      return (await rlm.run("Where is the lamp?", {context: "The lamp is in the attic."})).stoppedBy;
    }"""
    assert page.evaluate(script) == "final_answer"
    assert len(faults) > 0
    assert all("the caller's own" in fault for fault in faults)


# --- Contexts -------------------------------------------------------------------------------------------------------

SHOW = code("print(type(context).__name__, repr(context)[:90])")
CONTEXTS = {
    "text": ("naïve 🦊", "str 'naïve 🦊'\n"),
    "JSON": ({"a": [1, None, "x"]}, "dict {'a': [1, None, 'x']}\n"),
    "a list": ([1, 2], "list [1, 2]\n"),
    "bytes": ({"bytes": [0, 255, 7]}, "bytes b'\\x00\\xff\\x07'\n"),
    "a text file": ({"files": {"notes.txt": "hello"}}, "str 'hello'\n"),
    "a binary file": ({"files": {"a/b.bin": [255, 0]}}, "PosixPath PosixPath('/context/a/b.bin')\n"),
    "files": (
        {"files": {"a.txt": "A", "b.bin": [255]}},
        "dict {'a.txt': 'A', 'b.bin': PosixPath('/context/b.bin')}\n",
    ),
    "nothing": (None, "str 'What?'\n"),
}


@pytest.mark.parametrize(("given", "shown"), CONTEXTS.values(), ids=CONTEXTS.keys())
def test_a_context_arrives_as_what_it_is(shared_page: Page, given: Any, shown: str) -> None:
    assert printed(run(shared_page, [SHOW, FINISH], context=given)) == shown


def test_a_large_file_is_mounted_read_only_and_read_in_parts(shared_page: Page) -> None:
    lines = 300 * (1 << 20) // 64
    read = """
from pathlib import Path
print(type(context).__name__, context.stat().st_size)
with open(context, "rb") as file:
    print(sum(part.count(b"\\n") for part in iter(lambda: file.read(1 << 22), b"")))
try:
    Path('/context/new').write_text('x')
except OSError as error:
    print('refused')
"""
    big = {"file": {"name": "big.txt", "text": "x" * 63 + "\n", "times": lines}}
    result = run(shared_page, [code(read), FINISH], context=big)
    assert printed(result) == f"PosixPath {lines * 64}\n{lines}\nrefused\n"


def choose(page: Page, path: Path) -> None:
    """Put a file input with the id `probe` on the page, and choose `path` with it."""
    page.evaluate(
        "() => document.body.append(Object.assign(document.createElement('input'), {type: 'file', id: 'probe'}))"
    )
    page.set_input_files("#probe", path)


def change(path: Path) -> None:
    """Make the chosen file another one for the browser."""
    path.write_bytes(b"something new and longer")
    os.utime(path, (1, 1))


def test_a_file_that_changed_since_it_was_chosen_is_refused_by_name(page: Page, tmp_path: Path) -> None:
    chosen = tmp_path / "notes.txt"
    chosen.write_text("old")
    choose(page, chosen)
    change(chosen)
    script = """async () => {
      const {RLM} = await import("/rlm/rlm.js");
      const [context] = document.getElementById("probe").files;
      return new RLM().run("What?", {context}).then(() => null, ({name, message}) => [name, message]);
    }"""
    name, message = page.evaluate(script)
    assert name == "ConfigError"
    assert 'the file "notes.txt" cannot be read' in message


def test_a_file_that_changes_during_the_run_is_an_error_in_model_code(page: Page, tmp_path: Path) -> None:
    chosen = tmp_path / "data.bin"
    chosen.write_bytes(bytes(range(256)))
    choose(page, chosen)
    page.evaluate(LAB)
    page.expose_function("change", lambda: change(chosen))
    script = "(replies) => lab.run({replies, context: {element: 'probe'}, before: 'change'})"
    read = "try:\n    context.read_bytes()\nexcept OSError as error:\n    print(type(error).__name__)"
    result = page.evaluate(script, [code(read), FINISH])
    assert (printed(result), result["answer"]) == ("OSError\n", "done")
