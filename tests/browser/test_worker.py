"""The contained worker and its host, end to end on the page: runs, stops, limits, files, and nothing that gets out."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from tests.browser.lab import code, printed, run

FINISH = code("FINAL('done')")
NASTY = {
    "an endless loop": "while True: pass",
    "a loop in C": "sum(range(10**12))",
    "a loop that catches everything": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "a regular expression that never ends": "import re; re.match('(a+)+$', 'a' * 40 + 'b')",
    "a sleep": "import time; time.sleep(3600)",
}


def types(result: Any) -> list[str]:
    return [event["type"] for event in result["events"]]


def test_a_run_ends_with_the_answer_its_usage_and_its_trajectory(page: Page, faults: list[str]) -> None:
    first = code("print(len(context))\nx = llm_query('hi')\nprint(llm_batch(['a', 'b', 'c']))")
    result = run(page, [first, code("FINAL(x)")], context="hello world", options={"model": "m:1", "subModel": "m:2"})
    assert (result["answer"], result["stoppedBy"], result["iterations"]) == ("sub:hi", "final_answer", 2)
    assert result["usage"] == {
        "root": {"calls": 3, "input_tokens": 9, "output_tokens": 6},
        "sub": {"calls": 3, "input_tokens": 9, "output_tokens": 6},
    }
    assert printed(result) == "11\n['sub:a', 'sub:b', 'sub:c']\n"
    assert [call["prompt"] for call in result["subCalls"]] == ["hi", "a", "b", "c"]
    assert [post.get("model") for post in result["posts"]] == ["m:1", "m:2", "m:2", "m:1"]
    assert [(told["index"], len(told["codeBlocks"])) for told in result["told"]] == [(0, 1), (1, 1)]
    assert result["told"][0]["response"] == first
    lines = [json.loads(line) for line in result["trajectory"].splitlines()]
    assert [line["seq"] for line in lines] == list(range(len(lines)))
    assert (lines[0]["type"], lines[-1]["type"]) == ("run_started", "run_finished")
    assert "output" not in {line["type"] for line in lines}
    assert "output" in types(result)
    assert faults == []


def test_the_log_holds_each_message_once(shared_page: Page) -> None:
    result = run(shared_page, [code("print(1)"), code("print(2)"), FINISH])
    roots = [event for event in result["events"] if event["type"] == "call_started"]
    assert [(event["kept"], len(event["messages"])) for event in roots] == [(0, 2), (2, 2), (4, 2)]


def test_the_worker_is_fully_contained(shared_page: Page) -> None:
    result = run(shared_page, [FINISH])
    notices = [event["text"] for event in result["events"] if event["type"] == "notice"]
    assert any("containment: full; channel: shared-memory" in text for text in notices)


@pytest.mark.parametrize("block", NASTY.values(), ids=NASTY.keys())
def test_a_stop_ends_the_run_within_half_a_second_and_keeps_the_partial_answer(shared_page: Page, block: str) -> None:
    replies = [code("answer['content'] = 'half way'"), code(f"print('spinning')\n{block}")]
    result = run(shared_page, replies, stopOn="spinning")
    assert (result["stoppedBy"], result["answer"]) == ("cancelled", "half way")
    assert result["stopMs"] < 500
    assert types(result)[-1] == "run_finished"


def test_a_stop_while_a_model_is_asked_aborts_the_call(shared_page: Page) -> None:
    result = run(shared_page, [code("answer['content'] = 'so far'"), None], stopOn='"call":1')
    assert (result["stoppedBy"], result["answer"]) == ("cancelled", "so far")
    assert result["stopMs"] < 500


def test_a_stop_before_the_worker_is_ready_ends_the_run(page: Page) -> None:
    script = """async () => {
      const {RLM} = await import("/rlm/rlm.js");
      const result = await new RLM().run("What?", {signal: AbortSignal.timeout(50)});
      return [result.stoppedBy, result.trajectory().split("\\n").filter(Boolean).length];
    }"""
    assert page.evaluate(script) == ["cancelled", 2]


def test_the_time_limit_ends_a_block_that_never_would(shared_page: Page) -> None:
    replies = [code("answer['content'] = 'half way'"), code("while True: pass")]
    result = run(shared_page, replies, options={"maxTimeout": 700})
    assert (result["stoppedBy"], result["answer"]) == ("max_seconds", "half way")
    assert "0.7 s" in result["detail"]


def test_runs_follow_each_other_without_fetching_the_assets_again(page: Page) -> None:
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    for number in (1, 2):
        assert run(page, [code(f"FINAL('run {number}')")])["answer"] == f"run {number}"
    assert len([url for url in fetched if ".wasm" in url or ".zip" in url]) == 3
    assert len([url for url in fetched if "/worker." in url]) <= 2


def test_a_fresh_run_knows_nothing_of_the_one_before(shared_page: Page) -> None:
    run(shared_page, [code("import builtins; builtins.left = 1; x = 1"), FINISH])
    result = run(shared_page, [code("import builtins; print('x' in globals(), hasattr(builtins, 'left'))"), FINISH])
    assert printed(result) == "False False\n"


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


# --- What the worker cannot do --------------------------------------------------------------------------------------

ATTEMPTS = """
import gc, pyodide_js, sys, socket, urllib.request
from pyodide.ffi import create_proxy, run_sync, to_js
from pyodide.code import run_js
import pyodide.http

URL = "http://127.0.0.1:PORT/"

def attempt(name, action):
    try:
        print(name, "->", str(action())[:80])
    except BaseException as error:
        print(name, "refused", type(error).__name__)

def scope():
    import js
    return js

attempt("js.fetch", lambda: scope().fetch(URL))
attempt("js.XMLHttpRequest", lambda: scope().XMLHttpRequest.new())
attempt("open_url", lambda: pyodide.http.open_url(URL))
attempt("pyfetch", lambda: run_sync(pyodide.http.pyfetch(URL)))
attempt("urllib", lambda: urllib.request.urlopen(URL, timeout=1).read())
attempt("run_js fetch", lambda: run_js(f"fetch('{URL}')"))
attempt("Function", lambda: pyodide_js.loadPackage.constructor.new(f"return fetch('{URL}')")())
attempt("loadPackage", lambda: run_sync(pyodide_js.loadPackage(URL + "a.whl")))
attempt("loaded by api", lambda: pyodide_js._api.config.jsglobals.fetch(URL))
attempt("module fetch", lambda: pyodide_js._module.fetch(URL))

caught = []
def take(this, *rest):
    caught.append(this)
take_proxy = create_proxy(take, capture_this=True)
attempt("setTimeout this", lambda: pyodide_js._api.scheduleCallback(take_proxy, 0))
for found in gc.get_objects():
    if type(found).__name__ == "JsProxy":
        for name in ("fetch", "XMLHttpRequest", "WebSocket", "EventSource", "importScripts", "navigator", "indexedDB"):
            attempt(f"gc {name}", lambda: getattr(found, name))
print("alive")
"""


@contextmanager
def canary() -> Iterator[tuple[int, list[object]]]:
    """A port on loopback, and everyone who connected to it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        visitors: list[object] = []
        threading.Thread(target=_welcome, args=(listener, visitors), daemon=True).start()
        yield listener.getsockname()[1], visitors


def _welcome(listener: socket.socket, visitors: list[object]) -> None:
    while True:
        try:
            connection, address = listener.accept()
        except OSError:
            return
        visitors.append(address)
        connection.sendall(b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\n\r\n")
        connection.close()


def test_model_code_reaches_no_network(shared_page: Page, browser: Browser) -> None:
    with canary() as (port, visitors):
        result = run(shared_page, [code(ATTEMPTS.replace("PORT", str(port))), FINISH])
        shown = printed(result)
        assert "alive" in shown
        assert "->" not in shown.replace("setTimeout this ->", "")
        assert result["answer"] == "done"
        assert visitors == []
        _unprotected_worker_reaches(browser, port)
        assert len(visitors) == 1


def _unprotected_worker_reaches(browser: Browser, port: int) -> None:
    """The positive control: the same request from a worker without our header arrives."""
    page = browser.new_page()
    page.evaluate(
        """(url) => new Promise((done) => {
          const script = `fetch("${url}").finally(() => postMessage(1))`;
          const worker = new Worker(URL.createObjectURL(new Blob([script])));
          worker.onmessage = done;
        }).then(() => 1)""",
        f"http://127.0.0.1:{port}/",
    )
    page.close()


def test_a_socket_reaches_nothing_and_the_run_goes_on(shared_page: Page) -> None:
    with canary() as (port, visitors):
        connect = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1).sendall(b'x')"
        result = run(shared_page, [code(connect), FINISH])
        assert "Error" in printed(result)
        assert result["answer"] == "done"
        assert visitors == []


def test_a_script_run_by_the_runtime_reaches_nothing(shared_page: Page) -> None:
    with canary() as (port, visitors):
        script = f"fetch('http://127.0.0.1:{port}/')"
        block = f"import ctypes\nctypes.CDLL(None).emscripten_run_script({script!r}.encode())"
        result = run(shared_page, [code("answer['content'] = 'half way'"), code(block), FINISH])
        assert result["answer"] in ("done", "half way")
        assert visitors == []


def test_the_module_of_the_page_is_empty(shared_page: Page) -> None:
    look = "import js\nprint([name for name in dir(js) if not name.startswith('_')])"
    assert "fetch" not in printed(run(shared_page, [code(look), FINISH]))


def test_memory_is_capped_and_the_run_goes_on(shared_page: Page) -> None:
    hoard = "hoard = []\nwhile True:\n    hoard.append(bytearray(100_000_000))"
    result = run(shared_page, [code(hoard), code("count = len(hoard); hoard = None; print(count, end='')"), FINISH])
    assert "MemoryError" in printed(result)
    assert result["answer"] == "done"
    assert 15 <= int(printed(result).partition("MemoryError")[2]) <= 22


def test_a_dead_interpreter_ends_the_run_with_the_partial_answer(shared_page: Page) -> None:
    die = "import os; os._exit(3)"
    result = run(shared_page, [code("answer['content'] = 'half way'"), code(die), FINISH])
    assert (result["stoppedBy"], result["answer"]) == ("worker_lost", "half way")


def test_a_flood_of_output_is_joined_and_bounded(shared_page: Page) -> None:
    result = run(shared_page, [code("for number in range(200_000): print(number)"), FINISH])
    outputs = [event for event in result["events"] if event["type"] == "output"]
    assert result["answer"] == "done"
    assert len(outputs) < 400


# --- Where the headers are not ours ---------------------------------------------------------------------------------


def without_headers(route: Route, *names: str) -> None:
    response = route.fetch()
    headers = {name: value for name, value in response.headers.items() if name.lower() not in names}
    route.fulfill(response=response, headers=headers)


def test_without_its_policy_the_worker_runs_only_when_asked_by_name(page: Page, context: BrowserContext) -> None:
    context.route("**/worker.*.js", lambda route: without_headers(route, "content-security-policy"))
    refused = run(page, [FINISH])
    assert refused["error"]["name"] == "ConfigError"
    assert 'containment is "weak"' in refused["error"]["message"]
    assert run(page, [FINISH], options={"containment": "weak"})["answer"] == "done"


def test_without_an_opaque_origin_the_level_is_network(page: Page, context: BrowserContext) -> None:
    def route_policy(route: Route) -> None:
        response = route.fetch()
        policy = "default-src 'none'; script-src 'wasm-unsafe-eval'"
        route.fulfill(response=response, headers={**response.headers, "content-security-policy": policy})

    context.route("**/worker.*.js", route_policy)
    result = run(page, [FINISH])
    assert any("containment: network" in event.get("text", "") for event in result["events"])
    refused = run(page, [FINISH], options={"containment": "full"})
    assert refused["error"]["name"] == "ConfigError"


def test_without_isolation_the_channel_is_jspi(context: BrowserContext, served: str) -> None:
    gone = ("cross-origin-opener-policy", "cross-origin-embedder-policy", "document-isolation-policy")
    context.route(f"{served}/", lambda route: without_headers(route, *gone))
    page = context.new_page()
    page.goto(served)
    assert page.evaluate("typeof SharedArrayBuffer") == "undefined"
    result = run(page, [code("x = llm_query('hi')\nprint(llm_batch(['a', 'b']))"), code("FINAL(x)")])
    assert any("channel: jspi" in event.get("text", "") for event in result["events"])
    assert (result["answer"], printed(result)) == ("sub:hi", "['sub:a', 'sub:b']\n")
    stopped = run(page, [code("answer['content'] = 'half way'"), None], stopOn='"call":1')
    assert (stopped["stoppedBy"], stopped["answer"]) == ("cancelled", "half way")


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
    "new RLM({tools: {f: () => 1}})": 'tool "f" is a function',
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
    assert faults and all("the caller's own" in fault for fault in faults)
